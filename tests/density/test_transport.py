"""The learning flow: by hand on three cells, conservative, and monotone at every Courant number."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

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
    up, down = courant.exchange(column(0.1, 0.2, 0.4))
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
        up, down = courant.exchange(moved)
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


# ---- fronts -------------------------------------------------------------------------------------


SPEED = 1 + 0.8 * np.sin(np.arange(100))


@partial(jax.jit, static_argnums=0)
def step(grid, speed, density, rates, strength, dt):
    """Neurons in cell j fire at the rate of that cell."""

    def firing(columns):
        return speed * grid.weight_density(columns)

    one = jnp.ones((), grid.dtype)
    moved = _leaky.move_weights(grid, density, rates, one, strength, dt, firing).density
    return moved, firing(moved)


def enter(resting=0.0, *, flip=1, steps=1, dtype=None):
    """A block of mass that enters cells that are empty but for a little that does not fire.

    Decay is next to nothing.
    """
    grid = make_grid(100, low=-0.5, high=0.5, dtype=dtype)
    shares = np.full(100, resting)
    shares[10:30] = 1.0
    speed = jnp.asarray(SPEED[::flip], dtype)
    density = jnp.asarray(np.outer(np.ones(3), shares)[:, ::flip], dtype)
    rates = jnp.where(density[0] > 0.5, speed * grid.weight_density(density), 0)
    dt, strength = jnp.asarray(1e-6, dtype), jnp.full(100, flip * 3e5, dtype)
    for _ in range(steps):
        density, rates = step(grid, speed, density, rates, strength, dt)
    return np.asarray(grid.weight_density(density), float)[::flip]


def test_a_front_goes_as_far_as_its_neurons_carry_it(dtype):
    expected = np.zeros(100)
    expected[10:30] = 1.0
    for _ in range(4):  # parts of the step
        expected = climb(0.25 * 1e-6 * 3e5 * 100 * SPEED, expected)
    np.testing.assert_allclose(enter(dtype=dtype), expected, atol=1e-3)


@pytest.mark.parametrize("resting", [1e-30, 1e-15, 1e-6])
def test_neurons_at_rest_stop_no_front(resting, dtype):
    np.testing.assert_allclose(enter(resting, dtype=dtype), enter(dtype=dtype), atol=1e-3)


def test_fronts_go_down_as_they_go_up(dtype):
    tolerance = 1e3 * np.finfo(dtype).eps
    np.testing.assert_allclose(
        enter(flip=-1, steps=3, dtype=dtype), enter(steps=3, dtype=dtype), atol=tolerance
    )


def test_a_front_does_not_depend_on_the_unit_of_weight():
    # In a unit of an eighth weights and faces are 8 times as many, densities and rates by weight
    # an eighth; that is exact.
    given = make_grid(12, -0.5, 1.0), make_grid(12, -4.0, 8.0)
    shares = jnp.ones((3, 12)).at[:, 4:].set(0).at[0, 4:6].set(0.12)
    speed = 1 + 0.8 * jnp.sin(jnp.arange(12.0))

    def moved(grid, unit):
        density = shares / unit

        def firing(columns):
            return speed * columns[1] * grid.v.spacing

        rate, strength, dt = jnp.asarray(0.7), jnp.full(12, 60.0 * unit**2), jnp.asarray(0.1)
        flow = firing(density), rate, strength, dt, firing
        return unit * _leaky.move_weights(grid, density, *flow).density

    own, other = (jax.jit(partial(moved, *x))() for x in zip(given, (1.0, 8.0), strict=True))
    assert float(jnp.sum(own[:, 6:])) > 0.1  # a front enters empty cells
    np.testing.assert_allclose(other, own, rtol=1e-12, atol=1e-15)


def test_a_front_into_empty_weights():
    # 0.458: an explicit scheme of second order for ε → 0, 400 and 800 weights, to 3e-4.
    grid = jn.Grid(
        v=jn.VoltageGrid(-4.0, 2.0, reset=1.0, num=60), w=jn.WeightGrid(0.0, 1.2, num=400)
    )
    w = grid.w.centers
    line = np.asarray(jn.stationary.density(jnp.asarray(grid.v.nodes), 2.0))
    y0 = jn.normalise(grid, line[:, None] * ((w > 0.2) & (w < 0.4))[None])
    network = jn.Network(
        drive=2.0, response=jn.Saturating(), learning=jn.Hebbian(0.3), epsilon=1e-3
    )
    save = jn.SaveAt(num=2, fn=None)
    for dt, error in ((0.02, 0.06), (0.005, 0.025)):
        sol = jn.solve(network, jn.FluxShift(grid), y0=y0, t1=0.1, dt=dt, saveat=save)
        mean = float(sol.weights[-1] @ w) * grid.w.spacing
        assert mean == pytest.approx(0.458, rel=error)


def test_second_derivatives_of_parts_of_a_step():
    """In a loop, where JAX forgets rules for derivatives of roots."""
    weights = column(0.9, 0.2, 0.7, 0.1, 0.4)

    def mean(x):
        courant = Courant(jnp.full((5, 1), x[0]), jnp.full((4, 1), 0.3 * x[1]), jnp.zeros((4, 1)))
        end, _ = jax.lax.scan(
            lambda now, _: (advection.advect(courant, now).weights, None), weights * x[2], length=2
        )
        return end[:, 0] @ jnp.arange(5.0) ** 2

    at = jnp.asarray([0.7, 0.5, 1.0])
    slope = jax.jit(jax.grad(mean))
    h = 1e-4 * jnp.eye(3)
    expected = jnp.stack([(slope(at + d) - slope(at - d)) / 2e-4 for d in h])
    for both in (
        jax.hessian,
        lambda f: jax.jacrev(jax.jacrev(f)),
        lambda f: jax.jacrev(jax.jacfwd(f)),
    ):
        np.testing.assert_allclose(jax.jit(both(mean))(at), expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("dtype", [np.float32], ids=["float32"], indirect=True)
def test_narrow_weights_have_derivatives(dtype):
    grid = make_grid(34, -0.5, 1.2, dtype=dtype)
    density = jnp.zeros(grid.shape, dtype).at[:, 16].set(1)
    rates = grid.weight_density(density)

    @jax.jit
    @jax.grad
    def slope(gain):
        given = jnp.ones((), dtype), jnp.full(34, gain), jnp.asarray(0.02, dtype)
        moved = _leaky.move_weights(grid, density, rates, *given, grid.weight_density).density
        return grid.weight_density(moved) @ jnp.asarray(grid.w.centers, dtype)

    found = slope(jnp.asarray(9.0, dtype))
    assert np.isfinite(found)
    assert found > 0


def test_a_front_does_not_jump_as_the_cells_before_it_fill():
    grid = make_grid(12, -0.5, 1.0)
    density = jnp.ones(grid.shape).at[:, 4:].set(0)
    quiet = jnp.asarray([1.0, 0.0, 0.0])  # firing counts the second row

    def firing(columns):
        return columns[1] * grid.v.spacing

    @jax.jit
    @jax.vmap
    def mean(filling):
        filled = density.at[:, 4].set(3 * filling * quiet)
        given = firing(filled), jnp.asarray(0.7), jnp.full(12, 60.0), jnp.asarray(0.1), firing
        moved = _leaky.move_weights(grid, filled, *given).density
        return grid.weight_density(moved) @ grid.w.centers

    low, high = 0.0, 1.0
    for _ in range(5):  # the largest change on ever smaller intervals
        filling = np.linspace(low, high, 101)
        means = np.asarray(mean(jnp.asarray(filling)))
        largest = np.abs(np.diff(means)).argmax()
        low, high = filling[max(largest - 1, 0)], filling[min(largest + 2, 100)]
    assert np.abs(np.diff(means)).max() < 1e-4


@jax.jit
def moved_by(density, rates, more, faster, rate, strength, dt):
    """Of `more` neurons, which fire `faster` than given."""

    def firing(columns):
        return jnp.sin(1.0 + jnp.arange(12)) ** 2 * columns[1]

    flow = faster * rates, rate, strength, dt, firing
    return _leaky.move_weights(make_grid(12, -0.5, 1.0), more * density, *flow).density


@pytest.mark.parametrize(
    ("held", "strength", "dt", "rtol"),
    [
        (1.0, [0.3, -0.2, 0.5, 0.1, -0.4, 0.3] * 2, 0.1, 1e-6),
        (1.0, [0.3, -0.2, 0.5, 0.1, -0.4, 0.3] * 2, 50.0, 1e-6),
        (1e-9, [20.0] * 12, 0.1, 1e-5),
        (1e-9, [-20.0] * 12, 0.1, 1e-5),
    ],
    ids=["flow", "long", "front", "front down"],
)
def test_derivatives_in_both_modes(held, strength, dt, rtol):
    """Also of a front, into cells that held hardly anyone."""
    rng, strength = np.random.default_rng(2), jnp.asarray(strength)
    density = rng.uniform(0.2, 1, (3, 12)) * np.where(np.arange(12) < 4, 1, held)
    rates = rng.uniform(0.5, 1, 12) * density.sum(0) / 3
    if strength[0] < 0:
        density, rates = density[:, ::-1], rates[::-1]
    move = jax.tree_util.Partial(moved_by, jnp.asarray(density), jnp.asarray(rates))
    arguments = jnp.ones((3, 12)), jnp.ones(12), jnp.asarray(0.7), strength, jnp.asarray(dt)
    check_grads(move, arguments, order=1, modes=("fwd", "rev"), rtol=rtol)
