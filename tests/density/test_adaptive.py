"""Adaptive steps: honest errors, jumps, saves between steps, derivatives, and what is refused."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxnlif as jn


class Rise(jn.AbstractDrive):
    """A drive that rises at a time, in a time of 1 / `speed`."""

    height: jax.Array
    at: jax.Array
    speed: jax.Array

    def __call__(self, t, w):
        return 0.5 + self.height * jax.nn.sigmoid((t - self.at) * self.speed) + 0 * w


def network(weight=0.5, height=1.5, at=0.7, speed=10.0):
    return jn.Network(weight=weight, drive=Rise(*map(jnp.asarray, (height, at, speed))))


def make_grid(dtype=None):
    return jn.Grid(jn.VoltageGrid(-4.0, 2.0, reset=1.0, num=60, dtype=dtype))


def adaptive(rtol, grid=None, **options):
    step_size = jn.Adaptive(rtol, 1e-2 * rtol, **options)
    return jn.FluxShift(grid or make_grid(), scheme=jn.BDF2(), step_size=step_size)


def solved(model, rtol, saveat=None, *, dtype=None, v=(0.0, 0.25), t1=2.0):
    solver = adaptive(rtol, make_grid(dtype))
    saveat = jn.SaveAt(num=5, fn=None) if saveat is None else saveat
    return jn.solve(model, solver, y0=jn.gaussian(solver.grid, v=v), t1=t1, dt=0.5, saveat=saveat)


@pytest.fixture(scope="module")
def true():
    """The rates at the ends of the steps of the run, to a much smaller tolerance."""
    return np.asarray(solved(network(), 1e-6).rate)


@pytest.mark.parametrize("rtol", [1e-2, 1e-3, 1e-4])
def test_the_estimated_error_is_that_of_the_run(rtol, true):
    sol = solved(network(), rtol)
    error, stats = abs(float(sol.rate[-1]) - true[-1]), sol.stats
    assert 1 / 5 < stats["rate_error"] / error < 5
    assert np.max(np.abs(sol.rate[1:] - true[1:])) < 5 * stats["largest_rate_error"]
    assert error < 5 * rtol * true[-1]
    assert stats["substeps"] == 2 * stats["accepted_steps"] + 1.5 * stats["rejected_steps"]
    assert f" ± {float(stats['rate_error']):.1g}" in repr(sol)
    assert sol.message == "completed"
    assert sol.t_end == 2.0


def test_a_jump_that_is_not_declared_is_warned_of():
    sol = solved(network(speed=1e12), 1e-3)
    assert sol.result == jn.Result.completed
    assert sol.warnings[jn.WarningFlag.rejected_steps]
    assert "near t = 0.7" in sol.message or "near t = 0.69" in sol.message


def test_saves_between_steps_are_those_of_shorter_ones_and_change_nothing(true):
    ts = np.asarray([0.1, 0.33, 0.5, 0.77, 0.81, 1.23, 2.0])
    save = jn.SaveAt(ts=ts)
    sol, fine = solved(network(), 1e-4, save), solved(network(), 1e-6, save)
    np.testing.assert_allclose(sol.rate, fine.rate, rtol=1e-3)
    np.testing.assert_allclose(np.sum(sol.saved, (1, 2)) * make_grid().cell_area, 1, rtol=1e-12)
    whole = solved(network(), 1e-4)
    assert whole.rate[-1] == sol.rate[-1]
    assert whole.rate[1] == sol.rate[2]
    # Linear in time they would be far off.
    linear = np.interp(ts, np.linspace(0, 2, 5), true)
    assert np.max(np.abs(linear - fine.rate)) > 0.01


def test_single_precision_keeps_the_tolerance(true):
    sol = solved(network(), 1e-4, dtype=np.float32)
    np.testing.assert_allclose(sol.rate[1:], true[1:], rtol=1e-3)
    assert float(sol.stats["mass_drift"]) < 1e-5


def test_a_blow_up_is_found_at_its_time():
    sol = solved(network(weight=3.0, height=0.0, speed=0.0), 1e-3, v=(0.5, 0.1), t1=4.0)
    assert sol.result == jn.Result.blow_up
    shorter = solved(network(weight=3.0, height=0.0, speed=0.0), 1e-4, v=(0.5, 0.1), t1=4.0)
    assert float(sol.t_end) == pytest.approx(float(shorter.t_end), abs=0.01)
    assert float(sol.t_end) % 0.5 > 0.01
    assert "±" not in repr(sol)


def test_a_tolerance_that_is_not_met_ends_the_run():
    sol = solved(network(), 2e-11)
    assert sol.result == jn.Result.tolerance_not_met
    assert 0 < sol.t_end < 2
    assert np.all(np.isfinite(sol.rate))


def test_derivatives_are_those_of_central_differences_also_in_a_batch():
    solver = adaptive(1e-3, max_substeps=1000)
    start, dt = jnp.zeros(()), jnp.asarray(0.5)
    y0 = jn.gaussian(solver.grid, v=(0.0, 0.25))

    def rate(weight):
        model = network(weight, at=0.2)
        state = solver.start(model, start, dt, solver.init(model, start, y0, None))
        return solver.step(model, start, dt, state).rate

    e = 1e-4
    weights = jnp.asarray([0.5, 0.5 + e, 0.5 - e, -2.0])
    rates, slopes = jax.jit(jax.vmap(lambda w: jax.jvp(rate, (w,), (jnp.ones(()),))))(weights)
    difference = float(rates[1] - rates[2]) / (2 * e)
    assert float(slopes[0]) == pytest.approx(difference, rel=1e-6)
    assert abs(slopes[3]) > 1e-4


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"delay": 0.6}, "delay"),
        ({"refractory": 0.6}, "refractory"),
        ({"adaptation": jn.Adaptation(1.0, 1.0)}, "adaptation"),
    ],
)
def test_what_is_not_followed_is_refused(given, named):
    model = jn.Network(weight=0.5, **given)
    with pytest.raises(ValueError, match=f"^{named}: not followed by Adaptive"):
        solved(model, 1e-3)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"events": jn.Cascade()}, "^events: not followed by Adaptive"),
        ({"neurons": 100}, "^neurons: "),
        ({"scheme": jn.Euler()}, "^step_size: Adaptive needs .* scheme=BDF2"),
        ({"step_size": jn.Adaptive(1e-12, 1e-6)}, "^rtol = 1e-12: must be at least 1.8e-11"),
        ({"step_size": jn.Adaptive(1e-4, 1e-20)}, "^atol = 1e-20: must be at least 2.2e-16"),
    ],
)
def test_solvers_and_tolerances_are_refused(given, message):
    grid = make_grid()
    given = {"scheme": jn.BDF2(), "step_size": jn.Adaptive(1e-4, 1e-6)} | given
    with pytest.raises(ValueError, match=message):
        jn.solve(
            jn.Network(weight=0.5),
            jn.FluxShift(grid, **given),
            y0=jn.gaussian(grid, v=(0.0, 0.25)),
            t1=1.0,
            dt=0.1,
            key=jax.random.key(0),
        )


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ((0.0, 1e-6), "^rtol = 0: must be positive"),
        ((1e-4, -1.0), "^atol = -1: must be positive"),
        ((1e-4, np.nan), "^atol = nan: must be finite"),
        (([1e-4, 1e-3], 1e-6), "^rtol = .*: must be a single number"),
    ],
)
def test_tolerances_that_are_none(values, message):
    with pytest.raises(ValueError, match=message):
        jn.Adaptive(*values)


def test_switches_are_refused():
    with pytest.raises(ValueError, match=r"^macro: has Adaptive steps"):
        jn.MultiScale(adaptive(1e-3), jn.Particles(100), finite_size_noise=False)
