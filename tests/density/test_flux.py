"""Exchange rates and the flux shift, against four nodes written out and at the extremes."""

import itertools
import math
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

import jaxnlif as jn
from jaxnlif.execution import LogDepth, Loops

from . import _leaky


def make_four():
    return jn.VoltageGrid(-1.0, 1.0, reset=0.0, num=4)  # h = 1/2; a = 1/4 makes a/h² = 1


KAPPAS = [0.0, 1e-14, 1e-6, 1e-2, 1.0, 1e6]
shift_flux, probe_firing, exchange_rates, firing_rates = _leaky.compiled(
    _leaky.shift_flux, _leaky.probe_firing, _leaky.exchange_rates, _leaky.firing_rates
)


def b(x):
    return x / math.expm1(x) if x else 1.0


def rates_by_hand(mu, noise=0.25, h=0.5, faces=(-0.75, -0.25, 0.25, 0.75)):
    peclet = [(mu - face) * h / noise for face in faces]
    return [noise / h**2 * b(-x) for x in peclet], [noise / h**2 * b(x) for x in peclet]


def matrix_by_hand(mu, reset=2, **grid):
    up, down = rates_by_hand(mu, **grid)
    matrix = np.diag(up) + np.diag([0, *down[:-1]])
    matrix -= np.diag(up[:-1], -1) + np.diag(down[:-1], 1)
    matrix[reset, -1] -= up[-1]  # what leaves at the threshold re-enters at the reset
    return matrix


def columns(*values, dtype=None):
    return jnp.asarray(np.array(values, float).T, dtype)


def masses(density):
    """The sum of each column, rounded once."""
    return [math.fsum(column) for column in np.asarray(density, float).T]


def random_density(shape, dtype, seed=0):
    return jnp.asarray(np.random.default_rng(seed).uniform(0, 1, shape), dtype)


@pytest.mark.parametrize("mu", [-3.0, 0.25, 10.0])
def test_rates_on_four_nodes(mu, dtype):
    up, down = exchange_rates(make_four(), jnp.asarray([mu]), jnp.asarray(0.25))
    expected = rates_by_hand(mu)
    np.testing.assert_allclose(up[:, 0], expected[0], rtol=40 * np.finfo(dtype).eps)
    np.testing.assert_allclose(down[:, 0], expected[1], rtol=40 * np.finfo(dtype).eps)
    assert up.dtype == dtype


def test_rates_where_drift_dominates_are_upwind(dtype):
    # Noise 1e-3 on h = 1/2: cell Péclet numbers of hundreds, where B(-x) = x and B(x) = 0.
    up, down = exchange_rates(
        make_four(), jnp.asarray([5.0, -5.0], dtype), jnp.asarray(1e-3, dtype)
    )
    speed = 5.0 - make_four().interfaces
    np.testing.assert_allclose(up[:, 0], speed / 0.5, rtol=1e-6)
    np.testing.assert_allclose(down[:, 1], (5.0 + make_four().interfaces) / 0.5, rtol=1e-6)
    assert not np.any(down[:, 0])
    assert not np.any(up[:, 1])


def test_firing_rate_on_four_nodes(dtype):
    rate = firing_rates(make_four(), jnp.asarray([0.25]), jnp.asarray(0.25), jnp.asarray([0.4]))
    expected = 0.5 * rates_by_hand(0.25)[0][-1] * 0.4
    np.testing.assert_allclose(rate, [expected], rtol=20 * np.finfo(dtype).eps)


@pytest.mark.parametrize("kappa", [1e-4, 1.0, 1e4])
@pytest.mark.parametrize("mu", [-2.0, 0.25, 8.0])
def test_step_solves_the_matrix_written_out(kappa, mu, dtype):
    density = columns([0.1, 0.7, 0.2, 1.0])
    new = shift_flux(make_four(), *(jnp.asarray(x) for x in (kappa, [mu], 0.25)), density)
    matrix = matrix_by_hand(mu) + kappa * np.eye(4)
    expected = np.linalg.solve(matrix, kappa * np.asarray(density, float))
    # The dense solve, by subtraction, loses the digits that its condition number 1/κ takes.
    tolerance = max(100 * float(np.finfo(dtype).eps), 1e-10)
    np.testing.assert_allclose(new, expected, rtol=tolerance)


def test_step_without_kappa_is_the_stationary_state_of_each_column(dtype):
    density = columns([0.1, 0.7, 0.2, 1.0], [0, 3.0, 0, 0])
    new = np.asarray(shift_flux(make_four(), *map(jnp.asarray, (0.0, [0.25, 2.0], 0.25)), density))
    for j, mu in enumerate((0.25, 2.0)):
        assert new[:, j].sum() == pytest.approx(float(density[:, j].sum()), rel=1e-6)
        balance = matrix_by_hand(mu) @ new[:, j]
        np.testing.assert_allclose(balance, np.zeros(4), atol=100 * np.finfo(dtype).eps)


def test_a_step_of_no_duration_changes_nothing(dtype):
    density = columns([0.1, 0.7, 0.2, 1.0])
    new = shift_flux(make_four(), *(jnp.asarray(x) for x in (1e12, [0.25], 0.25)), density)
    np.testing.assert_allclose(new, density, rtol=1e-6)


@pytest.mark.parametrize(
    ("reset", "num"), [(1.0, 300), (1.98, 300), (-3.98, 300), (0.0, 6), (-1.0, 2)]
)
def test_positivity_and_the_mass_of_each_column(reset, num, dtype):
    # Reset in the middle, next to the threshold and next to the lower end; drives far outside
    # the grid on either side; an empty column, which must stay empty.
    grid = jn.VoltageGrid(-4.0, 2.0, reset=reset, num=num)
    drive = jnp.asarray([-1000.0, -1.0, 0.0, 1.9, 1000.0, 0.0], dtype)
    density = random_density((num, 6), dtype).at[:, -1].set(0)
    for kappa, noise in itertools.product(KAPPAS, [1e-3, 1.0]):
        new = shift_flux(grid, *(jnp.asarray(x, dtype) for x in (kappa, drive, noise)), density)
        assert np.all(np.isfinite(new))
        assert np.all(new >= 0)
        assert not np.any(new[:, -1])
        # The scheme sums `num` entries one after the other.
        tolerance = (8 + num) * np.finfo(dtype).eps
        np.testing.assert_allclose(masses(new), masses(density), rtol=tolerance)


@pytest.mark.parametrize("kappa", [0.0, 1e-4])
def test_mass_of_many_steps_stays_within_rounding(kappa, dtype):
    grid, steps = jn.VoltageGrid(-4.0, 2.0, reset=1.0, num=60), 2000
    drive, noise = jnp.linspace(-2.0, 4.0, 5, dtype=dtype), jnp.asarray(1.0, dtype)
    kappa, density = jnp.asarray(kappa, dtype), random_density((60, 5), dtype)
    new = density
    for _ in range(steps):
        new = shift_flux(grid, kappa, drive, noise, new)
    np.testing.assert_allclose(masses(new), masses(density), rtol=steps * np.finfo(dtype).eps)


@pytest.mark.parametrize("num", [12, 300])
def test_probe_gives_the_rates_of_the_step(num, dtype):
    # num = 12 has cell Péclet numbers beyond the polynomial rates, num = 300 within.
    grid = jn.VoltageGrid(-4.0, 2.0, reset=1.0, num=num)
    drive, noise = jnp.linspace(-1.0, 5.0, 6, dtype=dtype), jnp.asarray(1.0, dtype)
    density = random_density((num, 6), dtype)
    for kappa in jnp.asarray(KAPPAS, dtype):
        new = shift_flux(grid, kappa, drive, noise, density)
        expected = firing_rates(grid, drive, noise, new[-1])
        probed = probe_firing(grid, kappa, drive, noise, density)
        np.testing.assert_allclose(probed, expected, rtol=num * np.finfo(dtype).eps)


@pytest.mark.parametrize("kappa", [1e-12, 1e-3, 1.0])
def test_polynomial_and_exponential_rates_agree(kappa, dtype):
    # A last column far outside forces exponentials on all; the first must not notice.
    grid = jn.VoltageGrid(-4.0, 2.0, reset=1.0, num=300)
    density, noise = random_density((300, 6), dtype), jnp.asarray(1.0, dtype)
    kappa, drive = jnp.asarray(kappa, dtype), jnp.full(6, 0.5, dtype)
    inside, forced = (
        np.asarray(shift_flux(grid, kappa, drives, noise, density))
        for drives in (drive, drive.at[5].set(500.0))
    )
    # Rates that differ by rounding, accumulated along 300 nodes.
    np.testing.assert_allclose(forced[:, :5], inside[:, :5], rtol=300 * np.finfo(dtype).eps)


def test_distance_to_the_limit_is_first_order_in_kappa():
    grid = jn.VoltageGrid(-4.0, 2.0, reset=1.0, num=60)
    density, drive, noise = random_density((60, 5), float), jnp.ones(5), jnp.ones(())
    limit = shift_flux(grid, jnp.zeros(()), drive, noise, density)
    kappas = 10.0 ** -np.arange(1.0, 12.0)
    distances = np.array(
        [
            float(jnp.max(jnp.abs(shift_flux(grid, jnp.asarray(k), drive, noise, density) - limit)))
            for k in kappas
        ]
    )
    ratios = (distances / kappas)[2:]
    # Rounding of the difference shows in the last ones.
    np.testing.assert_allclose(ratios, ratios[0], rtol=0.02)


def test_float32_is_close_to_float64_in_the_stiff_limit():
    results = []
    for dtype in (np.float32, np.float64):
        grid = jn.VoltageGrid(-4.0, 2.0, reset=1.0, num=300, dtype=dtype)
        arguments = (jnp.asarray(x, dtype) for x in (1e-12, np.linspace(-1, 4, 6), 1.0))
        results.append(np.asarray(shift_flux(grid, *arguments, random_density((300, 6), dtype))))
    single, double = results
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, double, rtol=1e-4)


@pytest.mark.parametrize("kappa", [0.0, 1e-12, 1.0])
def test_derivatives_in_both_modes(kappa):
    grid = jn.VoltageGrid(-1.0, 1.0, reset=0.5, num=8)
    arguments = (
        jnp.asarray(kappa),
        jnp.array([0.3, 2.0]),
        jnp.asarray(0.4),
        random_density((8, 2), float),
    )

    def step(drive, noise, density):
        return shift_flux(grid, arguments[0], drive, noise, density)

    check_grads(step, arguments[1:], order=1, modes=("fwd", "rev"), rtol=1e-6)
    if kappa > 1e-6:  # a central difference around smaller ones would step below zero
        check_grads(
            lambda k: shift_flux(grid, k, *arguments[1:]),
            arguments[:1],
            order=1,
            modes=("fwd", "rev"),
            rtol=1e-6,
            eps=1e-4 * kappa,
        )


def test_derivative_by_kappa_at_the_limit_is_the_one_sided_difference():
    grid = jn.VoltageGrid(-1.0, 1.0, reset=0.5, num=8)
    density = random_density((8, 2), float)

    def step(kappa):
        return shift_flux(grid, kappa, jnp.array([0.3, 2.0]), jnp.asarray(0.4), density)

    _, slope = jax.jvp(step, (jnp.zeros(()),), (jnp.ones(()),))
    h = 1e-5
    difference = (4 * step(jnp.asarray(h)) - step(jnp.asarray(2 * h)) - 3 * step(0 * h)) / (2 * h)
    np.testing.assert_allclose(slope, difference, rtol=1e-6, atol=1e-8)


def test_not_a_number_in_the_drive_shows_in_the_density():
    density = random_density((4, 2), None)
    new = shift_flux(make_four(), *map(jnp.asarray, (1.0, [jnp.nan, 0.0], 0.25)), density)
    assert np.all(np.isnan(new[:, 0]))
    assert np.all(np.isfinite(new[:, 1]))


@partial(jax.jit, static_argnames=("grid", "execution"))
def mean_and_slope(grid, drive, noise, execution):
    """The mean voltage of the limit, and its derivative by the drive."""
    dtype = drive.dtype
    density, nodes = jnp.full((60, 1), 1 / 6, dtype), jnp.asarray(grid.nodes, dtype)

    def mean(drive):
        at = jnp.zeros((), dtype), drive[None], noise
        return nodes @ _leaky.shift_flux(grid, *at, density, execution=execution)[:, 0] * 0.1

    return jax.jvp(mean, (drive,), (jnp.ones((), dtype),))


@pytest.mark.parametrize("execution", [Loops(), LogDepth()])
@pytest.mark.parametrize(("noise", "drive"), [(0.1, -2.0), (0.01, -3.0), (0.5, -3.0), (0.1, 4.0)])
def test_forward_derivatives_of_the_limit_where_neurons_hardly_fire(noise, drive, execution, dtype):
    """Escape as rare as 1e-200 divides what must be zero by hardly more."""
    grid = jn.VoltageGrid(-4.0, 2.0, reset=0.0, num=60, dtype=dtype)
    step = 1e-4 if dtype == np.float64 else 1e-2
    drives = jnp.asarray([drive - step, drive, drive + step], dtype)
    noise = jnp.asarray(noise, dtype)
    below, at, above = (mean_and_slope(grid, drive, noise, execution) for drive in drives)
    expected = float(above[0] - below[0]) / (2 * step)
    np.testing.assert_allclose(at[1], expected, rtol=1e-6 if dtype == np.float64 else 2e-2)
