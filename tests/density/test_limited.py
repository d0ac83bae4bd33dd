"""Limited slopes in weight: by hand, of second order, positive and conservative at any step."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

import jaxnlif as jn
from jaxnlif.density.advection import Courant, advect
from jaxnlif.density.law import LimitedLaw, refrozen
from jaxnlif.density.slopes import face_factors, half_slopes
from jaxnlif.density.transport import Learning

from .test_transport import make_grid


@partial(jax.jit, static_argnums=0)
def move_weights(grid, density, rates, rate, strength, dt):
    """With neurons that fire, after a step, as they are many."""
    learning = Learning(grid, rates, rate, strength, dt, grid.weight_density)
    return jn.Limited().move(learning, density).density


def test_slopes_by_hand(dtype):
    values = jnp.asarray([0.0, 1.0, 4.0, 4.0, 2.0, 0.0, 1.0], dtype)
    # Half of 2ab/(a + b): 1·3/4; none at a plateau or an extremum, or at the ends; -1.
    expected = [0, 0.75, 0, 0, -1, 0, 0]
    np.testing.assert_allclose(half_slopes(values), expected, rtol=1e-6)
    both = half_slopes(jnp.stack([values, 2 * values]))
    np.testing.assert_allclose(both, np.outer([1, 2], expected), rtol=1e-6)
    upper, lower = face_factors(values)
    np.testing.assert_allclose(upper, [1, 1.75, 1, 1, 0.5, 1, 1], rtol=1e-6)
    np.testing.assert_allclose(lower, [1, 0.25, 1, 1, 1.5, 1, 1], rtol=1e-6)


def test_factors_of_any_density_are_between_none_and_two(dtype):
    rng = np.random.default_rng(0)
    values = rng.random((40, 50)) * 10.0 ** rng.uniform(-40, 3, (40, 50))
    values[rng.random((40, 50)) < 0.3] = 0
    values[0] = 10.0 ** -np.arange(50)
    for factors in jax.vmap(face_factors)(jnp.asarray(values, dtype)):
        assert float(jnp.min(factors)) >= 0
        assert float(jnp.max(factors)) <= 2


@pytest.mark.parametrize("number", [0.5, 2.0, 4.0])
def test_the_limited_equation_is_solved(number):
    """The flux of N at the face times H at the face, from the cell upstream, by itself."""
    w = np.linspace(0, 1, 60)
    before = jnp.asarray(np.exp(-((w - 0.4) ** 2) / 0.02))[:, None]
    conditional, faces = jnp.asarray(1 + w**2), jnp.linspace(0.0, number, 59)
    law = LimitedLaw(conditional, jnp.full(59, number), faces, 0 * faces)
    courant = Courant(number * conditional[:, None], faces[:, None], 0 * faces[:, None])
    guess = advect(courant, before).weights
    after = np.asarray(refrozen(law, before, guess)[0][:, 0])
    slope, firing = half_slopes(jnp.asarray(after)), conditional * after
    face = (after + slope)[:-1] * (firing + half_slopes(firing))[:-1]
    through = number * face - faces * (after - slope)[1:]
    residual = after + np.diff(through, prepend=0, append=0) - np.asarray(before[:, 0])
    start = np.sum(np.abs(np.asarray(guess[:, 0]) - after))
    assert np.sum(np.abs(residual)) < 0.02 * start  # of the difference from upwinding


@pytest.mark.parametrize(("num", "low"), [(1, 0.0), (2, -1.0), (60, -1.0)])
def test_mass_and_sign_at_every_courant_number(num, low, dtype):
    grid = make_grid(num, low)
    rng = np.random.default_rng(0)
    density = jnp.asarray(rng.uniform(0, 1, grid.shape) * (rng.uniform(size=num) > 0.4), dtype)
    rates = grid.weight_density(density) * jnp.asarray(rng.uniform(0, 3, num), dtype)
    before = float(np.sum(np.asarray(density, float)))
    for gain in (0.0, 0.3, -0.3, 1e4, -1e4):
        for dt in (1e-6, 1.0, 1e6):
            strength = jnp.asarray(gain * rng.uniform(-0.5, 1, num), dtype)
            flow = (jnp.asarray(x, dtype) for x in (1.0, strength, dt))
            moved = np.asarray(move_weights(grid, density, rates, *flow), float)
            assert np.all(np.isfinite(moved))
            assert np.all(moved >= 0)
            eps = float(np.finfo(dtype).eps)
            assert np.sum(moved) == pytest.approx(before, rel=8 * (num + 4) * eps)


LIMITED = jn.Limited()


def learned(num, *, transport=LIMITED, epsilon=0.0, dtype=None):
    """README's network once it has learned."""
    v = jn.VoltageGrid(-4.0, 2.0, reset=1.0, num=24, dtype=dtype)
    grid = jn.Grid(v=v, w=jn.WeightGrid(0.0, 1.2, num=num))
    drive = jn.Bump(base=1.0, height=3.0, center=0.3, width=0.1)
    learning = {"learning": jn.Hebbian(0.3), "response": jn.Saturating()}
    network = jn.Network(drive=drive, epsilon=epsilon, **learning)
    y0 = jn.gaussian(grid, v=(-1.0, 0.5), w=(0.3, 0.02))
    solver = jn.FluxShift(grid, jn.Implicit(), transport=transport)
    save = jn.SaveAt([20.0], fn=None)
    return jn.solve(network, solver, y0=y0, t1=20.0, dt=0.5, saveat=save, throw=True)


@pytest.mark.parametrize("epsilon", [0.0, 1.0])
def test_few_weights_learn_what_many_do(epsilon):
    """At Courant numbers up to 75; rates rise along a ramp, without a sawtooth."""
    coarse, fine = (learned(num, epsilon=epsilon) for num in (45, 180))
    assert float(coarse.rate[-1]) == pytest.approx(float(fine.rate[-1]), rel=1e-3)
    for sol in (coarse, fine):
        rates = np.asarray(sol.rates[-1])
        variation = np.sum(np.abs(np.diff(rates, prepend=0, append=0)))
        assert variation == pytest.approx(2 * np.max(rates), rel=1e-6)
    upwind = learned(45, epsilon=epsilon, transport=jn.Upwind())
    assert float(upwind.rate[-1]) != pytest.approx(float(fine.rate[-1]), rel=3e-2)


def test_single_precision_learns_the_same():
    single, double = (float(learned(45, dtype=d).rate[-1]) for d in (np.float32, np.float64))
    assert single == pytest.approx(double, rel=1e-4)


@jax.jit
def moved_by(density, rates, more, faster, rate, strength, dt):
    def firing(columns):
        return jnp.sin(1.0 + jnp.arange(12)) ** 2 * columns[1]

    grid = make_grid(12, -0.5, 1.0)
    learning = Learning(grid, faster * rates, rate, strength, dt, firing)
    return jn.Limited().move(learning, more * density).density


@pytest.mark.parametrize(
    ("held", "strength", "dt"),
    [(1.0, [0.3, -0.2, 0.5, 0.1, -0.4, 0.3] * 2, 0.1), (1e-9, [20.0] * 12, 0.1)],
    ids=["flow", "front"],
)
def test_derivatives_in_both_modes(held, strength, dt):
    """They flow through every turn in which the factors are found."""
    rng = np.random.default_rng(2)
    density = rng.uniform(0.2, 1, (3, 12)) * np.where(np.arange(12) < 4, 1, held)
    rates = rng.uniform(0.5, 1, 12) * density.sum(0) / 3
    move = jax.tree_util.Partial(moved_by, jnp.asarray(density), jnp.asarray(rates))
    arguments = jnp.ones((3, 12)), jnp.ones(12), jnp.asarray(0.7), jnp.asarray(strength)
    check_grads(move, (*arguments, jnp.asarray(dt)), order=1, modes=("fwd", "rev"), rtol=1e-5)
