"""The density of neurons: mass, means, ends of the grid."""

import equinox as eqx
import numpy as np

import jaxnlif as jn
from jaxnlif.particles import histogram

deposit, weight_counts = map(eqx.filter_jit, (histogram.deposit, histogram.weight_counts))


def line(dtype=None):
    return jn.Grid(v=jn.VoltageGrid(-4.0, 2.0, reset=1.0, num=12, dtype=dtype))


def test_by_hand(dtype):
    v = np.asarray([-9.0, -3.875, 1.0, 1.75, 2.5], dtype)
    mass = np.asarray(deposit(line(dtype), v, None))[:, 0] * 0.5
    expected = np.zeros(12)
    expected[[0, 1, 10, 11]] = 1 + 0.75, 0.25, 1, 2
    np.testing.assert_allclose(mass, expected / 5, rtol=1e-6)


def test_mass_is_the_fraction_that_is_present(dtype):
    v = np.linspace(-4.5, 2.5, 999, dtype=dtype)
    grid = line(dtype)
    present = np.arange(999) % 3 > 0
    for mask, expected in ((None, 1), (present, 2 / 3), (present & False, 0)):
        mass = float(grid.mass(deposit(grid, v, None, mask)))
        assert abs(mass - expected) <= 4 * float(np.finfo(dtype).eps)


def test_the_mean_is_kept(dtype):
    v = np.linspace(-3.9, 1.4, 999, dtype=dtype)
    grid = line(dtype)
    mean = np.sum(np.asarray(deposit(grid, v, None))[:, 0] * grid.v.nodes) * 0.5
    assert abs(mean - np.mean(v)) <= 1e-5


def test_cells_of_weights(dtype):
    grid = jn.Grid(v=line(dtype).v, w=jn.WeightGrid(0.0, 1.0, num=2))
    w = np.asarray([0.0, 0.25, 0.5, 1.0], dtype)
    counts = weight_counts(grid, w, np.asarray([True, False, True, True]))
    np.testing.assert_array_equal(counts, [1, 2])
    density = deposit(grid, np.ones(4, dtype), w)
    np.testing.assert_allclose(grid.weight_density(density), [1.0, 1.0], rtol=1e-6)
