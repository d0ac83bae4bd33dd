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


def assert_close(found, expected):
    for one, other in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5)


@pytest.fixture(scope="module")
def expected():
    """Of a drive that is a pytree, in forward mode."""

    def both(height, b):
        value = spikes(jn.Constant(height), b)
        return value, value

    slopes, value = jax.jit(jax.jacfwd(both, (0, 1), has_aux=True))(1.5, -1.0)
    return value, slopes


def test_a_drive_is_differentiated(expected):
    assert_close(slopes(closure)(1.5, -1.0), expected)


def along(drive):
    """The value, and the derivative by both, in forward mode."""
    return lambda height, b: jax.jvp(lambda *x: spikes(drive(x[0]), x[1]), (height, b), (1.0, 2.0))


KINDS = (nested, default, nested_default, bound, method)


@pytest.mark.parametrize("drive", KINDS)
def test_drives_of_every_kind_are_opened(drive):
    """Those that are not raise where they are traced."""
    assert jax.eval_shape(along(drive), 1.5, -1.0)[1].shape == ()


def test_drives_of_every_kind_are_right(expected):
    def mean(height):
        drives = [kind(height) for kind in KINDS]
        return lambda t, w: sum(drive(t, w) for drive in drives) / len(drives)

    value, (by_height, by_weight) = expected
    assert_close(jax.jit(along(mean))(1.5, -1.0), (value, by_height + 2 * by_weight))


def test_batches_and_drives_alone(expected):
    """Whose network has no other value that is traced."""

    def alone(height):
        return jax.jvp(lambda height: spikes(closure(height)), (height,), (1.0,))

    values, derivatives = jax.jit(jax.vmap(alone))(jnp.array([1.5, 1.501]))
    assert_close((values[0], derivatives[0]), (expected[0], expected[1][0]))
    np.testing.assert_allclose(np.diff(values)[0] / 0.001, np.mean(derivatives), rtol=1e-4)


def test_what_is_saved():
    def saved(factor):
        return spikes(1.5, fn=lambda snapshot: factor * snapshot.rate)

    expected = spikes(1.5, fn=lambda snapshot: snapshot.rate)
    assert_close(jax.grad(saved)(2.0), expected)
    assert_close(jax.jit(lambda factor: jax.jvp(saved, (factor,), (1.0,)))(2.0)[1], expected)


def test_an_object_that_hides_a_traced_value_is_refused():
    class Hidden:
        def __init__(self, height):
            self.height = height

        def __call__(self, t, w):
            return jnp.full_like(w, self.height)

    with pytest.raises(ValueError, match=r"model: an object of .*Hidden holds a traced value"):
        jax.grad(lambda height: spikes(Hidden(height)))(1.5)
