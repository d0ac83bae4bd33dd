"""Roots of the self-consistent rate, on functions whose roots are known, and in a network."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxnlif as jn
from jaxnlif.density.root import nearest_root, overshot_root
from jaxnlif.density.voltage import VoltageStep


def steep_inhibition(x):
    return 10 * jnp.exp(-50 * x)


@partial(jax.jit, static_argnums=(0, 2))
def _find(response, start, max_evaluations):
    return nearest_root(response, start, max_evaluations)


def find(response, start, max_evaluations=60):
    return _find(response, np.asarray(start, jnp.result_type(float)), max_evaluations)


@pytest.mark.parametrize("start", [0.0, 0.3, 5.0, 1e5])
@pytest.mark.parametrize(
    ("response", "root"),
    [
        (lambda x: 2 / (1 + x), 1.0),
        (lambda x: jnp.full_like(x, 3.0), 3.0),
        (steep_inhibition, None),  # a fixed point would cycle
        (lambda x: 1 + 0.9 * x, 10.0),
        (lambda x: jnp.where(x < 0.5, 2.0, 0.1), 0.5),  # jumps over the diagonal
    ],
)
def test_the_only_root_is_found_from_anywhere(start, response, root, dtype):
    found = find(response, start)
    assert bool(found.found)
    assert int(found.evaluations) <= 60
    if root is None:
        rate = float(found.rate)
        assert 10 * np.exp(-50 * rate) == pytest.approx(rate, rel=1e-3)
    else:
        # The tolerance of a step, relative to 1 + N, magnified tenfold by a slope of 0.9.
        assert float(found.rate) == pytest.approx(root, rel=20 * np.finfo(dtype).eps.item() ** 0.75)


def with_three_roots(x):
    """F = -(x-1)(x-2)(x-3)/10: up from 0, down from 1.9, up from 2.1, down from 3.5."""
    return x - (x - 1) * (x - 2) * (x - 3) / 10


@pytest.mark.parametrize(("start", "root"), [(0.0, 1.0), (1.9, 1.0), (2.1, 3.0), (3.5, 3.0)])
def test_of_several_roots_the_next_in_the_direction_of_the_rate(start, root, dtype):
    found = find(with_three_roots, start)
    assert bool(found.found)
    assert float(found.rate) == pytest.approx(root, rel=100 * np.finfo(dtype).eps.item() ** 0.75)


@pytest.mark.parametrize("response", [lambda x: 1 + x, lambda x: x + x**2 + 0.1, jnp.exp])
def test_a_rate_without_bound_is_not_found(response):
    assert not bool(find(response, 0.0, max_evaluations=200).found)


def test_a_rate_that_is_not_a_number_is_not_found():
    assert not bool(find(lambda x: x * jnp.nan, 1.0).found)


def test_a_search_that_ends_too_early_says_so():
    found = find(steep_inhibition, 5.0, max_evaluations=4)
    assert not bool(found.found)
    assert bool(found.exhausted)
    assert not bool(find(lambda x: 1 + 2 * x, 0.0, max_evaluations=60).exhausted)


@partial(jax.jit, static_argnums=(0, 4))
def _overshot(response, start, bound, inhibits, max_evaluations):
    fired = response(start)
    bounded = jnp.minimum(fired, bound)
    return overshot_root(response, start, fired, bounded, inhibits, max_evaluations)


def overshot(response, start, bound=np.inf, inhibits=True, max_evaluations=60):
    start, bound = (np.asarray(x, jnp.result_type(float)) for x in (start, bound))
    return _overshot(response, start, bound, np.asarray(inhibits), max_evaluations)


@pytest.mark.parametrize("bound", [np.inf, 0.15])
@pytest.mark.parametrize("start", [0.0, 0.12, 5.0])
def test_the_root_that_a_prediction_has_passed_is_found(start, bound, dtype):
    # 10 exp(-50 x) = x: a prediction passes it at any distance, and a bounded one comes near it.
    found = overshot(steep_inhibition, start, bound)
    assert bool(found.found)
    assert float(found.rate) == pytest.approx(0.0934568, rel=1e-4)


def test_a_prediction_that_passes_no_root_stands():
    rising = overshot(lambda x: 1 + 0.5 * x, 0.3)
    assert not bool(rising.found)
    assert not bool(rising.exhausted)
    assert int(rising.evaluations) == 2
    # Without inhibition nothing is asked.
    assert int(overshot(lambda x: 1 / (1 + x), 0.0, inhibits=False).evaluations) == 1
    # Falling at first, then rising: there is no root between.
    assert not bool(overshot(lambda x: x + 0.1 + (x - 0.5) ** 2, 0.0).found)
    assert bool(overshot(steep_inhibition, 5.0, max_evaluations=4).exhausted)


def test_lagged_coupling_sees_the_rate_before():
    seen = jn.Lagged()(None, jnp.asarray([0.7]))
    assert float(seen.signals[0]) == pytest.approx(0.7)
    assert bool(seen.found)
    assert int(seen.evaluations) == 0


# ---- strong inhibition in the stiff regime-----------------------------------------------------


class Proportional(jn.AbstractResponse):
    factor: jax.Array

    def __call__(self, rate):
        return self.factor * rate


STEEP, FALLING = Proportional(np.array(5.0)), Proportional(np.array(-5.0))
LINE = jn.Grid(v=jn.VoltageGrid(-6.0, 2.0, reset=1.0, num=400))
MANY = {"noise": 1.0, "drive": 4.0, "response": STEEP, "epsilon": 1e-6}


def on_a_line(solver, steps=40, dt=1e-2, y0=(-1.0, 0.5), **changes):
    """Every step of a network of one weight."""
    return jn.solve(
        jn.Network(**MANY | {"weight": -0.5} | changes),
        solver,
        y0=jn.gaussian(LINE, v=y0),
        t1=steps * dt,
        dt=dt,
        saveat=jn.SaveAt(num=steps + 1, fn=None),
    )


def test_lagged_coupling_locks_into_a_two_cycle_and_says_so():
    sol = on_a_line(jn.FluxShift(LINE))
    assert sol.result == jn.Result.rate_cycle
    rates = np.sort(sol.rate[np.isfinite(sol.rate)])[2:]
    assert rates[0] < 0.01
    np.testing.assert_allclose(rates[-1], 2.80, rtol=5e-3)


def test_a_corrected_rate_does_not():
    sol = on_a_line(jn.FluxShift(LINE, jn.Corrected()))
    assert sol.result == jn.Result.completed
    # The root of N = r(4 - 2.5 N), with r the stationary rate.
    np.testing.assert_allclose(sol.rate[3:], 0.9113, atol=3e-4)


def test_a_few_excited_neurons_do_not_hide_inhibition():
    grid = jn.Grid(
        v=jn.VoltageGrid(-4.0, 2.0, reset=1.0, num=60), w=jn.WeightGrid(-1.0, 0.2, num=12)
    )
    network = jn.Network(noise=1.0, drive=4.0, response=STEEP)
    weights, zero = jnp.asarray(grid.w.centers), jnp.zeros(())
    density = jn.gaussian(grid, v=(-1.0, 0.5), w=(-0.5, 0.005))
    step = VoltageStep(grid, network, weights, zero, jnp.asarray(1e-4), density)

    @jax.jit
    def seen_and_fired(before):
        seen = jn.Corrected()(step, before).signals
        return seen, step.firing(seen)

    # What they see is what they fire at; the prediction is far from that.
    seen, fired = seen_and_fired(np.array([0.1]))
    np.testing.assert_allclose(fired, seen, rtol=1e-6)


def test_a_response_that_falls_inhibits_too():
    network = {"drive": 30.0, "weight": 1.0, "response": FALLING, "epsilon": 1.0}
    for solver in (jn.FluxShift(LINE, jn.Corrected()), jn.FluxShift(LINE, events=jn.Cascade())):
        sol = on_a_line(solver, dt=0.1, y0=(0.0, 0.5), **network)
        assert sol.result == jn.Result.completed
        np.testing.assert_allclose(sol.rate[-2:], 4.781, atol=2e-3)


def test_a_root_that_is_not_found_in_time_ends_the_run():
    sol = on_a_line(jn.FluxShift(LINE, jn.Implicit(max_evaluations=2)))
    assert sol.result == jn.Result.rate_not_found
    with pytest.raises(ValueError, match="max_evaluations = 0: must be at least 1"):
        jn.Implicit(max_evaluations=0)


@pytest.mark.parametrize("dt", [1e-4, 1e-2, 1.0, 100.0])
def test_implicit_coupling_finds_the_root_at_once(dt, dtype):
    grid = jn.Grid(
        v=jn.VoltageGrid(-4.0, 2.0, reset=1.0, num=300), w=jn.WeightGrid(-1.0, 0.0, num=100)
    )
    y0, save = jn.gaussian(grid, v=(-1.0, 0.5), w=(-0.5, 0.005)), jn.SaveAt(num=11, fn=None)
    solver = jn.FluxShift(grid, jn.Implicit())
    sol = jn.solve(jn.Network(**MANY), solver, y0=y0, t1=10 * dt, dt=dt, saveat=save)
    assert sol.result == jn.Result.completed
    # The reference has four digits.
    # κ = ε/Δt of the distance to the steady state is left in each step.
    np.testing.assert_allclose(sol.rate[3:], 0.9152, atol=3e-4)
    # The tolerance of the coupling, with room for its magnification.
    spread = np.ptp(np.asarray(sol.rate[-4:], float))
    assert spread < 100 * float(np.finfo(dtype).eps) ** 0.75
