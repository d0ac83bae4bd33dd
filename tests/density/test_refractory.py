"""Transmission delays and refractory periods on the density."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

import jaxnlif as jn

from . import _leaky


def make_four():
    return jn.VoltageGrid(-1.0, 1.0, reset=0.0, num=4)


def make_line():
    return jn.Grid(v=jn.VoltageGrid(-4.0, 2.0, reset=1.0, num=150))


def run(network, grid=None, *, dt=0.05, t1=40.0, num=41, **solver):
    grid = make_line() if grid is None else grid
    return jn.solve(
        network,
        jn.FluxShift(grid, **solver),
        y0=jn.gaussian(grid, v=(-1.0, 0.5)),
        t1=t1,
        dt=dt,
        saveat=jn.SaveAt(num=num),
    )


exchange_rates, firing_rates, absorb_flux, probe_firing = _leaky.compiled(
    _leaky.exchange_rates, _leaky.firing_rates, _leaky.absorb_flux, _leaky.probe_firing
)


def test_step_with_an_inflow_solves_the_matrix_written_out(dtype):
    density, inflow = jnp.asarray([[0.1], [0.7], [0.2], [1.0]]), jnp.asarray([0.4])
    drive, noise, kappa = jnp.asarray([0.25]), jnp.asarray(0.25), jnp.asarray(2.0)
    up, down = (np.asarray(x[:, 0]) for x in exchange_rates(make_four(), drive, noise))
    matrix = np.diag(up) + np.diag([0, *down[:-1]]) - np.diag(up[:-1], -1) - np.diag(down[:-1], 1)
    rhs = 2.0 * np.asarray(density[:, 0]) + np.array([0, 0, 0.4 / 0.5, 0])
    expected = np.linalg.solve(matrix + 2.0 * np.eye(4), rhs)
    new = absorb_flux(make_four(), kappa, drive, noise, density, inflow)
    np.testing.assert_allclose(new[:, 0], expected, rtol=100 * np.finfo(dtype).eps)
    rates = firing_rates(make_four(), drive, noise, new[-1])
    probed = probe_firing(make_four(), kappa, drive, noise, density, inflow)
    np.testing.assert_allclose(probed, rates, rtol=100 * np.finfo(dtype).eps)


@pytest.mark.parametrize("kappa", [1e-6, 1.0, 1e6])
def test_a_step_with_an_inflow_keeps_sign_and_mass(kappa, dtype):
    rng = np.random.default_rng(0)
    density = jnp.asarray(rng.uniform(0, 1, (150, 3)), dtype)
    inflow = jnp.asarray([0.0, 0.3, 5.0], dtype)
    drive, noise = jnp.asarray([-3.0, 1.0, 30.0], dtype), jnp.asarray(1.0, dtype)
    new = absorb_flux(make_line().v, jnp.asarray(kappa, dtype), drive, noise, density, inflow)
    assert np.all(new >= 0)
    h, rates = make_line().v.spacing, firing_rates(make_line().v, drive, noise, new[-1])
    before = kappa * h * np.sum(np.asarray(density, float), 0) + np.asarray(inflow, float)
    after = kappa * h * np.sum(np.asarray(new, float), 0) + np.asarray(rates, float)
    np.testing.assert_allclose(after, before, rtol=200 * np.finfo(dtype).eps)


def test_mass_of_many_steps_with_an_inflow_stays_within_rounding(dtype):
    # What fires in a step returns in the next, and so does all mass.
    grid, kappa = jn.VoltageGrid(-4.0, 2.0, reset=1.0, num=300), jnp.asarray(0.1, dtype)
    drive, noise = jnp.linspace(-2.0, 6.0, 5, dtype=dtype), jnp.asarray(1.0, dtype)
    density = jnp.asarray(np.random.default_rng(2).uniform(0, 1, (300, 5)), dtype)

    @jax.jit
    def many(density, returning):
        def step(_, carry):
            new = _leaky.absorb_flux(grid, kappa, drive, noise, *carry)
            return new, _leaky.firing_rates(grid, drive, noise, new[-1])

        return jax.lax.fori_loop(0, 2000, step, (density, returning))

    def total(density, returning):
        given = float(kappa) * grid.spacing * np.sum(np.asarray(density, float), 0)
        return given + np.asarray(returning, float)

    begin = density, jnp.zeros(5, dtype)
    drift = np.abs(total(*many(*begin)) / total(*begin) - 1)
    # Rounding of single steps that is not returned adds up to 500 of these.
    assert np.max(drift) <= 100 * np.finfo(dtype).eps


def test_derivatives_of_a_step_with_an_inflow():
    density = jnp.asarray(np.random.default_rng(1).uniform(0, 1, (4, 2)))
    arguments = (jnp.asarray(2.0), jnp.asarray([0.3, 2.0]), jnp.asarray(0.4), density)

    @jax.jit
    def step(inflow, *arguments):
        return (
            _leaky.absorb_flux(make_four(), *arguments, inflow),
            _leaky.probe_firing(make_four(), *arguments),
            _leaky.probe_firing(make_four(), *arguments, inflow),
        )

    check_grads(step, (jnp.asarray([0.5, 0.1]), *arguments), order=1, rtol=1e-6)


@pytest.mark.parametrize(
    ("events", "dt", "dtype"),
    [  # whole and broken numbers of steps
        (None, 0.05, np.float64),
        (None, 0.03, np.float32),
        (jn.Cascade(), 0.01, np.float64),
        (jn.Cascade(), 0.03, np.float32),
    ],
    indirect=["dtype"],
)
def test_the_stationary_rate_of_resting_neurons(events, dt, dtype):
    # One cycle is a first passage and a rest: 1/N = 1/r + τ.
    free = float(run(jn.Network(noise=1.0, weight=0.0, drive=3.0)).rate[-1])
    network = jn.Network(noise=1.0, weight=0.0, drive=3.0, refractory=0.5)
    sol = run(network, dt=dt, events=events)
    rate, eps = float(sol.rate[-1]), float(np.finfo(dtype).eps)
    assert rate == pytest.approx(1 / (1 / free + 0.5), rel=1e-5)
    assert float(sol.refractory[-1]) == pytest.approx(0.5 * rate, rel=1e-5)
    assert float(sol.stats["mass_drift"]) <= 10 * int(sol.stats["substeps"]) * eps
    assert float(sol.stats["minimum"]) >= 0


def test_resting_neurons_are_counted_in_membrane_times():
    # A quarter of the learning time is half a membrane time.
    network = jn.Network(noise=1.0, weight=0.0, drive=3.0, refractory=0.25, epsilon=0.5)
    sol = run(network, dt=0.025, t1=20.0)
    free = float(jn.stationary.firing_rate(3.0))
    assert float(sol.refractory[-1]) == pytest.approx(0.5 / (1 / free + 0.5), rel=2e-3)
    assert float(sol.stats["mass_drift"]) < 1e-12


def test_neurons_rest_after_an_event():
    network = jn.Network(noise=1.0, weight=6.0, drive=2.0, refractory=0.5)
    sol = run(network, dt=0.01, t1=2.0, events=jn.Cascade())
    first, size = float(sol.events.time[0]), float(sol.events.size[0])
    ts, resting = np.asarray(sol.ts), np.asarray(sol.refractory)
    during = (ts > first + 0.02) & (ts < first + 0.48)
    assert size > 0.5
    assert np.any(during)
    assert np.all(resting[during] > size - 1e-4)
    assert float(sol.stats["mass_drift"]) < 1e-4


def period_of(delay, **arguments):
    grid = jn.Grid(v=jn.VoltageGrid(-3.0, 1.0, reset=0.0, num=100))
    y0 = jn.normalise(grid, np.exp(-((grid.v.nodes[:, None] + 1) ** 2) / 0.4))
    sol = jn.solve(
        jn.Network(noise=0.2, weight=-45.0, delay=delay, **arguments),
        jn.FluxShift(grid),
        y0=y0,
        t1=30.0,
        dt=1e-2,
        saveat=jn.SaveAt(num=3001, fn=None),
    )
    assert sol.result == jn.Result.completed
    ts, rate = np.asarray(sol.ts, float), np.asarray(sol.rate, float)
    late = rate[ts > 15]
    level = 0.5 * (late.max() + late.min())
    up = np.flatnonzero((rate[:-1] < level) & (rate[1:] >= level))
    times = ts[up] + (level - rate[up]) / (rate[up + 1] - rate[up]) * 1e-2
    return np.diff(times[times > 12]), late


def test_delayed_inhibition_is_periodic():
    # Near 2.85 as published; refined in h and dt: 2.839.
    periods, rate = period_of(1.0)
    assert len(periods) >= 5
    np.testing.assert_allclose(periods, 2.84, atol=0.03)
    assert rate.max() > 3 * rate.min()


def test_distributed_delays_settle():
    _, rate = period_of(jn.ExponentialDelay(1.0))
    assert rate.max() < 1.01 * rate.min()


def test_nothing_arrives_before_the_delay():
    late, never = (
        run(jn.Network(noise=1.0, weight=w, drive=3.0, delay=0.5, refractory=0.2), t1=0.5)
        for w in (-2.0, 0.0)
    )
    np.testing.assert_array_equal(late.rate, never.rate)


@pytest.mark.parametrize("dtype", [np.float32], ids=["float32"], indirect=True)
def test_delay_and_refractory_period_together_have_no_event(dtype):
    network = jn.Network(noise=1.0, weight=3.0, delay=0.1, refractory=0.1)
    sol = run(network, t1=5.0, events=jn.Cascade())
    assert sol.result == jn.Result.completed
    assert len(sol.events.time) == 0
    assert float(sol.stats["mass_drift"]) <= 1000 * float(np.finfo(dtype).eps)


def test_gradients_flow_through_delay_and_rest():
    grid = jn.Grid(v=jn.VoltageGrid(-4.0, 2.0, reset=1.0, num=24))

    @jax.jit
    @jax.value_and_grad
    def spikes(x):
        network = jn.Network(
            noise=1.0,
            weight=x,
            drive=3.0,
            delay=jn.Delay(0.3 + 0.1 * x, slots=16),
            refractory=jn.Delay(0.25 - 0.05 * x, slots=16),
        )
        return run(network, grid, dt=0.1, t1=2.0, num=3).spikes[-1]

    x, h = jnp.asarray(-0.5), 1e-4
    expected = float(spikes(x + h)[0] - spikes(x - h)[0]) / (2 * h)
    assert float(spikes(x)[1]) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"delay": 0.01}, "delay = 0.01: must not be shorter than dt = 0.05"),
        ({"refractory": 0.01}, "refractory = 0.01: must not be shorter than dt = 0.05"),
        ({"refractory": 0.1, "epsilon": 0.0}, "epsilon = 0: .* network with refractory"),
    ],
)
def test_times_that_make_no_sense(arguments, message):
    with pytest.raises(ValueError, match=message):
        run(jn.Network(weight=1.0, **arguments))


def test_resting_neurons_do_not_learn():
    grid = jn.Grid(v=make_line().v, w=jn.WeightGrid(0.0, 1.0, num=2))
    network = jn.Network(learning=jn.Hebbian(0.3), refractory=0.1)
    y0 = jn.gaussian(grid, v=(-1.0, 0.5), w=(0.5, 0.1))
    with pytest.raises(ValueError, match="resting neurons do not learn"):
        jn.solve(network, jn.FluxShift(grid), y0=y0, t1=1.0, dt=0.05)
