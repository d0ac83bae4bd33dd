"""The recurrent step (loss and gradient) against the authors' code, with a budget of 500 events.

The setting is theirs: ten QIF neurons, two trained, inputs and targets drawn by their code. Needs
a copy of the repository chklos/spikegd. A batch of trials, of which theirs makes one at a time,
takes inputs and targets drawn by ours.
"""

from __future__ import annotations

import os
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from _report import print_value

from jaxnlif.experiments.spiketimes_recurrent import DURATION, Learned, Reservoir, task
from jaxnlif.spikes import InputSpikes, sorted_spikes

from . import _spikegd
from ._timing import Case, interleaved

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
BATCH = 256
"""Trials that are given at once."""

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


def batch_case(dtype, samples: int = BATCH):
    """The step of the task for trials of different inputs, given at once.

    Every trial has inputs of its own, as many as the first, drawn uniformly within the trial.
    """
    drawn = task(CONFIG["seed"])
    rng = np.random.default_rng(samples)
    m = drawn.inputs.times.shape[0]
    times = jnp.asarray(rng.uniform(0, DURATION, (samples, m)), dtype)
    sources = jnp.asarray(rng.integers(0, drawn.input_weights.shape[1], (samples, m)))
    num = drawn.input_weights.shape[0]
    weights = 0.5 * rng.normal(size=(num, num)) * (1 - np.eye(num))
    start = 0.1 * rng.normal(size=(2, num))
    learned = Learned(jnp.asarray(weights, dtype), tuple(jnp.asarray(start, dtype)))
    targets = tuple(np.asarray(t, dtype) for t in drawn.targets)

    def loss(learned, inputs):
        one = Reservoir(inputs, jnp.asarray(drawn.input_weights, dtype), targets)
        trial = one.trial(learned)
        outputs = jnp.moveaxis(trial.times, -2, 0)
        read = [x[..., : len(t) + 1] for x, t in zip(outputs, targets, strict=True)]
        if read[0].ndim == 1:
            return one.loss(read)
        return jnp.mean(jax.vmap(one.loss)(read))

    return jax.jit(jax.value_and_grad(loss)), learned, sorted_spikes(times, sources)


def run_batch() -> None:
    """Prints what a trial of a batch costs over a single one."""
    for dtype in (np.float32, np.float64):
        step, learned, inputs = batch_case(dtype)
        singles = [jax.tree.map(lambda x, k=k: x[k], inputs) for k in range(BATCH)]

        def one_by_one(step=step, learned=learned, singles=singles):
            for one in singles:
                jax.block_until_ready(step(learned, one))

        def at_once(step=step, learned=learned, inputs=inputs):
            return step(learned, inputs)

        cases = {"single": Case(one_by_one, BATCH), f"batch_{BATCH}": Case(at_once, BATCH)}
        timings = interleaved(cases, repeats=REPEATS)
        name = np.dtype(dtype).name
        for case, timing in timings.items():
            print_value(f"recurrent_{name}_trial/{case}", 1e3 * timing.step, "ms")
        ratio = timings[f"batch_{BATCH}"].step / timings["single"].step
        print_value(f"recurrent_{name}_batch_{BATCH}/single", ratio, "times")


def run(spikegd: str | os.PathLike) -> None:
    """Prints everything that is measured as `name value unit`."""
    setting = load(spikegd)
    steps = {"jaxnlif": our_step(setting), "spikegd": their_step(setting)}
    steps = {who: (step, (parameters,)) for who, (step, parameters) in steps.items()}
    _spikegd.compare("recurrent", steps, runs=STEPS, repeats=REPEATS)
