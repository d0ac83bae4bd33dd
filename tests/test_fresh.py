"""A run computes with the values that its functions would read now."""

from functools import cache

import jax
import jax.numpy as jnp
import numpy as np

import jaxnlif as jn

GRID = jn.Grid(v=jn.VoltageGrid(-4.0, 2.0, reset=1.0, num=24))
height = 1.0


class Own(jn.AbstractDrive):
    def __call__(self, t, w):
        return jnp.full_like(w, height)


def run(drive, weight=0.5):
    y0, model = jn.gaussian(GRID, v=(-1.0, 0.5)), jn.Network(weight=weight, drive=drive)
    return jn.solve(model, jn.FluxShift(GRID), y0=y0, t1=0.2, dt=0.02).rate


def solved(drive, weight=0.5) -> np.ndarray:
    return np.asarray(run(drive, weight))


@cache
def expected(height, weight=0.5) -> np.ndarray:
    """Made once: a value that is read again has everything compiled again."""
    return solved(jn.Constant(height), weight)


def expected_slope(height) -> float:
    high, low = (expected(height, 0.5 + h)[-1] for h in (1e-4, -1e-4))
    return (high - low) / 2e-4


@jax.jit
def compiled(x):
    return height * x


def test_a_changed_constant_is_read_again(monkeypatch):
    low, high = expected(1.0), expected(3.0)
    cleared = []
    clear = jax.clear_caches
    monkeypatch.setattr(jax, "clear_caches", lambda: (cleared.append(1), clear()))
    swept = jn.sweep(compiled, {"x": [1.0, 2.0]}).values
    first = solved(Own())
    np.testing.assert_array_equal(solved(Own()), first)
    assert not cleared
    np.testing.assert_allclose(first, low, rtol=1e-5)
    monkeypatch.setitem(globals(), "height", 3.0)
    np.testing.assert_allclose(solved(Own()), high, rtol=1e-5)
    assert len(cleared) == 1
    np.testing.assert_array_equal(
        jn.sweep(compiled, {"x": [1.0, 2.0]}).values, 3 * np.asarray(swept)
    )


def slope(drive) -> jax.Array:
    """Where nothing but a derivative traces."""
    return jax.jvp(lambda weight: run(drive, weight)[-1], (0.5,), (1.0,))[1]


def test_for_derivatives_too(monkeypatch):
    low, high = expected_slope(1.0), expected_slope(3.0)
    np.testing.assert_allclose(slope(Own()), low, rtol=1e-5)
    monkeypatch.setitem(globals(), "height", 3.0)
    np.testing.assert_allclose(slope(Own()), high, rtol=1e-5)


class Plain:
    """An object that is no pytree."""

    def __init__(self, height):
        self.height = height

    def __call__(self, t, w):
        return jnp.full_like(w, self.height)


def test_a_changed_attribute_of_a_plain_object_is_read_again():
    drive = Plain(1.0)
    np.testing.assert_allclose(solved(drive), expected(1.0), rtol=1e-5)
    drive.height = 3.0
    np.testing.assert_allclose(solved(drive), expected(3.0), rtol=1e-5)
