"""Feed-forward networks: times and gradients against references, and the cost of a step."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from _report import Measured, parse_values
from benchmarks import spikes_feedforward as benchmark
from jax.flatten_util import ravel_pytree

from ._networks import random_inputs, random_loss, random_network

ROOT = Path(__file__).parents[3]
SEEDS = range(3)
EPS = (1e-6, 1e-8, 1e-10)
"""Where the authors' code cuts phases off; too small a value costs it digits."""


def against_differential_equations() -> Iterator[Measured]:
    """Spike times of random networks, and of an integrator of order 8."""
    sys.path.append(str(ROOT))
    from tests.spikes._feedforward_reference import integrate

    for seed in SEEDS:
        net, inputs = random_network(seed), random_inputs(seed, 1)
        trial = net.trial(inputs)
        spikes, _ = integrate(net, np.asarray(inputs[0]))
        worst, number = 0.0, 0
        for layer, expected in enumerate(spikes):
            found = np.asarray(trial.spikes[layer][0])
            for times, row in zip(expected, found, strict=True):
                if len(times) != np.sum(np.isfinite(row)):
                    worst = np.inf
                elif len(times):
                    worst = max(worst, np.max(np.abs(row[: len(times)] / times - 1)))
                number += len(times)
        yield Measured("theta_times_ode", float(worst), f"seed={seed},spikes={number}")


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
        yield Measured("theta_gradient_differences", worst, f"seed={seed}")


def float32() -> Iterator[Measured]:
    """The MNIST step in float32 against float64: first output times, and gradient."""
    data = benchmark.samples()
    inputs = benchmark.trainer().encoder(data.x, None)
    truth = benchmark.network(np.float32)
    exact = jax.tree.map(lambda x: x.astype(np.float64) if eqx.is_inexact_array(x) else x, truth)
    one, other = (np.asarray(net(inputs)[..., 0], float) for net in (truth, exact))
    yield Measured("theta_times_float32", float(np.max(np.abs(one / other - 1))))
    slopes = [ravel_pytree(benchmark.our_gradient(net, data)[1])[0] for net in (truth, exact)]
    error = jnp.linalg.norm(slopes[0] - slopes[1]) / jnp.linalg.norm(slopes[1])
    yield Measured("theta_gradient_float32", float(error))


def against_spikegd(directory: str | os.PathLike) -> Iterator[Measured]:
    """Loss and gradient at the published setting, at the cut-off that brings the two nearest."""
    net, data = benchmark.network(np.float64), benchmark.samples()
    value, slope = benchmark.our_gradient(net, data)
    ours = ravel_pytree((slope.weights, slope.initial))[0]
    found = []
    for eps in EPS:
        gradient, arguments = benchmark.their_gradient(directory, net, data, eps)
        loss, (weights, initial) = gradient(*arguments)
        theirs = ravel_pytree(([w.T for w in weights], initial))[0]
        error = float(jnp.linalg.norm(ours - theirs) / jnp.linalg.norm(theirs))
        found.append((abs(float(value / loss - 1)), error))
    yield Measured("mnist_loss_spikegd", min(loss for loss, _ in found))
    yield Measured("mnist_gradient_spikegd", min(error for _, error in found))


@cache
def _benchmark(directory: str) -> dict[str, float]:
    script = Path(__file__).parents[2] / "benchmark.py"
    output = subprocess.run(
        [sys.executable, script, "spikes", "--spikegd", directory],
        check=True,
        text=True,
        stdout=subprocess.PIPE,
    ).stdout
    return parse_values(output)


def cost(directory: str | os.PathLike) -> Iterator[Measured]:
    """Their training step over ours, interleaved, and our temporaries over theirs."""
    values = _benchmark(str(directory))
    for dtype in ("float32", "float64"):
        yield Measured(f"mnist_step_{dtype}", values[f"mnist_speedup/{dtype}/spikegd"])
        yield Measured("mnist_temporaries", values[f"mnist_memory/{dtype}/spikegd"], dtype)
