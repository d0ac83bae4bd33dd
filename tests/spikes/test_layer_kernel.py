"""The kernels of a layer are its loops."""

from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnlif import execution
from jaxnlif.execution import AbstractExecution, Loops
from jaxnlif.spikes import layer, layer_kernel

from ..conftest import needs_double, needs_kernels

END, ROWS, SPIKES = 9.0, 7, 5
LOOPS = Loops()


def arguments(dtype, *, events=40, samples=3, neurons=130, seed=0):
    """Strong weights, which need normalisation; a sample without events, one with half of them."""
    rng = np.random.default_rng(seed)
    weights = jnp.asarray(rng.normal(0.1, 3, (ROWS, neurons)), dtype)
    rows = rng.integers(0, ROWS, (events, samples))
    times = np.sort(rng.uniform(0, END, (events, samples)), axis=0)
    for sample, last in ((0, 0), (1, events // 2))[:samples]:
        rows[last:, sample], times[last:, sample] = ROWS, END
    start = jnp.asarray(rng.uniform(0, np.pi, neurons), dtype)
    return weights, jnp.asarray(rows), jnp.asarray(times, dtype), start, jnp.asarray(END, dtype)


class Interpreted(AbstractExecution):
    """Kernels without a GPU, with room for so many numbers of the way back."""

    room: int = 2**26

    def __call__(self, *arguments, loops, log_depth=None, kernel=None):
        more = {"room": self.room} if kernel is layer_kernel.run_back else {}
        return kernel(*arguments, interpret=True, **more)


def value_and_cotangents(weights, rows, times, start, end, execution=LOOPS):
    """What a layer does, and the gradient of some function of it."""

    def function(weights, times, start, end):
        result = layer.simulate(weights, rows, times, start, end, SPIKES, execution)
        finite = jnp.where(jnp.isfinite(result.times), result.times, 0)
        value = jnp.sum(jnp.sin(finite)) + jnp.sum(result.cos + 2 * result.sin)
        return value, result

    gradient = jax.grad(function, (0, 1, 2, 3), has_aux=True)
    return gradient(weights, times, start, end)


@cache
def by(way):
    """That function, compiled once, with a layer executed one way."""
    return jax.jit(partial(value_and_cotangents, execution=way))


def assert_same(found, expected, dtype):
    tolerance = 1e-10 if dtype == np.float64 else 2e-3
    for one, other in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        largest = np.max(np.abs(other), where=np.isfinite(other), initial=1)
        np.testing.assert_allclose(one, other, rtol=tolerance, atol=tolerance * largest)


def precisions(others, *values):
    """The `dtype` that each of these values is tried in."""
    dtypes = {"float64": np.float64, "float32": np.float32}
    return pytest.mark.parametrize(
        ("dtype", others), [(dtypes[name], value) for name, value in values], indirect=["dtype"]
    )


ALL, TWO, ONE = 2**26, 40 * 256 * 2, 1


@precisions("room", ("float64", ALL), ("float32", ALL), ("float64", TWO), ("float32", ONE))
def test_values_and_gradients(dtype, room):
    """For all samples at once, for two at a time, and one by one."""
    inputs = arguments(dtype)
    expected = by(LOOPS)(*inputs)
    assert float(jnp.max(expected[1].count)) >= 3
    assert_same(by(Interpreted(room))(*inputs), expected, dtype)


@needs_double
def test_without_any_event(dtype):
    inputs = arguments(dtype, events=4, samples=1, neurons=3)
    assert_same(by(Interpreted())(*inputs), by(LOOPS)(*inputs), dtype)


@precisions("axes", ("float64", (None, 0, 0, None, None)), ("float32", (0, 0, 0, 0, None)))
def test_mapped(dtype, axes):
    """Over samples alone, and over networks too."""
    several = [arguments(dtype, events=6, neurons=5, seed=seed) for seed in range(2)]
    inputs = [
        several[0][i] if axis is None else jnp.stack([one[i] for one in several])
        for i, axis in enumerate(axes)
    ]
    found, expected = (jax.vmap(by(way), axes)(*inputs) for way in (Interpreted(), LOOPS))
    assert_same(found, expected, dtype)


def test_a_gpu_gets_kernels(dtype):
    """One each way and no loop: seen without a GPU."""
    traced = by(execution.Kernels()).trace(*arguments(dtype))
    program = traced.lower(lowering_platforms=("cuda",)).as_text()
    assert program.count("custom_call @mosaic_gpu") == 2
    assert "stablehlo.while" not in program


@needs_kernels
@pytest.mark.parametrize("samples", [3, 1000])
def test_on_a_gpu(dtype, samples):
    inputs = arguments(dtype, samples=samples)
    found, expected = (by(way)(*inputs) for way in (execution.Kernels(), LOOPS))
    assert_same(found, expected, dtype)
