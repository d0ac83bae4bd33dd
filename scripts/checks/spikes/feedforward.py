"""Feed-forward networks: times and gradients against references."""

from __future__ import annotations

import os
from collections.abc import Iterator

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from _report import Measured
from benchmarks import spikes_feedforward as benchmark
from jax.flatten_util import ravel_pytree
from references.layers import integrate

from ._networks import DURATION, random_inputs, random_loss, random_network

SEEDS = range(3)
EPS = (1e-6, 1e-8, 1e-10)
"""Where the authors' code cuts phases off; too small a value costs it digits."""


def against_integration() -> Iterator[Measured]:
    """Spike times of random networks, and of an integrator of order 8."""
    for seed in SEEDS:
        net, inputs = random_network(seed), random_inputs(seed, 1)
        trial = net.trial(inputs, duration=DURATION)
        spikes, _ = integrate(net, np.asarray(inputs[0]), DURATION)
        worst, number = 0.0, 0
        layers = net.per_layer(trial.spike_times[0], axis=-2)
        for expected, found in zip(spikes, map(np.asarray, layers), strict=True):
            for times, row in zip(expected, found, strict=True):
                if len(times) != np.sum(np.isfinite(row)):
                    worst = np.inf
                elif len(times):
                    worst = max(worst, np.max(np.abs(row[: len(times)] / times - 1)))
                number += len(times)
        yield Measured("spike_times", float(worst), f"theta,seed={seed},spikes={number}")


def against_differences() -> Iterator[Measured]:
    """Directional derivatives in all parameters and input times, against central differences."""
    for seed in SEEDS:
        start, fixed = eqx.partition(
            (random_network(seed), random_inputs(seed, 1)), eqx.is_inexact_array
        )
        vector, restore = ravel_pytree(start)

        @jax.jit
        @jax.value_and_grad
        def loss(vector, restore=restore, fixed=fixed):
            return random_loss(*eqx.combine(restore(vector), fixed))

        gradient = loss(vector)[1]
        rng = np.random.default_rng(seed)
        worst = 0.0
        for _ in range(10):
            direction = rng.normal(size=vector.shape)
            direction = jnp.asarray(direction / np.linalg.norm(direction))

            def slope(h, direction=direction, loss=loss, vector=vector):
                ahead, behind = loss(vector + h * direction)[0], loss(vector - h * direction)[0]
                return (ahead - behind) / (2 * h)

            h = 1e-4
            expected = (slope(2 * h) - 20 * slope(h) + 64 * slope(h / 2)) / 45
            scale = jnp.linalg.norm(gradient) / np.sqrt(len(vector))
            worst = max(worst, float(abs(gradient @ direction - expected) / scale))
        yield Measured("gradients", worst, f"theta,seed={seed}")


def float32() -> Iterator[Measured]:
    """The MNIST step in float32 against float64: first output times, and gradient."""
    data = benchmark.samples()
    inputs = benchmark.trainer().encoder(data.x, None)
    truth = benchmark.network(np.float32)
    exact = jax.tree.map(lambda x: x.astype(np.float64) if eqx.is_inexact_array(x) else x, truth)
    one, other = (np.asarray(benchmark.first_times(net, inputs), float) for net in (truth, exact))
    yield Measured("float32_spike_times", float(np.max(np.abs(one / other - 1))), "theta")
    slopes = [ravel_pytree(benchmark.our_gradient(net, data)[1])[0] for net in (truth, exact)]
    error = jnp.linalg.norm(slopes[0] - slopes[1]) / jnp.linalg.norm(slopes[1])
    yield Measured("float32_gradients", float(error), "theta")


def against_spikegd(directory: str | os.PathLike) -> Iterator[Measured]:
    """Loss and gradient at the published setting, at the cut-off that brings the two nearest."""
    net, data = benchmark.network(np.float64), benchmark.samples()
    value, slope = benchmark.our_gradient(net, data)
    ours = ravel_pytree((slope.layer_weights, slope.initial))[0]
    found = []
    for eps in EPS:
        gradient, arguments = benchmark.their_gradient(directory, net, data, eps)
        loss, (weights, initial) = gradient(*arguments)
        theirs = ravel_pytree((weights, initial))[0]
        error = float(jnp.linalg.norm(ours - theirs) / jnp.linalg.norm(theirs))
        found.append((abs(float(value / loss - 1)), error))
    yield Measured("spikegd_loss", min(loss for loss, _ in found), "mnist")
    yield Measured("spikegd_gradient", min(error for _, error in found), "mnist")
