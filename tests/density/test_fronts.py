"""Fronts of the learning flow: how far they go, and their derivatives."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

import jaxnlif as jn
from jaxnlif.density import advection
from jaxnlif.density.advection import Courant

from . import _leaky
from .test_transport import climb, column, make_grid

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
