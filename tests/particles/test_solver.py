"""`Particles`: rates, events, conservation, records, and what they cost to run again."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxnlif as jn

NUM = 2000
SAVEAT = jn.SaveAt(num=9)


def line(dtype=None, num=60):
    return jn.Grid(v=jn.VoltageGrid(-4.0, 2.0, reset=1.0, num=num, dtype=dtype))


def plane(weights=4):
    return jn.Grid(v=line().v, w=jn.WeightGrid(-1.0, 1.0, num=weights))


def run(network, *, grid=None, num=NUM, y0=None, t1=2.0, dt=1e-2, seed=0, key=None, **arguments):
    grid = line() if grid is None else grid
    if y0 is None:
        y0 = jn.gaussian(grid, v=(-1.0, 0.5), w=None if grid.w is None else (0.0, 0.1))
    key = jax.random.key(seed) if key is None else key
    solver = jn.Particles(num, grid, **arguments)
    return jn.solve(network, solver, y0=y0, t1=t1, dt=dt, saveat=SAVEAT, key=key)


def mean_rate(sol, since=2):
    """The mean rate from the save `since` on, and its standard error if spikes were Poisson."""
    spikes, time = sol.spikes[-1] - sol.spikes[since], sol.ts[-1] - sol.ts[since]
    return float(spikes / time), float(jnp.sqrt(spikes / sol.solver.num) / time)


# ---- rates -------------------------------------------------------------------------------------


@pytest.mark.parametrize("weight", [-1.0, 0.0, 0.5])
@pytest.mark.parametrize("drive", [0.0, 20.0])
def test_the_rate_is_the_stationary_one(weight, drive):
    # At I = 20 neurons that restarted only at the end of their step would fire 8.5 % too little,
    # and at I = 0 end points alone would miss 21 % of the spikes; four errors are 6 % and 1 %.
    start = (-0.2, 0.9) if drive == 0 else (1.2, 0.05)
    sol = run(
        jn.Network(weight=weight, drive=drive), y0=jn.gaussian(line(), v=start), t1=24.0, seed=1
    )
    rate, error = mean_rate(sol)
    expected = float(jn.stationary.self_consistent_rates(weight, drive)[0])
    # Coupling changes how spikes count: excitation adds to the variance, inhibition takes from it.
    assert abs(rate - expected) <= 4 * error * (1 if weight <= 0 else 1 / (1 - weight))


def test_first_passages_after_a_full_event():
    # 0.0119435 of the neurons that start at V_R fire within 0.1: an independent calculation.
    sol = run(jn.Network(weight=0.0), num=100_000, y0=jnp.ones(100_000), t1=0.1)
    assert abs(float(sol.spikes[-1]) - 0.0119435) <= 4 * np.sqrt(0.0119435 / 100_000)


def test_a_weight_grid_gives_the_rates_of_the_density():
    grid = plane()
    network = jn.Network(drive=3.0, response=jn.Identity())
    y0 = jn.gaussian(grid, v=(0.0, 0.5), w=(-0.2, 0.2))
    sol = run(network, grid=grid, y0=y0, num=20_000, t1=8.0)
    density = jn.solve(network, jn.FluxShift(grid), y0=y0, t1=8.0, dt=1e-2, saveat=SAVEAT)
    rate, error = mean_rate(sol)
    # 0.5 %: the density at h = 0.1 and Δt = 0.01
    assert abs(rate - float(density.rate[-1])) <= 4 * error + 5e-3 * rate
    np.testing.assert_allclose(sol.weights[-1], density.weights[0], atol=2e-4)
    share = np.asarray(sol.rates[-1]) * grid.weight_spacing
    np.testing.assert_allclose(share.sum(), sol.rate[-1], rtol=1e-5)


def test_a_bounded_response_acts_as_a_drift():
    grid = plane()
    network = jn.Network(drive=3.0, response=jn.Saturating())
    sol = run(network, grid=grid, num=20_000, t1=8.0)
    density = jn.solve(
        network,
        jn.FluxShift(grid),
        y0=jn.gaussian(grid, v=(-1.0, 0.5), w=(0.0, 0.1)),
        t1=8.0,
        dt=1e-2,
        saveat=SAVEAT,
    )
    rate, error = mean_rate(sol)
    assert abs(rate - float(density.rate[-1])) <= 4 * error + 5e-3 * rate
    assert len(sol.events.time) == 0


def test_strong_inhibition_does_not_swing():
    sol = run(jn.Network(weight=-5.0, drive=20.0), num=20_000, y0=jnp.zeros(20_000), t1=4.0)
    rate, _ = mean_rate(sol)
    expected = float(jn.stationary.self_consistent_rates(-5.0, 20.0)[0])
    assert abs(rate / expected - 1) <= 0.01
    assert np.all(np.abs(np.asarray(sol.rate[2:]) / expected - 1) <= 0.3)


def test_epsilon_is_the_ratio_of_the_time_scales():
    slow = run(jn.Network(weight=0.5, epsilon=1.0), t1=2.0, dt=1e-2)
    fast = run(jn.Network(weight=0.5, epsilon=0.1), t1=0.2, dt=1e-3)
    np.testing.assert_allclose(fast.rate, slow.rate, rtol=1e-3)
    np.testing.assert_allclose(10 * fast.spikes, slow.spikes, rtol=1e-3)


# ---- events ------------------------------------------------------------------------------------


def test_times_and_sizes_of_events():
    times = []
    for seed in range(4):
        sol = run(jn.Network(weight=3.0), num=20_000, t1=4.0, dt=4e-3, seed=seed)
        assert sol.result == jn.Result.completed
        assert np.all(np.asarray(sol.events.size) > 0.9)
        assert np.all(np.abs(np.diff(sol.events.time) - 0.23) <= 0.03)
        times.append(float(sol.events.time[0]))
    # The density converges to 3.4161; single runs of this size scatter by 0.05.
    assert abs(np.mean(times) - 3.42) <= 4 * 0.05 / 2


def test_events_that_follow_one_another_at_once_end_the_run():
    sol = run(jn.Network(weight=3.0), t1=6.0, reset=jn.Shift())
    assert sol.result == jn.Result.event_budget_exceeded
    assert 3 <= float(sol.t_end) < 6


def test_more_events_than_there_is_room_for_end_the_run():
    sol = run(jn.Network(weight=3.0), t1=6.0, max_events=2)
    assert sol.result == jn.Result.event_budget_exceeded
    assert len(sol.events.time) == 2


def test_shift_and_hold_agree_where_nothing_is_synchronous():
    hold = run(jn.Network(weight=0.5))
    shift = run(jn.Network(weight=0.5), reset=jn.Shift())
    assert abs(float(hold.spikes[-1] - shift.spikes[-1])) <= 0.01


# ---- delay and refractory period ---------------------------------------------------------------


@pytest.mark.parametrize(("period", "drive"), [(0.5, 4.0), (0.015, 20.0)])
def test_a_refractory_period_lengthens_the_interval(period, drive):
    network = jn.Network(weight=0.0, drive=drive, refractory=period)
    sol = run(network, num=10_000, y0=jnp.zeros(10_000), t1=10.0)
    rate, error = mean_rate(sol)
    expected = 1 / (period + 1 / float(jn.stationary.firing_rate(drive)))
    assert abs(rate - expected) <= 4 * error
    resting = np.asarray(sol.refractory[2:])
    # Those resting at the end of a step, and the trials of ten thousand neurons.
    assert np.all(np.abs(resting - period * expected) <= 0.02)


@pytest.mark.parametrize("delay", [0.1, jn.ExponentialDelay(0.1)])
def test_mass_and_resting_make_one(delay, dtype):
    network = jn.Network(weight=3.0, drive=2.0, delay=delay, refractory=0.05, noise_slope=0.1)
    sol = run(network, grid=line(dtype))
    assert sol.result == jn.Result.completed
    mass = np.asarray([sol.solver.grid.mass(p) for p in sol.saved]) + np.asarray(sol.refractory)
    np.testing.assert_allclose(mass, 1, atol=8 * float(np.finfo(dtype).eps))
    assert float(sol.refractory[-1]) > 0
    assert len(sol.events.time) == 0


def test_a_delayed_network_has_the_stationary_rate():
    sol = run(jn.Network(weight=-1.0, drive=4.0, delay=0.1), num=20_000, t1=8.0)
    rate, error = mean_rate(sol)
    expected = float(jn.stationary.self_consistent_rates(-1.0, 4.0)[0])
    assert abs(rate - expected) <= 4 * error


def test_inhibition_acts_after_its_delay():
    early = run(jn.Network(weight=0.0, drive=5.0), t1=0.4)
    late = run(jn.Network(weight=-30.0, drive=5.0, delay=0.2), t1=0.4)
    first = int(np.argmax(np.asarray(early.spikes) > 0))
    assert float(late.spikes[first]) == float(early.spikes[first])


# ---- records, transformations, bad input -------------------------------------------------------


def test_a_raster_holds_the_spikes_of_its_neurons():
    sol = run(jn.Network(weight=0.0, drive=20.0), raster=NUM, t1=1.0)
    np.testing.assert_allclose(len(sol.raster.time) / NUM, sol.spikes[-1], rtol=1e-4)
    assert np.all(np.diff(np.asarray(sol.raster.time)) >= 0)
    few = run(jn.Network(weight=0.0, drive=20.0), raster=5, t1=1.0, raster_capacity=40)
    assert set(np.asarray(few.raster.neuron)) == set(range(5))
    assert len(few.raster.time) == 40
    assert few.result == jn.Result.completed


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


def test_new_numbers_do_not_recompile():
    traces = 0

    class Counted(jn.AbstractDrive):
        value: jax.Array

        def __call__(self, t, w):
            nonlocal traces
            traces += 1
            return jnp.full_like(w, self.value)

    def go(drive, weight, noise, seed, dt):
        network = jn.Network(noise=noise, weight=weight, drive=Counted(jnp.asarray(drive)))
        return run(network, seed=seed, t1=100 * dt, dt=dt)

    go(0.0, 0.5, 1.0, 0, 1e-2)
    before = traces
    go(20.0, -1.0, 0.5, 3, 2e-2)
    assert traces == before + 1  # once more by `validate`, which only looks at shapes


def test_neurons_can_be_given():
    grid = plane()
    v, w = np.linspace(-1, 1, NUM), np.linspace(-1, 1, NUM)
    sol = run(jn.Network(drive=jn.Bump(1.0, 2.0, 0.0, 0.2)), grid=grid, y0=(v, w))
    np.testing.assert_allclose(sol.weights[0], 0.5, rtol=1e-5)
    np.testing.assert_array_equal(sol.state.weights, jnp.asarray(w, grid.dtype))
    assert float(jnp.sum(sol.rates[-1])) > 0


def test_not_a_number_is_reported():
    network = jn.Network(weight=0.5, drive=lambda t, w: jnp.where(t > 0.1, jnp.nan, 0 * w))
    sol = run(network)
    assert sol.result == jn.Result.non_finite
    assert np.all(np.isfinite(sol.saved))


def test_what_it_tells_of_itself():
    sol = run(jn.Network(weight=0.5))
    assert np.all(np.asarray(sol.regime) == jn.Regime.particles)
    assert float(sol.stats["differentiable_from"]) == np.inf
    assert int(sol.stats["cascade_rounds"]) > 0
    with pytest.raises(ValueError, match="raster"):
        _ = sol.raster
    leaves, structure = jax.tree.flatten(sol)
    assert eqx.tree_equal(jax.tree.unflatten(structure, leaves).spikes, sol.spikes)


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
    "delay = 100: is 10000 steps": lambda: run(jn.Network(weight=0.0, delay=100.0)),
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
    "y0 weights from 3 to 3": lambda: run(
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
