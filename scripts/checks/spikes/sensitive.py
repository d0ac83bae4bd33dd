"""Gradients of recurrent theta networks with strong random weights, in both precisions.

Such networks are chaotic: gradients reach 10¹⁰, and the smaller the steps of differences must be,
the more rounding there is in them. A network is compared where the loss is smooth across the step
as far as differences can tell: no neuron makes more or fewer spikes, pseudorates that agree are
found at both ends, and differences of two steps are equal to `TOLERANCE`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from _report import Measured

from jaxnlif.spikes import InputSpikes, Recurrent, Theta

SIZES = {8: 700, 16: 800, 32: 500}
"""Networks of each number of neurons."""

INPUTS, SPIKES, OUTPUTS, DURATION = 11, 14, 4, 7.0
STEPS = 1e-4 / 4.0 ** np.arange(9)
TOLERANCE = 1e-6


class Found(NamedTuple):
    """Of all networks of a size: losses, gradients in one row, spikes, whether rates agree."""

    loss: np.ndarray
    slope: np.ndarray
    counts: np.ndarray
    consistent: np.ndarray


def _draw(n: int, num: int) -> tuple[tuple[np.ndarray, ...], np.ndarray]:
    """Weights, input weights, input times and phases, which single precision has, and sources."""
    rng = np.random.default_rng(n)
    scale = rng.uniform(1, 5, (num, 1, 1))
    values = (
        scale * rng.normal(size=(num, n, n)),
        scale * rng.normal(size=(num, n, INPUTS)),
        np.sort(rng.uniform(0.01, DURATION - 0.01, (num, SPIKES)), axis=-1),
        rng.uniform(0.01, 5.99, (num, n)),
    )
    sources = rng.integers(0, INPUTS, (num, SPIKES))
    return tuple(x.astype(np.float32) for x in values), sources


def _loss(values, sources):
    """A random linear function of the output times."""
    weights, input_weights, times, phases = values
    dtype = weights.dtype
    neuron = Theta(jnp.asarray(6 / np.pi, dtype), jnp.asarray(1.25, dtype))
    room = {"outputs": range(OUTPUTS), "max_spikes": 3, "max_events": 600}
    net = Recurrent(neuron, weights, input_weights, (phases,), **room)
    trial = net.trial(InputSpikes(times, sources), duration=jnp.asarray(DURATION, dtype))
    factors = np.random.default_rng(3).normal(size=trial.times.shape)
    loss = jnp.sum(jnp.asarray(factors, dtype) * trial.times)
    return loss, (trial.num_spikes, trial.consistent)


@jax.jit
def _all(values, sources):
    one = jax.value_and_grad(_loss, has_aux=True)
    return jax.lax.map(lambda x: one(*x), (values, sources))


def _evaluate(values, sources) -> Found:
    (loss, (counts, consistent)), slopes = _all(values, sources)
    return Found(*map(np.asarray, (loss, _flat(slopes), counts, consistent)))


def _flat(values) -> np.ndarray:
    return np.concatenate([np.asarray(x, float).reshape(len(x), -1) for x in values], axis=1)


def _moved(values, direction: np.ndarray) -> tuple[np.ndarray, ...]:
    """The parameters with a row of changes for each network."""
    moved, begin = [], 0
    for x in values:
        size = x[0].size
        moved.append(x + direction[:, begin : begin + size].reshape(x.shape))
        begin += size
    return tuple(moved)


def gradients() -> Iterator[Measured]:
    """All networks: finite gradients, and how far they are from differences."""
    broken = dict.fromkeys(("float32", "float64"), 0)
    alone = dict.fromkeys(broken, 0)
    errors, rounded = [], []
    for n, num in SIZES.items():
        single, sources = _draw(n, num)
        double = tuple(x.astype(float) for x in single)
        found = {"float32": _evaluate(single, sources), "float64": _evaluate(double, sources)}
        for dtype, one in found.items():
            finite = np.isfinite(one.loss)
            broken[dtype] += int(np.sum(finite & ~np.isfinite(one.slope).all(axis=1)))
            broken[dtype] += int(np.sum(~finite))  # nothing here overflows
            alone[dtype] += int(np.sum(~one.consistent))
        errors.append(_against_differences(double, sources, found["float64"]))
        rounded.append(_against_double(double, sources, found["float32"], found["float64"]))
    for dtype in broken:
        yield Measured("random_gradients_not_finite", broken[dtype], dtype)
        yield Measured("random_inconsistent", alone[dtype], dtype)
    error = np.concatenate(errors)
    compared = np.isfinite(error)
    yield Measured("random_gradients", float(error[compared].max()), "float64")
    yield Measured("random_compared", float(np.mean(compared)), "float64")
    error = np.concatenate(rounded)
    compared = np.isfinite(error)
    yield Measured("random_float32_gradients", float(np.median(error[compared])), "median")
    yield Measured("random_float32_gradients", float(np.quantile(error[compared], 0.99)), "99 %")
    yield Measured("random_compared", float(np.mean(compared)), "float32")


def _against_differences(values, sources, found: Found) -> np.ndarray:
    """Errors of slopes in a random direction, relative to gradients; NaN where not smooth."""
    direction = np.random.default_rng(1).normal(size=found.slope.shape)
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    smallest, best = np.full(len(direction), np.inf), np.full(len(direction), np.nan)
    last, also = np.full(len(direction), np.nan), np.zeros(len(direction), bool)
    for step in STEPS:
        ends = [_evaluate(_moved(values, k * step * direction), sources) for k in (1, -1)]
        slope = (ends[0].loss - ends[1].loss) / (2 * step)
        smooth = found.consistent.copy()
        for end in ends:
            smooth &= end.consistent & (end.counts == found.counts).all(axis=1)
        differ = np.abs(slope - last) / np.abs(slope)
        better = smooth & also & (differ < smallest)
        smallest = np.where(better, differ, smallest)
        best = np.where(better, (16 * slope - last) / 15, best)  # without the error of order 2
        last, also = slope, smooth
    error = np.abs(np.sum(found.slope * direction, axis=1) - best)
    error /= np.linalg.norm(found.slope, axis=1)
    return np.where(smallest < TOLERANCE, error, np.nan)


def _against_double(values, sources, single: Found, double: Found) -> np.ndarray:
    """Errors in float32, over what rounding its parameters once changes; NaN where not smooth."""
    rng, eps = np.random.default_rng(2), np.finfo(np.float32).eps
    change, smooth = np.zeros(len(double.loss)), single.consistent & double.consistent
    smooth &= (single.counts == double.counts).all(axis=1)
    for _ in range(4):
        noise = eps * rng.choice([-1, 1], double.slope.shape) * np.abs(_flat(values))
        other = _evaluate(_moved(values, noise), sources)
        smooth &= other.consistent & (other.counts == double.counts).all(axis=1)
        change = np.maximum(change, np.linalg.norm(other.slope - double.slope, axis=1))
    change += eps * np.linalg.norm(double.slope, axis=1)
    error = np.linalg.norm(single.slope - double.slope, axis=1) / change
    return np.where(smooth, error, np.nan)
