"""Neurons from a density: moments, apportionment, order, extreme densities."""

import equinox as eqx
import jax
import numpy as np
import pytest

import jaxnlif as jn
from jaxnlif.particles import sampling
from jaxnlif.particles.histogram import deposit

stratified = eqx.filter_jit(sampling.stratified)


def line(num=60, dtype=None):
    return jn.Grid(v=jn.VoltageGrid(-4.0, 2.0, reset=1.0, num=num, dtype=dtype))


def plane():
    return jn.Grid(v=line().v, w=jn.WeightGrid(-1.0, 1.0, num=7))


def moments(grid, density):
    p = np.asarray(density, float)[:, 0] * grid.v.spacing
    nodes = np.asarray(grid.v.nodes, float)
    mean = p @ nodes
    return mean, p @ (nodes - mean) ** 2


@pytest.mark.parametrize("seed", range(3))
def test_moments_to_one_over_the_number(seed, dtype):
    grid, num = line(300, dtype), 10_000
    density = jn.gaussian(grid, v=(-1.0, 0.5))
    v, w = stratified(grid, density, num, jax.random.key(seed))
    v = np.asarray(v, float)
    mean, variance = moments(grid, density)
    # Linear interpolation adds h²/6 to the variance. Independent draws would err by 0.007.
    assert w is None
    assert abs(v.mean() - mean) <= 6 / num
    assert abs(v.var() - variance - grid.v.spacing**2 / 6) <= 10 / num
    assert np.all(np.diff(v) >= 0)


def test_the_wall_and_the_threshold():
    grid, num = line(6), 60_000
    flat = jn.normalise(grid, np.ones((6, 1)))
    v, _ = stratified(grid, flat, num, jax.random.key(0))
    counts, _ = np.histogram(np.asarray(v), [-4.5, -4, -3, -2, -1, 0, 1, 1.5, 2])
    np.testing.assert_allclose(
        counts / num, np.array([1 / 2, 1, 1, 1, 1, 1, 3 / 8, 1 / 8]) / 6, atol=2 / num
    )


def test_every_weight_gets_its_share():
    grid, num = plane(), 1000
    density = jn.gaussian(grid, v=(-1.0, 0.5), w=(0.2, 0.1))
    v, w = stratified(grid, density, num, jax.random.key(0))
    share = np.asarray(grid.weight_density(density), float) * grid.weight_spacing
    counts = [(np.asarray(w) == x).sum() for x in np.asarray(grid.w.centers, grid.dtype)]
    assert np.all(np.abs(counts - share * num) <= 1 + 1e-3)
    middle = np.asarray(v, float)[np.asarray(w) == grid.w.centers[4].astype(grid.dtype)]
    assert abs(middle.mean() + 1) <= 5 / middle.size


@pytest.mark.parametrize("num", [2, 1000])
def test_neurons_that_all_sit_at_the_reset(num):
    grid = plane()
    atoms = np.zeros(grid.shape)
    atoms[grid.v.reset_index, [0, 3, 6]] = 1, 2, 1
    v, w = stratified(grid, jn.normalise(grid, atoms), num, jax.random.key(1))
    assert np.all(np.abs(np.asarray(v) - 1) <= grid.v.spacing * (1 + 1e-6))
    assert set(np.asarray(w)) <= set(np.asarray(grid.w.centers, grid.dtype)[[0, 3, 6]])


def test_densities_over_many_orders_of_magnitude():
    grid = line(600)
    exponents = np.linspace(-40, 0, 600)[:, None]
    v, _ = stratified(grid, jn.normalise(grid, 10.0**exponents), 1000, jax.random.key(0))
    assert np.all(np.isfinite(v))
    assert np.all((np.asarray(v) > -4.1) & (np.asarray(v) < 2))


def test_a_density_comes_back(dtype):
    grid, num = line(60, dtype), 100_000
    density = jn.gaussian(grid, v=(-1.0, 0.5))
    v, _ = stratified(grid, density, num, jax.random.key(0))
    again = np.asarray(deposit(grid, v, None), float)
    # Two linear interpolations smooth by h²/3 times half the curvature, at most 1.6 here.
    assert np.max(np.abs(again - np.asarray(density))) <= grid.v.spacing**2 / 3 * 0.8 + 1e-3
