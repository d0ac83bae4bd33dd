"""A batch of runs is the runs, and steps all their columns together."""

from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxnlif as jn

GIVEN = np.array([0.5, 1.0, 2.0]), np.array([0.8, 1.0, 1.3]), np.array([0.5, -0.5, 0.2])
KINDS = {
    "lagged": lambda grid: jn.FluxShift(grid),
    "implicit": lambda grid: jn.FluxShift(grid, jn.Implicit()),
    "levels": lambda grid: jn.FluxShift(grid, execution=jn.execution.LogDepth()),
}


@cache
def rate_of(kind, **model):
    grid = jn.Grid(v=jn.VoltageGrid(-4.0, 2.0, reset=1.0, num=12))
    y0 = jn.gaussian(grid, v=(-1.0, 0.5))

    def rate(drive, noise, weight):
        network = jn.Network(drive=drive, noise=noise, weight=weight, **model)
        saveat = jn.SaveAt(num=2, fn=None)
        return jn.solve(network, KINDS[kind](grid), y0=y0, t1=0.3, dt=0.05, saveat=saveat).rate[-1]

    return rate


@cache
def batch_of(kind):
    return jax.jit(jax.vmap(rate_of(kind)))


def members(rate):
    """The rate of each run by itself, and its derivatives by each number."""
    # In forward mode, which compiles in less time; other tests compare it with reverse mode.
    one = jax.jit(lambda given, along: jax.jvp(rate, given, along))
    axes = tuple(map(tuple, np.eye(3)))
    found = [[one(given, along) for along in axes] for given in zip(*GIVEN, strict=True)]
    values, slopes = np.moveaxis(np.array(found), -1, 0)
    return values[:, 0], slopes.T


@pytest.mark.parametrize("kind", KINDS)
def test_values_and_derivatives_of_a_batch_are_those_of_its_members(kind):
    rate, batch = rate_of(kind), batch_of(kind)
    values, slopes = members(rate)
    np.testing.assert_allclose(batch(*GIVEN), values, rtol=1e-12)

    def total(*given):
        return jnp.sum(batch(*given))

    # Two kinds are differentiated before they become a batch, and one after that.
    if kind == "implicit":
        found = jax.jit(jax.grad(total, (0, 1, 2)))(*GIVEN)
    else:
        found = jax.jit(jax.vmap(jax.grad(rate, (0, 1, 2))))(*GIVEN)
    np.testing.assert_allclose(found, slopes, rtol=1e-9)
    if kind == "lagged":
        _, forward = jax.jvp(batch, GIVEN, tuple(np.ones((3, 3))))
        np.testing.assert_allclose(forward, sum(slopes), rtol=1e-9)


@pytest.mark.parametrize("model", [{"refractory": 0.1}, {"delay": 0.1}], ids=["rest", "delay"])
def test_batches_of_networks_with_a_memory(model):
    rate = rate_of("lagged", **model)
    batch = jax.jit(jax.vmap(jax.value_and_grad(rate)))(*GIVEN)
    values, slopes = members(rate)
    np.testing.assert_allclose(batch, (values, slopes[0]), rtol=1e-9)


def test_all_members_are_swept_together():
    """As one density with so many columns: seen in the program."""
    assert "tensor<12x3xf64>" in batch_of("lagged").lower(*GIVEN).as_text()


def test_batches_of_batches():
    drives, nested = np.array([0.5, 1.5]), jax.vmap(rate_of("lagged"), (None, 0, 0))
    nested = jax.jit(jax.vmap(nested, (0, None, None)))(drives, *GIVEN[1:])
    expected = [batch_of("lagged")(np.full(3, drive), *GIVEN[1:]) for drive in drives]
    np.testing.assert_allclose(nested, expected, rtol=1e-12)
