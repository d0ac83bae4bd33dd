"""Drives and saved functions that close over values by which a run is differentiated."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxnlif as jn

GRID = jn.Grid(v=jn.VoltageGrid(-4.0, 2.0, reset=1.0, num=24))


def spikes(drive, weight=-1.0, fn=None):
    y0 = jn.gaussian(GRID, v=(0.0, 0.5))
    model, saveat = jn.Network(drive=drive, weight=weight), jn.SaveAt(num=3, fn=fn)
    sol = jn.solve(model, jn.FluxShift(GRID), y0=y0, t1=0.5, dt=0.02, saveat=saveat)
    return sol.spikes[-1] if fn is None else sol.saved[-1]


def closure(height):
    return lambda t, w: jnp.full_like(w, height)


def nested(height):
    inner = closure(height)
    return lambda t, w: inner(t, w)


def default(height):
    return lambda t, w, height=height: jnp.full_like(w, height)


def nested_default(height):
    inner = closure(height)
    return lambda t, w, inner=inner: inner(t, w)


def bound(height):
    return partial(lambda height, t, w: jnp.full_like(w, height), height)


def method(height):
    return jn.Constant(height).__call__


def slopes(drive):
    return jax.value_and_grad(lambda height, b: spikes(drive(height), b), (0, 1))


@pytest.fixture(scope="module")
def expected():
    """Of a drive that is a pytree."""
    return slopes(jn.Constant)(1.5, -1.0)


@pytest.mark.parametrize("drive", [closure, nested, default, nested_default, bound, method])
def test_drives(drive, expected):
    for found in (slopes(drive)(1.5, -1.0), jax.jit(slopes(drive))(1.5, -1.0)):
        for one, other in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-5)


def test_batches_and_drives_alone(expected):
    heights = jnp.array([1.0, 2.0])
    found = jax.vmap(lambda height: spikes(closure(height)))(heights)
    one_by_one = [spikes(jn.Constant(float(height))) for height in heights]
    np.testing.assert_allclose(found, one_by_one, rtol=1e-5)
    alone = jax.grad(lambda height: spikes(closure(height)))(1.5)
    np.testing.assert_allclose(alone, expected[1][0], rtol=1e-5)


def test_what_is_saved():
    def saved(factor):
        return spikes(1.5, fn=lambda snapshot: factor * snapshot.rate)

    expected = spikes(1.5, fn=lambda snapshot: snapshot.rate)
    for found in (jax.grad(saved)(2.0), jax.jit(jax.grad(saved))(2.0)):
        np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_an_object_that_hides_a_traced_value_is_refused():
    class Hidden:
        def __init__(self, height):
            self.height = height

        def __call__(self, t, w):
            return jnp.full_like(w, self.height)

    with pytest.raises(ValueError, match=r"model: an object of .*Hidden holds a traced value"):
        jax.grad(lambda height: spikes(Hidden(height)))(1.5)
