"""The recurrent step (loss and gradient) against the authors' code, with a budget of 500 events.

The setting is theirs: ten QIF neurons, two trained, inputs and targets drawn by their code. Needs
a copy of the repository chklos/spikegd.
"""

from __future__ import annotations

import os
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxnlif.experiments.spiketimes_recurrent import Learned, Reservoir
from jaxnlif.spikes import InputSpikes

from . import _spikegd

CONFIG = {
    "seed": 7,
    "N": 10,
    "Ntar": 2,
    "T": 10.0,
    "K": 500,
    "r_in": 1.0,
    "w_in_exc": 5.0,
    "w_in_inh": -5.0,
    "r_targets": [1.0, 0.5],
}
STEPS, REPEATS = 20, 15
BEYOND = 1.1
"""Theirs: where the spike after the last target is to be (trial durations)."""
EPS = 1e-6
"""Theirs: where potentials are cut off (at its inverse)."""


class Setting(NamedTuple):
    """Their modules, inputs and targets, the same as one of ours, and parameters.

    `initial`: potentials and currents, none of them 0, where their gradient is an estimate.
    """

    theirs: Any
    qif: Any
    inputs: Any
    input_weights: Any
    targets: Any
    reservoir: Reservoir
    weights: np.ndarray
    initial: np.ndarray


def load(directory: str | os.PathLike) -> Setting:
    """Their recurrent experiment, from a copy of their repository."""
    theirs = _spikegd.module(directory, "rnn", "rnn")
    qif = _spikegd.module(directory, "spikegd.qif")
    key, inputs = theirs.init_input(jax.random.PRNGKey(CONFIG["seed"]), CONFIG)
    input_weights = theirs.init_weights(CONFIG)
    _, targets = theirs.init_target(key, CONFIG)
    num = int(np.sum(np.asarray(inputs[0]) < CONFIG["T"]))
    ours = Reservoir(
        InputSpikes(inputs[0][:num], inputs[1][:num]),
        input_weights,
        tuple(np.asarray(t[:-1]) for t in targets),
        BEYOND,
    )
    rng = np.random.default_rng(1)
    weights = 0.5 * rng.normal(size=(CONFIG["N"], CONFIG["N"]))
    np.fill_diagonal(weights, 0)
    initial = 0.1 * rng.normal(size=(2, CONFIG["N"]))
    return Setting(theirs, qif, inputs, input_weights, targets, ours, weights, initial)


def their_step(setting: Setting, eps: float = EPS):
    """Their loss and gradient, compiled, and the parameters at which to take them."""
    neuron = setting.qif.QIFNeuron(1.0, eps, 10.0)

    def loss(parameters):
        return setting.theirs.simulatefn(
            neuron,
            parameters,
            setting.input_weights,
            setting.inputs,
            setting.targets,
            CONFIG,
        )[0]

    weights = setting.theirs.weights_net_to_w(jnp.asarray(setting.weights))
    return jax.jit(jax.value_and_grad(loss)), [weights, jnp.asarray(setting.initial)]


def our_step(setting: Setting):
    """The same with ours."""

    def loss(learned):
        trial = setting.reservoir.trial(learned)
        return setting.reservoir.loss(setting.reservoir.outputs(trial))

    potential, current = jnp.asarray(setting.initial)
    learned = Learned(jnp.asarray(setting.weights), (potential, current))
    return jax.jit(jax.value_and_grad(loss)), learned


def difference(setting: Setting, eps: float) -> tuple[float, float]:
    """Relative differences of loss and gradient between the two, in float64."""
    (their_loss, (their_weights, their_start)), (loss, slope) = (
        step(parameters) for step, parameters in (their_step(setting, eps), our_step(setting))
    )
    ours = np.concatenate([setting.theirs.weights_net_to_w(slope.weights).ravel(), *slope.initial])
    theirs = np.concatenate([np.ravel(their_weights), np.ravel(their_start)])
    error = np.linalg.norm(ours - theirs) / np.linalg.norm(theirs)
    return abs(float(loss / their_loss - 1)), float(error)


def run(spikegd: str | os.PathLike) -> None:
    """Prints everything that is measured as `name value unit`."""
    setting = load(spikegd)
    steps = {"jaxnlif": our_step(setting), "spikegd": their_step(setting)}
    steps = {who: (step, (parameters,)) for who, (step, parameters) in steps.items()}
    _spikegd.compare("recurrent", steps, runs=STEPS, repeats=REPEATS)
