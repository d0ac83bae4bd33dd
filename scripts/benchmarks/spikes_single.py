"""The step of the single-neuron task (loss and gradient) in float64, with room for 60 events."""

from __future__ import annotations

import os

import jax
import jax.numpy as jnp

from jaxnlif.experiments import spiketimes_single as experiment

from . import _spikegd

SEED = 14
EPS = 1e-6
"""Theirs: where potentials are cut off (at its inverse)."""


def our_step():
    """Loss and gradient in weights and times of the learned inputs."""
    single = experiment.task(SEED)

    def loss(learned):
        return jnp.mean((single.outputs(learned) - jnp.asarray(experiment.TARGETS)) ** 2)

    return jax.jit(jax.value_and_grad(loss)), (_learned(),)


def their_step(directory: str | os.PathLike):
    """The same with theirs, put together as their experiment does."""
    neuron = _spikegd.module(directory, "spikegd.qif").QIFNeuron(1.0, EPS, 10.0)
    single, targets = experiment.task(SEED), jnp.asarray(experiment.TARGETS)
    config = {"T": experiment.DURATION, "K": experiment.MAX_EVENTS}
    num = len(targets)

    def loss(learned):
        weights = jnp.concatenate([learned.weights, single.weights])[None]
        out = neuron.event(
            jnp.zeros((2, 1)), jnp.zeros((1, 1)), weights, tuple(single.inputs(learned)), config
        )
        times, is_input, neurons, states = out[:4]
        made = jnp.sum(neurons >= 0)
        spikes = jnp.sum((neurons == 0) & ~is_input)
        ordinary = times[jnp.argsort(is_input)[:num]]
        place = jnp.arange(num)
        later = neuron.t_pseudo(states[made], jnp.zeros(()), place + 1 - spikes, config)
        return jnp.mean((jnp.where(place < spikes, ordinary, later) - targets) ** 2)

    return jax.jit(jax.value_and_grad(loss)), (_learned(),)


def _learned() -> experiment.Learned:
    return experiment.Learned(jnp.asarray([0.5, 1.0]), jnp.asarray([1.0, 9.0]))


def run(spikegd: str | os.PathLike | None) -> None:
    """Prints everything that is measured as `name value unit`."""
    steps = {"jaxnlif": our_step()}
    if spikegd is not None:
        steps["spikegd"] = their_step(spikegd)
    _spikegd.compare("single", steps, runs=50, repeats=15)
