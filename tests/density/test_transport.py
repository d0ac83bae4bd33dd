"""The learning flow: by hand on three cells, conservative, and monotone at every Courant number."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

import jaxnlif as jn
from jaxnlif.density import mmatrix, transport
from jaxnlif.density.transport import Courant

from ..conftest import needs_double

move_weights = jax.jit(transport.move_weights, static_argnums=0)
advect = jax.jit(transport.advect)


def column(*values):
    return jnp.asarray(values)[:, None]


def make_grid(num, low=0.0, high=1.0, voltages=3, dtype=None):
    v = jn.VoltageGrid(0.0, 1.0, reset=1 / voltages, num=voltages, dtype=dtype)
    return jn.Grid(v=v, w=jn.WeightGrid(low, high, num=num))


def test_exchange_computed_by_hand():
    # Learning pushes cells 0 and 1 up and cell 2 down; weights decay towards the inner face 0.
    courant = Courant(column(2.0, 1.0, -3.0), fall=column(0.0, 0.5), rise=column(0.25, 0.0))
    up, down = courant.exchange(column(0.1, 0.2, 0.4))
    np.testing.assert_allclose(up[:, 0], [0.2 + 0.25, 0.2, 0], rtol=1e-6)
    np.testing.assert_allclose(down[:, 0], [0.0, 1.2 + 0.5, 0], rtol=1e-6)


def test_decay_alone_solves_the_linear_system(dtype):
    grid = make_grid(3)
    dt = jnp.asarray(2.0)
    density = jnp.asarray([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, 2.0, 0.0]])
    moved, _ = move_weights(grid, density, jnp.ones(3), jnp.asarray(1.0), jnp.zeros(3), dt)
    fall = 2.0 / (1 / 3) * np.array([1 / 3, 2 / 3])  # Δt/Δw · w at the two inner faces
    matrix = np.eye(3) + np.diag([0, *fall]) - np.diag(fall, 1)
    expected = np.linalg.solve(matrix, np.asarray(density, float).T).T
    np.testing.assert_allclose(moved, expected, rtol=20 * np.finfo(dtype).eps, atol=1e-30)


def test_two_cells_solve_the_quadratic_by_hand(dtype):
    # H₀ + α H₀² = 1: all mass in the lower cell, pushed up.
    moved, _ = advect(Courant(column(6.0, 0.0), column(0.0), column(0.0)), column(1.0, 0.0))
    np.testing.assert_allclose(moved[:, 0], [1 / 3, 2 / 3], rtol=50 * np.finfo(dtype).eps)


def test_no_rate_and_no_decay_leave_everything_in_place(dtype):
    none = Courant(jnp.zeros((4, 1)), jnp.zeros((3, 1)), jnp.zeros((3, 1)))
    weights = column(1.0, 0.0, 2.0, 3.0)
    moved, _ = advect(none, weights)
    np.testing.assert_array_equal(moved, weights)


@pytest.mark.parametrize("num", [1, 2, 60])
@pytest.mark.parametrize("low", [-1.0, 0.0])
def test_mass_and_sign_at_every_courant_number(num, low, dtype):
    grid = make_grid(num, low)
    rng = np.random.default_rng(0)
    density = jnp.asarray(rng.uniform(0, 1, grid.shape) * (rng.uniform(size=num) > 0.4), dtype)
    weights = grid.weight_density(density)
    rates = weights * jnp.asarray(rng.uniform(0, 3, num), dtype)
    before = float(np.sum(np.asarray(density, float)))
    for gain in (0.0, 0.3, -0.3, 1e4, -1e4):
        for rate in (0.0, 1.0, 1e3):
            for dt in (1e-6, 1.0, 1e6):
                strength = jnp.full(num, gain, dtype)
                moved, _ = move_weights(
                    grid, density, rates, *(jnp.asarray(x, dtype) for x in (rate, strength, dt))
                )
                assert np.all(np.isfinite(moved))
                assert np.all(np.asarray(moved) >= 0)
                after = float(np.sum(np.asarray(moved, float)))
                # Two sweeps over the weights.
                assert after == pytest.approx(
                    before, rel=4 * (num + 4) * float(np.finfo(dtype).eps)
                )


@pytest.mark.parametrize("number", [1.0, 100.0, 1e4])
def test_the_implicit_equation_is_solved(number, dtype):
    rng = np.random.default_rng(3)
    hebbian, weights = (jnp.asarray(rng.uniform(0, 1, (60, 1)), dtype) for _ in range(2))
    faces = jnp.linspace(0.0, number, 59, dtype=dtype)[:, None]
    for sign in (1, -1):
        courant = Courant(sign * number * hebbian, faces, 0 * faces)
        moved, iterations = advect(courant, weights)
        assert int(iterations) < 100
        assert np.all(np.asarray(moved) >= 0)
        up, down = courant.exchange(moved)
        # A residual of rounding, relative to the largest fluxes.
        residual = mmatrix.apply(jnp.ones(1, dtype), up, down, moved) - weights
        scale = jnp.sum((1 + up + down) * moved)
        assert float(jnp.sum(jnp.abs(residual))) < 64 * np.finfo(dtype).eps * float(scale)


def test_one_weight_does_not_move(dtype):
    grid = make_grid(1)
    density = column(1.0, 2.0, 3.0)
    moved, _ = move_weights(
        grid, density, jnp.ones(1), jnp.asarray(1.0), jnp.ones(1), jnp.asarray(1.0)
    )
    np.testing.assert_allclose(moved, density, rtol=4 * np.finfo(dtype).eps)


@pytest.mark.parametrize("number", [2.0, 50.0, 1e4])
def test_a_bump_stays_a_bump(number, dtype):
    # One maximum before, so none may appear, but for what piles up at the closed end.
    grid = make_grid(200)
    w = grid.w.centers
    weights = np.exp(-((w - 0.3) ** 2) / 0.005)
    density = jnp.asarray(np.ones((3, 1)) * weights, dtype)
    h = grid.weight_density(density)
    rates, dt = h, jnp.asarray(0.1, dtype)
    # gain such that the largest Courant number K N N̄ Δt/Δw is `number`
    strength = jnp.full(200, number * grid.weight_spacing / 0.1, dtype) / jnp.max(h)
    for _ in range(4):
        density, _ = move_weights(grid, density, rates, jnp.asarray(1.0, dtype), strength, dt)
        moved = grid.weight_density(density)
        slopes = np.diff(np.asarray(moved, float))
        slopes = slopes[np.abs(slopes) > 1e3 * np.finfo(dtype).eps * np.max(moved)]
        turns = np.flatnonzero(np.sign(slopes[1:]) != np.sign(slopes[:-1]))
        assert len(turns) <= 2
        rates = moved


def test_empty_cells_fire_without_effect(dtype):
    # A rate left over where no mass is must not become an infinite conditional rate.
    grid = make_grid(5)
    density = jnp.zeros(grid.shape, dtype).at[:, 2].set(1)
    moved, _ = move_weights(
        grid, density, jnp.ones(5), jnp.asarray(1.0), jnp.ones(5), jnp.asarray(1.0)
    )
    assert np.all(np.isfinite(moved))
    np.testing.assert_allclose(np.sum(moved), 3.0, rtol=50 * np.finfo(dtype).eps)


@needs_double
def test_monotone_in_the_initial_weights():
    rng = np.random.default_rng(1)
    courant = Courant(*(jnp.asarray(rng.uniform(0, 50, (n, 1))) for n in (20, 19, 19)))
    lower = jnp.asarray(rng.uniform(0, 1, (20, 1)))
    upper = lower + jnp.asarray(rng.uniform(0, 1, (20, 1)) * (rng.uniform(size=(20, 1)) > 0.7))
    difference = advect(courant, upper)[0] - advect(courant, lower)[0]
    assert np.all(np.asarray(difference) >= -1e-12)


@needs_double
@pytest.mark.parametrize("dt", [0.1, 50.0])
def test_derivatives_in_both_modes(dt):
    grid = make_grid(6, -0.5, 1.0)
    rng = np.random.default_rng(2)
    density, rates = (jnp.asarray(rng.uniform(0.2, 1, s)) for s in (grid.shape, 6))
    strength = jnp.asarray([0.3, -0.2, 0.5, 0.1, -0.4, 0.3])

    def moved(*arguments):
        return move_weights(grid, *arguments)[0]

    arguments = density, rates, jnp.asarray(0.7), strength, jnp.asarray(dt)
    check_grads(moved, arguments, order=1, modes=("fwd", "rev"), rtol=1e-6)
