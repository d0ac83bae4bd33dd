"""Solutions between their saved times."""

import functools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxnlif as jn
from jaxnlif.integrate.log import Event

GRID = jn.Grid(v=jn.VoltageGrid(-4.0, 2.0, reset=1.0, num=30))
START = jn.gaussian(GRID, v=(0.5, 0.3))
TIMES = np.array([[0.0, 0.05], [0.33, 1.0]])


@functools.cache
def solution():
    return run()


def run(weight=0.5, solver=None, **given):
    given = {"t1": 1.0, "dt": 0.05, "saveat": jn.SaveAt(num=11)} | given
    solver = jn.FluxShift(GRID) if solver is None else solver
    return jn.solve(jn.Network(weight=weight, drive=2.0), solver, y0=START, **given)


def run_with_events(weight):
    return run(weight, jn.FluxShift(GRID, events=jn.Cascade()), saveat=jn.SaveAt(num=3))


def test_everything_is_linear_between_saved_times():
    sol = solution()
    found = sol(TIMES)
    for name in ("rate", "spikes", "refractory"):
        expected = np.interp(TIMES, sol.ts, getattr(sol, name))
        np.testing.assert_allclose(getattr(found, name), expected, rtol=1e-4, atol=1e-6)
    assert found.rates.shape == found.weights.shape == (2, 2, 1)
    assert found.saved.shape == (2, 2, 30, 1)
    np.testing.assert_allclose(GRID.mass(found.saved[0, 1]), 1, rtol=1e-5)
    np.testing.assert_array_equal(sol(float(sol.ts[3])).saved, sol.density(3))
    np.testing.assert_array_equal(found.regime, 0)


def test_members_of_vmap_and_derivatives():
    weights = jnp.asarray([-0.5, 0.5])
    many = jax.vmap(run)(weights)
    sol = solution()
    np.testing.assert_allclose(many(TIMES).rate[1], sol(TIMES).rate, rtol=1e-4)
    assert many.density(-1).shape == (2, *GRID.shape)
    slope = jax.grad(lambda t: sol(t).rate)(0.33)
    assert slope == pytest.approx(float((sol.rate[4] - sol.rate[3]) / 0.1), rel=1e-3)


def test_the_nearest_where_neurons_fire_together():
    sol = run_with_events(4.0)
    event = float(sol.events.time[0])
    k = int(np.searchsorted(sol.ts, event))
    near = float(sol.ts[k]) - 0.01
    assert event < near
    np.testing.assert_array_equal(sol(near).saved, sol.density(k))
    np.testing.assert_allclose(sol(near).spikes, np.interp(near, sol.ts, sol.spikes), rtol=1e-5)


def test_an_event_at_a_saved_time_belongs_to_what_came_before():
    sol = run_with_events(0.5)
    at = float(sol.ts[1])
    events = sol.logs["events"].append(jnp.asarray(True), Event(sol.ts[1], jnp.asarray(0.5)))
    told = eqx.tree_at(lambda sol: sol.logs["events"], sol, events)
    before, after = at - 0.03, at + 0.03
    np.testing.assert_array_equal(told(before).rate, sol.rate[1])
    np.testing.assert_allclose(told(after).rate, np.interp(after, sol.ts, sol.rate), rtol=1e-6)


def test_times_that_were_not_reached_are_refused():
    sol = solution()
    with pytest.raises(ValueError, match=r"t = 1.1: must lie within the saved times .* 0 … 1$"):
        sol(1.1)
    with pytest.raises(ValueError, match=r"t = nan: must be finite"):
        sol(float("nan"))
    with pytest.raises(Exception, match="must lie within the saved times"):
        jax.block_until_ready(jax.jit(lambda t: sol(t).rate)(1.1))
    # Under jit the entries after a blow-up repeat the last state; they are not times reached.
    ended = jax.jit(lambda weight: run(weight, throw=False))(6.0)
    assert ended.result == jn.Result.blow_up
    with pytest.raises(ValueError, match="must lie within"):
        ended(0.95)


@pytest.mark.parametrize("index", [11, -12, 1000])
def test_indices_that_are_not_there_are_refused(index):
    with pytest.raises(ValueError, match=f"index = {index}: must be from -11 to 10"):
        solution().density(index)
