"""The learning flow: by hand on three cells, conservative, and monotone at every Courant number."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxnlif as jn
from jaxnlif.density import advection
from jaxnlif.density.advection import Courant
from jaxnlif.tridiagonal import mmatrix

from . import _leaky

advect = jax.jit(advection.advect)


@partial(jax.jit, static_argnums=0)
def move_weights(grid, density, rates, rate, strength, dt):
    """With neurons that fire, after a step, as they are many."""
    return _leaky.move_weights(grid, density, rates, rate, strength, dt, grid.weight_density)


def column(*values):
    return jnp.asarray(values)[:, None]


def make_grid(num, low=0.0, high=1.0, voltages=3, dtype=None):
    v = jn.VoltageGrid(0.0, 1.0, reset=1 / voltages, num=voltages, dtype=dtype)
    return jn.Grid(v=v, w=jn.WeightGrid(low, high, num=num))


def test_exchange_computed_by_hand():
    # Learning pushes cells 0 and 1 up and cell 2 down; weights decay towards the inner face 0.
    courant = Courant(column(2.0, 1.0, -3.0), fall=column(0.0, 0.5), rise=column(0.25, 0.0))
    up, down = courant.faces.exchange(column(0.1, 0.2, 0.4))
    np.testing.assert_allclose(up[:, 0], [0.2 + 0.25, 0.2, 0], rtol=1e-6)
    np.testing.assert_allclose(down[:, 0], [0.0, 1.2 + 0.5, 0], rtol=1e-6)


def test_decay_alone_solves_the_linear_system_in_parts(dtype):
    grid = make_grid(3)
    dt = jnp.asarray(2.0)
    density = jnp.asarray([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, 2.0, 0.0]])
    moved, *_ = move_weights(grid, density, jnp.ones(3), jnp.asarray(1.0), jnp.zeros(3), dt)
    fall = 2.0 / (1 / 3) * np.array([1 / 3, 2 / 3])  # Δt/Δw · w at the two inner faces
    decay = (np.diag([0, *fall]) - np.diag(fall, 1)) / 4  # in each of four parts of the step
    parts = np.linalg.inv(np.linalg.matrix_power(np.eye(3) + decay, 4))
    expected = np.asarray(grid.weight_density(density), float) @ parts.T
    found = grid.weight_density(moved)
    np.testing.assert_allclose(found, expected, rtol=20 * np.finfo(dtype).eps, atol=1e-30)


def test_two_cells_solve_the_quadratic_by_hand(dtype):
    # H₀ + α H₀² = 1: all mass in the lower cell, pushed up.
    moved, *_ = advect(Courant(column(6.0, 0.0), column(0.0), column(0.0)), column(1.0, 0.0))
    np.testing.assert_allclose(moved[:, 0], [1 / 3, 2 / 3], rtol=50 * np.finfo(dtype).eps)


def test_no_rate_and_no_decay_leave_everything_in_place(dtype):
    none = Courant(jnp.zeros((4, 1)), jnp.zeros((3, 1)), jnp.zeros((3, 1)))
    weights = column(1.0, 0.0, 2.0, 3.0)
    moved, *_ = advect(none, weights)
    np.testing.assert_array_equal(moved, weights)


@pytest.mark.parametrize(("num", "low"), [(1, 0.0), (2, -1.0), (60, -1.0), (60, 0.0)])
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
                moved, *_ = move_weights(
                    grid, density, rates, *(jnp.asarray(x, dtype) for x in (rate, strength, dt))
                )
                assert np.all(np.isfinite(moved))
                assert np.all(np.asarray(moved) >= 0)
                after = float(np.sum(np.asarray(moved, float)))
                # Two sweeps over the weights.
                assert after == pytest.approx(
                    before, rel=4 * (num + 4) * float(np.finfo(dtype).eps)
                )


def test_what_does_not_converge_says_so_and_stays_below_the_mass():
    """In float32 Newton's steps from this density do not end, and the last two led out of it."""
    rng = np.random.default_rng(28)
    faces = np.linspace(-1.0, 1.2, 21)[1:-1, None] * 1e4
    hebbian = rng.normal(size=(20, 1)) * 1e9 * 10 ** rng.uniform(-3, 1, (20, 1))
    weights = rng.random((20, 1)) * 10 ** rng.uniform(-8, 0, (20, 1))
    courant = Courant(*(np.float32(x) for x in (hebbian, np.maximum(faces, 0), -faces.clip(max=0))))
    moved, _, converged = advect(courant, np.float32(weights))
    assert not converged
    assert np.all(np.asarray(moved) >= 0)
    assert np.all(np.asarray(moved) <= 2 * np.sum(weights))


@pytest.mark.parametrize("number", [1.0, 100.0, 1e4])
def test_the_implicit_equation_is_solved(number, dtype):
    rng = np.random.default_rng(3)
    hebbian, weights = (jnp.asarray(rng.uniform(0, 1, (60, 1)), dtype) for _ in range(2))
    faces = jnp.linspace(0.0, number, 59, dtype=dtype)[:, None]
    for sign in (1, -1):
        courant = Courant(sign * number * hebbian, faces, 0 * faces)
        moved, iterations, converged = advect(courant, weights)
        assert converged
        assert int(iterations) < 50
        assert np.all(np.asarray(moved) >= 0)
        up, down = courant.faces.exchange(moved)
        # A residual of rounding, relative to the largest fluxes.
        residual = mmatrix.apply(jnp.ones(1, dtype), up, down, moved) - weights
        scale = jnp.sum((1 + up + down) * moved)
        assert float(jnp.sum(jnp.abs(residual))) < 64 * np.finfo(dtype).eps * float(scale)


def test_one_weight_does_not_move(dtype):
    grid = make_grid(1)
    density = jnp.asarray([[1.0], [2.0], [3.0]], dtype)
    one, ones = jnp.ones((), dtype), jnp.ones(1, dtype)
    moved, *_ = move_weights(grid, density, ones, one, ones, one)
    np.testing.assert_allclose(moved, density, rtol=4 * np.finfo(dtype).eps)


@pytest.mark.parametrize("number", [2.0, 50.0, 1e4])
def test_a_bump_stays_a_bump(number, dtype):
    # One maximum before, so none may appear, but for what piles up at the closed end.
    grid = make_grid(60)
    w = grid.w.centers
    weights = np.exp(-((w - 0.3) ** 2) / 0.005)
    density = jnp.asarray(np.ones((3, 1)) * weights, dtype)
    h = grid.weight_density(density)
    rates, dt = h, jnp.asarray(0.1, dtype)
    # gain such that the largest Courant number K N N̄ Δt/Δw is `number`
    strength = jnp.full(60, number * grid.weight_spacing / 0.1, dtype) / jnp.max(h)
    for _ in range(4):
        density, *_ = move_weights(grid, density, rates, jnp.asarray(1.0, dtype), strength, dt)
        moved = grid.weight_density(density)
        slopes = np.diff(np.asarray(moved, float))
        slopes = slopes[np.abs(slopes) > 1e3 * np.finfo(dtype).eps * np.max(moved)]
        turns = np.flatnonzero(np.sign(slopes[1:]) != np.sign(slopes[:-1]))
        assert len(turns) <= 2
        rates = moved


def test_empty_cells_fire_without_effect(dtype):
    # A rate left over where no mass is must not become an infinite conditional rate.
    grid = make_grid(60)
    density = jnp.zeros(grid.shape, dtype).at[:, 29].set(1)
    one, ones = jnp.ones((), dtype), jnp.ones(60, dtype)
    moved, *_ = move_weights(grid, density, ones, one, ones, one)
    assert np.all(np.isfinite(moved))
    np.testing.assert_allclose(np.sum(moved), 3.0, rtol=50 * np.finfo(dtype).eps)


def test_monotone_in_the_initial_weights():
    rng = np.random.default_rng(1)
    courant = Courant(*(jnp.asarray(rng.uniform(0, 50, (n, 1))) for n in (20, 19, 19)))
    lower = jnp.asarray(rng.uniform(0, 1, (20, 1)))
    upper = lower + jnp.asarray(rng.uniform(0, 1, (20, 1)) * (rng.uniform(size=(20, 1)) > 0.7))
    difference = advect(courant, upper)[0] - advect(courant, lower)[0]
    assert np.all(np.asarray(difference) >= -1e-12)


def climb(hebbian, weights):
    """Cell by cell, as the flux goes one way: $H_j + α_j H_j^2 = H_j^* + α_{j-1} H_{j-1}^2$."""
    moved, arriving = np.zeros(len(weights)), 0.0
    for j, (alpha, before) in enumerate(zip(hebbian, weights, strict=True)):
        given = before + arriving
        last = j == len(weights) - 1
        moved[j] = given if last else 2 * given / (1 + np.sqrt(1 + 4 * alpha * given))
        arriving = 0.0 if last else alpha * moved[j] ** 2
    return moved


@pytest.mark.parametrize("number", [0.5, 30.0, 3000.0, 3e6])
def test_newton_leads_mass_through_empty_cells(number, dtype):
    weights, hebbian = np.zeros(800), number * (1 + 0.5 * np.sin(np.arange(800)))
    weights[20:60] = 1 + np.cos(np.arange(40.0))
    still = jnp.zeros((799, 1), dtype)
    expected = climb(hebbian, weights)
    for flip in (1, -1):  # and downwards, of which it is the mirror image
        courant = Courant(jnp.asarray(flip * hebbian[::flip, None], dtype), still, still)
        moved, iterations, converged = advect(courant, jnp.asarray(weights[::flip, None], dtype))
        assert converged
        assert int(iterations) < 40
        error = np.sum(np.abs(np.asarray(moved[::flip, 0], float) - expected)) / np.sum(weights)
        assert error < 2e4 * np.finfo(dtype).eps


def test_numbers_that_are_none_end_the_search(dtype):
    nothing = jnp.full((4, 1), jnp.nan, dtype)
    still = jnp.zeros((3, 1), dtype)
    _, iterations, converged = advect(Courant(jnp.ones((4, 1), dtype), still, still), nothing)
    assert int(iterations) < 5
    assert not converged


def test_what_does_not_converge_is_reported(monkeypatch):
    monkeypatch.setattr(advection, "_MAX_ITERATIONS", 2)
    grid = make_grid(40, voltages=4)
    network = jn.Network(drive=2.0, learning=jn.Hebbian(30.0), response=jn.Saturating())
    y0 = jn.gaussian(grid, v=(0.5, 0.1), w=(0.3, 1e-3))
    sol = jn.solve(network, jn.FluxShift(grid), y0=y0, t1=1.0, dt=0.5)
    assert sol.result == jn.Result.weights_not_converged
