"""`Particles`: rates, events, conservation, records, and what they cost to run again."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.stats import norm

import jaxnlif as jn

NUM, MANY = 4000, 100_000
SAVEAT = jn.SaveAt(num=9)


def line(dtype=None):
    return jn.Grid(v=jn.VoltageGrid(-4.0, 2.0, reset=1.0, num=60, dtype=dtype))


def plane():
    return jn.Grid(v=line().v, w=jn.WeightGrid(-1.0, 1.0, num=4))


def run(network, *, grid=None, num=NUM, y0=None, t1=2.0, dt=1e-2, seed=0, key=None, **arguments):
    grid = line() if grid is None else grid
    if y0 is None:
        y0 = jn.gaussian(grid, v=(-1.0, 0.5), w=None if grid.w is None else (0.0, 0.1))
    key = jax.random.key(seed) if key is None else key
    solver = jn.Particles(num, grid, **arguments)
    return jn.solve(network, solver, y0=y0, t1=t1, dt=dt, saveat=SAVEAT, key=key)


def run_many(network, **arguments):
    return run(network, num=MANY, max_events=2, **arguments)


def mean_rate(sol, since=2):
    """The mean rate from the save `since` on, and its standard error if spikes were Poisson."""
    spikes, time = sol.spikes[-1] - sol.spikes[since], sol.ts[-1] - sol.ts[since]
    return float(spikes / time), float(jnp.sqrt(spikes / sol.solver.num) / time)


# ---- rates -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("weight", "drive"), [(-1.0, 20.0), (0.0, 0.0), (0.5, 0.0), (0.5, 20.0)])
def test_the_rate_is_the_stationary_one(weight, drive):
    # At I = 20 neurons that restarted only at the end of their step would fire 8.5 % too little,
    # and at I = 0 end points alone would miss 21 % of the spikes; four errors are 4 % and 1 %.
    start, t1, dt = ((-0.2, 0.9), 24.0, 0.02) if drive == 0 else ((1.2, 0.05), 8.0, 0.01)
    y0 = jn.gaussian(line(), v=start)
    sol = run(jn.Network(weight=weight, drive=drive), y0=y0, t1=t1, dt=dt, seed=1)
    rate, error = mean_rate(sol)
    expected = float(jn.stationary.self_consistent_rates(weight, drive)[0])
    # Excitation adds to the variance of the count.
    assert abs(rate - expected) <= 4 * error / (1 - max(weight, 0))


def test_first_passages_after_a_full_event():
    # 0.0119435 of the neurons that start at V_R fire within 0.1: an independent calculation.
    sol = run_many(jn.Network(weight=0.0), y0=jnp.ones(MANY), t1=0.1)
    assert abs(float(sol.spikes[-1]) - 0.0119435) <= 4 * np.sqrt(0.0119435 / MANY)


def test_strong_inhibition_does_not_swing():
    sol = run_many(jn.Network(weight=-5.0, drive=20.0), y0=jnp.zeros(MANY), t1=1.6)
    expected = float(jn.stationary.self_consistent_rates(-5.0, 20.0)[0])
    assert abs(mean_rate(sol)[0] / expected - 1) <= 0.02
    assert np.all(np.abs(np.asarray(sol.rate[2:]) / expected - 1) <= 0.2)


firing_rates = jax.jit(jn.stationary.firing_rate)


def consistent_rate(weights, drive, response):
    """The stationary rate of neurons with these weights, which drive each other by it."""

    def excess(rate):
        return float(np.mean(firing_rates(drive(weights) + weights * response(rate)))) - rate

    return brentq(excess, 0, 20)


def test_neurons_with_weights_of_their_own():
    network = jn.Network(drive=jn.Bump(2.0, 2.0, 0.0, 0.5))
    weights = np.linspace(-1, 1, NUM)
    sol = run(network, grid=plane(), y0=(np.zeros(NUM), weights), t1=12.0)
    expected = consistent_rate(weights, lambda w: 2 + 2 * np.exp(-2 * w**2), lambda rate: rate)
    rate, error = mean_rate(sol)
    assert abs(rate - expected) <= 4 * error + 5e-3 * rate
    np.testing.assert_allclose(sol.weights, 0.5, rtol=1e-5)
    np.testing.assert_allclose(jnp.sum(sol.rates, axis=1) / 2, sol.rate, rtol=1e-5)
    np.testing.assert_array_equal(sol.state.weights, jnp.asarray(weights, sol.ts.dtype))


def test_a_bounded_response_acts_as_a_drift():
    network = jn.Network(drive=3.0, response=jn.Saturating())
    y0 = jn.gaussian(plane(), v=(-1.0, 0.5), w=(0.5, 0.1))
    sol = run(network, grid=plane(), y0=y0, t1=12.0)
    weights = np.asarray(sol.state.weights)
    expected = consistent_rate(weights, lambda w: 3.0, lambda rate: rate / (1 + rate))
    rate, error = mean_rate(sol)
    assert abs(rate - expected) <= 4 * error + 5e-3 * rate
    assert len(sol.events.time) == 0
    np.testing.assert_allclose(sol.weights[-1], plane().weight_density(y0), atol=4 / NUM)


def test_epsilon_is_the_ratio_of_the_time_scales():
    slow = run(jn.Network(weight=0.5, epsilon=1.0), t1=2.0, dt=1e-2)
    fast = run(jn.Network(weight=0.5, epsilon=0.25), t1=0.5, dt=2.5e-3)
    np.testing.assert_allclose(fast.rate, slow.rate, rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(4 * fast.spikes, slow.spikes, rtol=1e-3)


# ---- events ------------------------------------------------------------------------------------


def test_times_and_sizes_of_events():
    y0 = -1 + 0.5 * norm.ppf((np.arange(MANY) + 0.5) / MANY)
    sol = run_many(jn.Network(weight=3.0), y0=y0, t1=4.0, dt=8e-3)
    # The density converges to 3.4161 and 0.2292; single runs of this size scatter by 0.022.
    first, second = np.asarray(sol.events.time)
    assert abs(first - 3.42) <= 4 * 0.022
    assert abs(second - first - 0.23) <= 0.02
    assert np.all(np.asarray(sol.events.size) > 0.9)
    assert sol.result == jn.Result.event_budget_exceeded
    assert abs(float(sol.t_end) - second - 0.23) <= 0.02


def test_kicks_that_are_not_lost_carry_everybody_on_and_end_the_run():
    sol = run(jn.Network(weight=3.0), t1=6.0, reset=jn.Shift())
    assert sol.result == jn.Result.event_budget_exceeded
    assert 3 <= float(sol.t_end) < 6


def test_conventions_agree_where_nothing_is_synchronous():
    hold, shift = (run(jn.Network(weight=0.5), reset=reset) for reset in (None, jn.Shift()))
    assert abs(float(hold.spikes[-1] - shift.spikes[-1])) <= 0.01


# ---- delay and refractory period ---------------------------------------------------------------


@pytest.mark.parametrize(("period", "drive"), [(0.5, 4.0), (0.015, 20.0)])
def test_a_refractory_period_lengthens_the_interval(period, drive):
    network = jn.Network(weight=0.0, drive=drive, refractory=period)
    sol = run(network, y0=jnp.zeros(NUM), t1=10.0)
    rate, error = mean_rate(sol)
    expected = 1 / (period + 1 / float(jn.stationary.firing_rate(drive)))
    assert abs(rate - expected) <= 4 * error
    resting = np.mean(sol.refractory[2:])
    assert abs(resting - period * expected) <= 4 * 0.5 / np.sqrt(NUM * 7) + 0.1 * error


def test_mass_and_resting_make_one(dtype):
    network = jn.Network(weight=3.0, drive=2.0, delay=0.1, refractory=0.05, noise_slope=0.1)
    sol = run(network, grid=line(dtype))
    assert sol.result == jn.Result.completed
    mass = np.asarray([sol.solver.grid.mass(p) for p in sol.saved]) + np.asarray(sol.refractory)
    np.testing.assert_allclose(mass, 1, atol=8 * float(np.finfo(dtype).eps))
    assert float(jnp.max(sol.refractory)) > 0
    assert len(sol.events.time) == 0


def test_inhibition_acts_after_its_delay():
    start = jn.gaussian(line(), v=(1.0, 0.1))
    none, some = (
        run(jn.Network(weight=b, drive=5.0, delay=0.2, refractory=0.05), y0=start, t1=0.8)
        for b in (0.0, -30.0)
    )
    np.testing.assert_array_equal(some.spikes[:3], none.spikes[:3])
    assert float(none.spikes[2]) > 0
    assert float(some.spikes[-1]) < 0.8 * float(none.spikes[-1])


def test_an_exponential_delay_leaves_the_stationary_rate():
    network = jn.Network(weight=-1.0, drive=4.0, delay=jn.ExponentialDelay(0.1))
    rate, error = mean_rate(run(network, t1=12.0))
    expected = float(jn.stationary.self_consistent_rates(-1.0, 4.0)[0])
    assert abs(rate - expected) <= 4 * error


# ---- records, transformations, bad input -------------------------------------------------------


def test_a_raster_holds_the_first_spikes_of_its_neurons():
    sol = run(jn.Network(weight=0.0, drive=20.0), raster=20, raster_capacity=300)
    time, neuron = np.asarray(sol.raster.time), np.asarray(sol.raster.neuron)
    assert sol.result == jn.Result.completed
    assert len(time) == 300
    assert np.all(np.diff(time) >= 0)
    assert set(neuron) == set(range(20))
    rate = float(jn.stationary.firing_rate(20.0))
    # A neuron needs about 0.1 from its start to its first spike.
    assert abs(300 / (20 * rate) + 0.1 - time[-1]) <= 0.1


def test_one_key_one_run():
    first, again, other = (run(jn.Network(weight=0.5), seed=seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first.spikes, again.spikes)
    assert np.any(np.asarray(first.spikes) != np.asarray(other.spikes))


def test_runs_at_once_over_keys_and_under_jit():
    def spikes(key):
        return run(jn.Network(weight=0.5), key=key).spikes

    keys = jnp.stack([jax.random.key(0), jax.random.key(7)])
    both = jax.jit(jax.vmap(spikes))(keys)
    alone = run(jn.Network(weight=0.5), seed=7).spikes
    # Fused in another way, a margin may round to the other side of 0.
    np.testing.assert_allclose(both[1], alone, atol=2.5 / NUM)


TRACES = []


class Failing(jn.AbstractDrive):
    """A number, until the time at which it is none."""

    value: jax.Array
    until: jax.Array

    def __call__(self, t, w):
        TRACES.append(t)
        return jnp.where(t > self.until, jnp.nan, jnp.full_like(w, self.value))


def test_new_numbers_do_not_recompile():
    def go(drive, weight, noise, seed, dt):
        drive = Failing(jnp.asarray(drive), jnp.asarray(jnp.inf))
        network = jn.Network(noise=noise, weight=weight, drive=drive)
        return run(network, seed=seed, t1=200 * dt, dt=dt)

    go(0.0, 0.5, 1.0, 0, 1e-2)
    before = len(TRACES)
    go(20.0, -1.0, 0.5, 3, 2e-2)
    assert len(TRACES) <= before + 2  # by checks, which only look at shapes


def test_not_a_number_is_reported():
    sol = run(jn.Network(weight=0.5, drive=Failing(jnp.asarray(0.0), jnp.asarray(0.1))), t1=2.0)
    assert sol.result == jn.Result.non_finite
    assert np.all(np.isfinite(sol.saved))


def test_what_it_tells_of_itself():
    sol = run(jn.Network(weight=0.5))
    assert np.all(np.asarray(sol.regime) == jn.Regime.particles)
    assert float(sol.stats["differentiable_from"]) == np.inf
    assert int(sol.stats["cascade_rounds"]) > 0
    with pytest.raises(ValueError, match="raster"):
        _ = sol.raster


BAD = {
    "num = 1: must be at least 2": lambda: jn.Particles(1, line()),
    "raster = 5: must not exceed num = 4": lambda: jn.Particles(4, line(), raster=5),
    "key: needed": lambda: jn.solve(
        jn.Network(weight=0.0), jn.Particles(4, line()), y0=jnp.zeros(4), t1=1.0, dt=0.1
    ),
    "weight: give the model": lambda: run(jn.Network()),
    "epsilon = 0": lambda: run(jn.Network(weight=0.0, epsilon=0.0)),
    "learning: Particles keep": lambda: run(jn.Network(learning=jn.Hebbian(0.3)), grid=plane()),
    "refractory = 0.001: must not be shorter than dt": lambda: run(
        jn.Network(weight=0.0, refractory=1e-3)
    ),
    "delay = 100: must be at most 1022 steps": lambda: run(jn.Network(weight=0.0, delay=100.0)),
    r"y0: shape \(3,\)": lambda: run(jn.Network(weight=0.0), y0=jnp.zeros(3)),
    r"y0: shape \(3, 1\)": lambda: run(jn.Network(weight=0.0), y0=jnp.zeros((3, 1))),
    "y0 = 2.5: must be below the threshold, 2": lambda: run(
        jn.Network(weight=0.0), y0=jnp.full(NUM, 2.5)
    ),
    "y0 = nan": lambda: run(jn.Network(weight=0.0), y0=jnp.full(NUM, jnp.nan)),
    "y0: weights must not be given": lambda: run(
        jn.Network(weight=0.0), y0=(jnp.zeros(NUM), jnp.zeros(NUM))
    ),
    "y0: must be a density, or": lambda: run(jn.Network(), grid=plane(), y0=jnp.zeros(NUM)),
    "y0 weights: lowest = 3, highest = 3": lambda: run(
        jn.Network(), grid=plane(), y0=(jnp.zeros(NUM), jnp.full(NUM, 3.0))
    ),
    "drive: must return values for 1": lambda: run(
        jn.Network(weight=0.0, drive=lambda t, w: jnp.zeros(3))
    ),
}


@pytest.mark.parametrize("message", BAD)
def test_bad_input_is_named(message):
    with pytest.raises(ValueError, match=message) as caught:
        BAD[message]()
    assert "\n" not in str(caught.value)


def test_a_grid_is_needed_in_the_end():
    with pytest.raises(ValueError, match="grid: Particles"):
        jn.solve(
            jn.Network(weight=0.0),
            jn.Particles(4),
            y0=jnp.zeros(4),
            t1=1.0,
            dt=0.1,
            key=jax.random.key(0),
        )


@pytest.mark.parametrize("num", [2, 10])
def test_few_neurons_fire_together_without_end(num):
    # A burst is no reason to expect the next one, whoever started it.
    y0 = 1.2 + 0.1 * np.random.default_rng(1).normal(size=num)
    sol = run(jn.Network(weight=3.0), num=num, y0=y0, dt=2e-3, seed=1)
    assert sol.result == jn.Result.completed
    assert sol.spikes[-1] < 30


def test_neurons_without_noise_fire_together_at_the_period_of_one():
    network = jn.Network(weight=3.0, noise=1e-8, drive=5.0)
    sol = run(network, num=10, y0=np.ones(10), dt=1e-3, seed=1)
    # From 1 to 2 under I = 5 a neuron takes log(4/3) = 0.288: six times in 2.
    assert sol.spikes[-1] == pytest.approx(6.0)


def test_steps_too_long_for_the_rate_are_warned_of():
    # At I = 60 a neuron fires every 1/58: once in two steps of 0.01.
    for dt, long in ((1e-2, True), (2e-3, False)):
        sol = run(jn.Network(weight=0.0, drive=60.0), num=100, dt=dt)
        assert sol.result == jn.Result.completed
        assert bool(sol.warnings[jn.WarningFlag.long_step]) == long


def test_neurons_that_fire_together_are_no_sign_of_a_long_step():
    sol = run(jn.Network(weight=3.0, drive=5.0), num=100, dt=2e-3)
    assert len(sol.events.time) > 3
    assert not bool(sol.warnings[jn.WarningFlag.long_step])
