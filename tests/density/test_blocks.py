"""Columns in blocks are the columns."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxnlif as jn
from jaxnlif.machine import blocks

from ._leaky import probe_firing, shift_flux


@pytest.mark.parametrize("num", [1, 5, 64, 97])
def test_blocks_change_nothing(num, dtype, monkeypatch):
    grid = jn.VoltageGrid(-4.0, 2.0, reset=1.0, num=24)
    density = jnp.asarray(np.random.default_rng(0).uniform(0, 1, (24, num)), dtype)
    drive = jnp.linspace(-1, 2, num, dtype=dtype)
    kappa, noise = jnp.asarray(10.0, dtype), jnp.asarray(1.0, dtype)
    whole, rates = (f(grid, kappa, drive, noise, density) for f in (shift_flux, probe_firing))
    monkeypatch.setattr(blocks, "_BYTES", 24 * 10 * dtype.itemsize)  # ten columns
    tolerance = {"rtol": 200 * np.finfo(dtype).eps}
    np.testing.assert_allclose(shift_flux(grid, kappa, drive, noise, density), whole, **tolerance)
    np.testing.assert_allclose(probe_firing(grid, kappa, drive, noise, density), rates, **tolerance)


def test_blocks_under_transformations(monkeypatch):
    monkeypatch.setattr(blocks, "_BYTES", 3 * 8 * 4)
    x = jnp.arange(21.0).reshape(3, 7)
    found = jax.jit(lambda x: blocks.in_blocks(lambda _, x: jnp.cumsum(x, 0))((), x))(x)
    np.testing.assert_array_equal(found, jnp.cumsum(x, 0))
    batch = jax.vmap(lambda x: blocks.in_blocks(lambda _, x: 2 * x)((), x))(jnp.stack([x, -x]))
    np.testing.assert_array_equal(batch, jnp.stack([2 * x, -2 * x]))
