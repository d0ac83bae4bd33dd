"""Columns in blocks are the columns."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxnlif as jn
from jaxnlif.machine import blocks

from ._leaky import probe_firing, shift_flux


@partial(jax.jit, static_argnames=("grid", "size"))
def moved_and_rates(grid, drive, density, size):
    """`size`, the bytes of a block, tells programs of different blocks apart."""
    one = jnp.ones((), density.dtype)
    arguments = grid, 10 * one, drive, one, density
    return shift_flux(*arguments), probe_firing(*arguments)


@pytest.mark.parametrize(
    ("num", "dtype"),
    [(1, np.float64), (5, np.float32), (64, np.float64), (97, np.float32)],
    indirect=["dtype"],
)
def test_blocks_change_nothing(num, dtype, monkeypatch):
    grid = jn.VoltageGrid(-4.0, 2.0, reset=1.0, num=24)
    density = jnp.asarray(np.random.default_rng(0).uniform(0, 1, (24, num)), dtype)
    drive = jnp.linspace(-1, 2, num, dtype=dtype)
    whole = moved_and_rates(grid, drive, density, blocks._BYTES)
    monkeypatch.setattr(blocks, "_BYTES", 24 * 10 * dtype.itemsize)  # ten columns
    found = moved_and_rates(grid, drive, density, blocks._BYTES)
    for one, other in zip(found, whole, strict=True):
        np.testing.assert_allclose(one, other, rtol=200 * np.finfo(dtype).eps)


def test_blocks_under_transformations(monkeypatch):
    monkeypatch.setattr(blocks, "_BYTES", 3 * 8 * 8)
    x = jnp.arange(57.0).reshape(3, 19)

    def summed(factor, x):
        return blocks.in_blocks(lambda _, factor, x: factor[None] * jnp.cumsum(x, 0))((), factor, x)

    factor = jnp.arange(19.0)
    expected = factor[None] * jnp.cumsum(x, 0)
    np.testing.assert_array_equal(jax.jit(summed)(factor, x), expected)
    batch = jax.vmap(summed, (None, 0))(factor, jnp.stack([x, -x]))
    np.testing.assert_array_equal(batch, jnp.stack([expected, -expected]))
