"""The multi-scale solver: hand-over, regimes, events, cost-free when it never switches."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxnlif as jn
from jaxnlif.particles.histogram import deposit
from jaxnlif.particles.sampling import stratified

KEY = jax.random.key(0)


def make_line():
    return jn.Grid(v=jn.VoltageGrid(-4.0, 2.0, reset=1.0, num=150))


def run(network, solver, *, t1=4.2, dt=5e-3, key=KEY, y0=None, **arguments):
    y0 = jn.gaussian(solver.grid, v=(-1.0, 0.5)) if y0 is None else y0
    arguments = {"saveat": jn.SaveAt(num=85, fn=None)} | arguments
    return jn.solve(network, solver, y0=y0, t1=t1, dt=dt, key=key, **arguments)


@pytest.fixture(scope="module")
def line():
    return make_line()


@pytest.fixture(scope="module")
def synchronous(line):
    return synchronised(line)


def followed_by(line):
    """What most tests run, so that it is compiled once."""
    return jn.MultiScale(jn.FluxShift(line), jn.Particles(5000, raster=50), substeps=5)


def synchronised(line):
    return run(jn.Network(weight=3.0), followed_by(line))


def by_rate(line, up, down, dwell=0.02):
    """Few neurons, all of them recorded."""
    micro, switch = jn.Particles(200, raster=200), jn.RateSwitch(up=up, down=down, dwell=dwell)
    return jn.MultiScale(jn.FluxShift(line), micro, switch, substeps=5)


def test_strong_excitation_synchronises_on_and_on(synchronous):
    sol = synchronous
    assert sol.result == jn.Result.completed
    # 5000 neurons: the first event comes at 3.416 ± 0.1, the next ones 0.23 later each.
    assert sol.events.time[0] == pytest.approx(3.416, abs=0.4)
    np.testing.assert_allclose(np.diff(sol.events.time), 0.23, atol=0.05)
    assert np.all(np.asarray(sol.events.size) > 0.95)


def test_rates_beyond_one_spike_a_step_end_the_run(line):
    # Particles make steps of 0.05.
    sol = run(jn.Network(weight=0.9, drive=60.0), followed_by(line), t1=21.0, dt=0.25)
    assert sol.result == jn.Result.event_budget_exceeded


def test_kicks_as_large_as_can_be_are_recorded_as_events(line):
    sol = run(jn.Network(weight=1e6), followed_by(line), t1=2.1, dt=0.025)
    assert len(sol.events.time) > 0


def test_particles_are_followed_around_events_only(synchronous):
    sol = synchronous
    switches = sol.switches
    np.testing.assert_array_equal(np.asarray(switches.regime)[::2], jn.Regime.particles)
    np.testing.assert_array_equal(np.asarray(switches.regime)[1::2], jn.Regime.density)
    assert np.all(np.asarray(switches.criterion)[::2] >= 0.3 - 1e-6)
    begin = np.asarray(switches.time)[::2][: len(sol.events.time)]
    assert np.all(begin < np.asarray(sol.events.time)[: len(begin)])
    assert np.mean(np.asarray(sol.regime) == jn.Regime.particles) < 0.3
    last = switches.time[-1] if sol.regime[-1] == jn.Regime.density else np.inf
    assert sol.stats["differentiable_from"] == last


def test_mass_and_spikes_go_on_through_switches(dtype):
    sol = synchronised(make_line())
    assert sol.stats["mass_drift"] < 1000 * np.finfo(dtype).eps
    assert sol.stats["minimum"] >= 0
    assert np.all(np.diff(np.asarray(sol.spikes)) >= 0)
    assert float(sol.spikes[-1]) > float(jnp.sum(sol.events.size))
    assert len(sol.raster.time) >= 0.9 * 50 * len(sol.events.time)


def test_spikes_of_particles_come_within_their_step(line):
    # From the first step on particles are followed, in steps of 0.01.
    solver = by_rate(line, up=1e-9, down=1e-12, dwell=100.0)
    y0 = jn.gaussian(line, v=(1.0, 0.1))
    sol = run(jn.Network(weight=0.0, drive=5.0), solver, dt=0.05, y0=y0)
    time = np.asarray(sol.raster.time)
    assert np.all(np.asarray(sol.regime)[1:] == jn.Regime.particles)
    # Every neuron is recorded: spikes up to a saved time are those counted until then.
    counts = [np.sum(time <= t + 1e-6) / 200 for t in np.asarray(sol.ts)]
    fired = np.asarray(sol.spikes - sol.spikes[1])[1:]
    np.testing.assert_allclose(np.array(counts)[1:] - counts[1], fired, atol=1e-6)
    assert fired[-1] > 1


def test_a_network_that_never_switches_is_its_density(line):
    def run_and_slope(solver):
        def rate(weight):
            # One block of steps: less to compile.
            arguments = {"t1": 0.5, "saveat": jn.SaveAt(num=2), "store_every": 100}
            sol = run(jn.Network(weight=weight), solver, **arguments)
            return sol.rate[-1], (sol.saved, sol.logs, sol.stats["differentiable_from"])

        (_, found), slope = jax.jit(jax.value_and_grad(rate, has_aux=True))(0.5)
        return *found, slope

    solver = jn.MultiScale(jn.FluxShift(line), jn.Particles(1000), finite_size_noise=False)
    saved, logs, since, slope = run_and_slope(solver)
    plain, _, _, expected = run_and_slope(solver.macro)
    np.testing.assert_array_equal(saved, plain)
    assert logs["switches"].count == 0
    assert since == -np.inf
    np.testing.assert_allclose(slope, expected, rtol=1e-12)


def test_a_density_that_blows_up_is_left_to_particles(line):
    sol = run(jn.Network(weight=3.0), by_rate(line, up=1e5, down=1.0))
    assert sol.result == jn.Result.completed
    assert len(sol.switches.time) >= 2


def test_strong_inhibition_settles_at_its_rate(line):
    (exact,) = jn.stationary.self_consistent_rates(-10.0, 10.0, 1.0)
    sol = run(jn.Network(weight=-10.0, drive=10.0), followed_by(line), t1=42.0, dt=5e-2)
    assert sol.result == jn.Result.completed
    found = float(sol.spikes[-1] - sol.spikes[2]) / 41
    assert found == pytest.approx(float(exact), rel=0.03)


def test_a_hand_over_leaves_no_rate_of_the_mesh(line):
    # Neurons up to the threshold: the flux of their density would be ∝ 1/h.
    solver = jn.MultiScale(jn.FluxShift(line), jn.Particles(1000), jn.CascadeSwitch(up=9, down=8))
    network, zero, dt = jn.Network(weight=0.5), jnp.zeros(()), jnp.asarray(1e-2)

    @jax.jit
    def rates(y0):
        begun = solver.init(network, zero, y0, KEY)
        particles = solver.micro.init(network, zero, y0, KEY)
        handed = solver._deposit(network, zero, dt, particles, begun.density)
        return begun.density.rate, handed.rate

    before, after = rates(jn.gaussian(line, v=(1.5, 0.05)))
    assert float(before) > 5
    assert 1 < float(after) < 4.5


def test_particles_expect_what_the_density_fires_in_one_of_their_steps(line):
    # At 2 spikes per membrane time, 0.004 in each of five steps that make 0.01.
    network, zero, dt = jn.Network(weight=3.0, epsilon=0.5), jnp.zeros(()), jnp.asarray(5e-3)
    solver = jn.MultiScale(jn.FluxShift(line), jn.Particles(1000), substeps=5)

    @jax.jit
    def drawn(y0):
        begun = solver.init(network, zero, y0, KEY)
        density = replace(begun.density, rate=jnp.asarray(2.0))
        particles = solver._draw(network, zero, dt, density, begun.watch.particles, KEY)
        return particles.expected, particles.rate

    expected, rate = drawn(jn.gaussian(line, v=(-1.0, 0.5)))
    assert float(expected) == pytest.approx(2.0 * 0.01 / 5)
    assert float(rate) == 2.0


def test_structured_networks_switch_as_unstructured_ones(line):
    grid = jn.Grid(v=line.v, w=jn.WeightGrid(2.9, 3.1, num=4))
    solver = jn.MultiScale(jn.FluxShift(grid), jn.Particles(5000), substeps=5)
    sol = run(jn.Network(), solver, t1=4.0, y0=jn.gaussian(grid, v=(-1.0, 0.5), w=(3.0, 0.01)))
    assert sol.result == jn.Result.completed
    assert sol.events.time[0] == pytest.approx(3.416, abs=0.4)
    assert np.all(np.asarray(sol.events.size) > 0.9)
    np.testing.assert_allclose(sol.weights[-1], sol.weights[0], atol=0.05)


def test_the_round_trip_keeps_mass_mean_and_variance(dtype):
    line = make_line()
    density = jn.gaussian(line, v=(-1.0, 0.5))
    back = jax.jit(lambda p: deposit(line, *stratified(line, p, 100_000, KEY)))(density)
    v, h = line.v.nodes, line.v.spacing
    before, after = (
        np.array([np.sum(p), np.sum(p * v), np.sum(p * v**2)])
        for p in (np.asarray(p, float)[:, 0] * h for p in (density, back))
    )
    assert after[0] == pytest.approx(before[0], rel=20 * float(np.finfo(dtype).eps))
    # Linear interpolation and linear sharing each add h²/6 to the variance.
    np.testing.assert_allclose(after[1:], before[1:], atol=2 * (h**2 / 3 + 1e-5))


def test_wrong_parts(line):
    for macro, message in (
        (jn.FluxShift(line, events=jn.Cascade()), "macro: has events"),
        (jn.FluxShift(line, neurons=10), "macro: has neurons"),
    ):
        with pytest.raises(ValueError, match=message):
            jn.MultiScale(macro, jn.Particles(10))


def test_wrong_runs(line):
    coarse = jn.Grid(v=jn.VoltageGrid(-4.0, 2.0, reset=1.0, num=60))
    strong = jn.Network(weight=3.0)
    for network, grid, key, message in (
        (strong, coarse, KEY, "grid: spacing 0.1 must be at most 0.0666667"),
        (strong, line, None, "key"),
        (jn.Network(weight=3.0, delay=0.1), line, KEY, "delay: delayed networks"),
        (jn.Network(weight=3.0, refractory=0.1), line, KEY, "refractory: must be None"),
    ):
        with pytest.raises(ValueError, match=message):
            run(network, jn.MultiScale(jn.FluxShift(grid), jn.Particles(10)), key=key)
