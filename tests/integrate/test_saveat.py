"""When and what is saved."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxnlif as jn


def make_grid():
    return jn.Grid(v=jn.VoltageGrid(-4.0, 2.0, reset=1.0, num=12))


def run(saveat, weight=-0.5, **arguments):
    y0, network = jn.gaussian(make_grid(), v=(-1.0, 0.5)), jn.Network(weight=weight)
    arguments = {"t1": 1.0, "dt": 0.1} | arguments
    return jn.solve(network, jn.FluxShift(make_grid()), y0=y0, saveat=saveat, **arguments)


def density_and_weight(snapshot):
    return snapshot.density, snapshot.weights[0]


@pytest.mark.parametrize(
    ("saveat", "steps", "parts"),
    [
        (jn.SaveAt(num=2), [0, 10], 1),
        (jn.SaveAt(num=3), [0, 5, 10], 1),
        (jn.SaveAt(num=5), [0, 3, 5, 8, 10], [1, 0.5, 1, 0.5, 1]),
        (jn.SaveAt(num=31), [0, *np.repeat(range(1, 11), 3)], [1, *[1 / 3, 2 / 3, 1] * 10]),
        (jn.SaveAt(ts=[0.3]), [3], 1),
        (jn.SaveAt(ts=[0.0, 0.31, 0.34, 0.96]), [0, 4, 4, 10], [1, 0.1, 0.4, 0.6]),
    ],
)
def test_places_among_steps(saveat, steps, parts):
    saves = saveat.saves(0.0, 1.0, 10, np.dtype("float64"))
    np.testing.assert_array_equal(saves.steps, steps)
    np.testing.assert_allclose(saves.parts, np.broadcast_to(parts, len(steps)), rtol=1e-9)
    assert saves.between == bool(np.any(np.asarray(parts) < 1))


@pytest.mark.parametrize(("dtype", "num"), [(np.float64, 5), (np.float32, 24)], indirect=["dtype"])
def test_as_many_times_as_asked_for_equally_spaced_and_linear_between_steps(num, dtype):
    steps = run(jn.SaveAt(num=11))
    sol = run(jn.SaveAt(num=num, fn=density_and_weight))
    np.testing.assert_allclose(sol.ts, np.linspace(0, 1, num), rtol=2 * np.finfo(dtype).eps)
    jn.statistics.power_spectrum(sol.ts, sol.rate, segment=4)
    tolerance = {"rtol": 1e-4 if dtype == np.float32 else 1e-9, "atol": 1e-7}
    for name in ("rate", "spikes"):
        expected = np.interp(sol.ts, steps.ts, getattr(steps, name))
        np.testing.assert_allclose(getattr(sol, name), expected, **tolerance)
    density, weight = sol.saved
    expected = [np.interp(sol.ts, steps.ts, steps.saved[:, k, 0]) for k in range(12)]
    np.testing.assert_allclose(density[..., 0], np.transpose(expected), **tolerance)
    np.testing.assert_allclose(weight, sol.weights[:, 0], rtol=1e-6)
    # Those that are steps are what the solver computed, bit for bit.
    at_step = np.flatnonzero(jn.SaveAt(num=num).saves(0.0, 1.0, 10, dtype).parts == 1)
    whole = np.rint(np.linspace(0, 10, num)[at_step]).astype(int)
    np.testing.assert_array_equal(sol.rate[at_step], steps.rate[whole])
    assert float(sol.t_end) == pytest.approx(1.0)
    assert int(sol.stats["steps"]) == 10


def test_between_steps_under_jit_vmap_and_jvp():
    def rates(weight):
        return run(jn.SaveAt(num=5, fn=density_and_weight), weight).rate

    weights, step = np.asarray([-0.5, 0.5]), 1e-2
    both = jax.jit(jax.vmap(lambda weight: jax.jvp(rates, (weight,), (1.0,))))
    for weight, found, slopes in zip(weights, *both(weights), strict=True):
        np.testing.assert_allclose(found, rates(weight), rtol=1e-9)
        differences = (rates(weight + step) - rates(weight - step)) / (2 * step)
        np.testing.assert_allclose(slopes, differences, rtol=1e-2, atol=1e-9)


def test_between_an_event_and_the_step_before_is_the_nearest():
    grid = jn.Grid(v=jn.VoltageGrid(-4.0, 2.0, reset=1.0, num=30))
    times = [0.0, 0.001, 0.004, 0.006, 0.009, 0.01, 0.02]
    sol = jn.solve(
        jn.Network(weight=3.0),
        jn.FluxShift(grid, events=jn.Cascade()),
        y0=jn.gaussian(grid, v=(1.5, 0.05)),
        t1=0.02,
        dt=0.01,
        saveat=jn.SaveAt(ts=times),
    )
    rate = np.asarray(sol.rate)
    assert float(sol.events.time[0]) < 0.01
    nearest = np.array([0, 0, 0, 5, 5, 5, 6])
    np.testing.assert_array_equal(rate, rate[nearest])
    np.testing.assert_array_equal(sol.saved, sol.saved[nearest])
    assert np.all(rate[[0, 5]] != rate[[5, 6]])
    np.testing.assert_allclose(sol.spikes[:6], sol.spikes[5] * sol.ts[:6] / 0.01, rtol=1e-5)


def test_of_particles_the_nearest_step_but_for_their_spikes():
    sol = jn.solve(
        jn.Network(weight=0.0, drive=3.0),
        jn.Particles(100, make_grid()),
        y0=jn.gaussian(make_grid(), v=(1.0, 0.1)),
        t1=1.0,
        dt=0.1,
        key=jax.random.key(0),
        saveat=jn.SaveAt(num=31),
    )
    nearest = 3 * np.rint(np.arange(31) / 3).astype(int)
    np.testing.assert_array_equal(sol.rate, sol.rate[nearest])
    np.testing.assert_array_equal(sol.saved, sol.saved[nearest])
    expected = np.interp(sol.ts, sol.ts[::3], sol.spikes[::3])
    np.testing.assert_allclose(sol.spikes, expected, rtol=1e-5, atol=1e-7)
    assert np.ptp(sol.rate) > 0


def test_default_is_the_density_at_101_times():
    sol = run(None, dt=0.01)
    assert sol.ts.shape == (101,)
    assert sol.density(-1).shape == make_grid().shape


def test_late_start_and_no_end():
    whole = run(jn.SaveAt(num=11))
    part = run(jn.SaveAt(ts=[0.4, 0.6]))
    np.testing.assert_array_equal(part.saved, whole.saved[np.array([4, 6])])
    # The run goes on to t1 after the last save.
    assert float(part.t_end) == pytest.approx(1.0)
    np.testing.assert_array_equal(part.state.density, whole.density(-1))


def test_a_function_of_the_snapshot():
    whole = run(jn.SaveAt(num=11))
    sol = run(jn.SaveAt(num=11, fn=lambda s: {"peak": jnp.max(s.density), "rate": s.rate}))
    np.testing.assert_array_equal(sol.saved["peak"], np.max(whole.saved, axis=(1, 2)))
    np.testing.assert_array_equal(sol.saved["rate"], whole.rate)
    with pytest.raises(ValueError, match="density: not saved"):
        sol.density(-1)


def test_nothing_but_rates():
    sol = run(jn.SaveAt(num=3, fn=None))
    assert sol.saved is None
    assert sol.rate.shape == (3,)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: jn.SaveAt(), "ts, num: give exactly one"),
        (lambda: jn.SaveAt([0.0, 1.0], num=2), "ts, num: give exactly one"),
        (lambda: jn.SaveAt(num=1), "num = 1: must be at least 2"),
        (lambda: jn.SaveAt(ts=[1.0, 0.5]), "ts: must be strictly increasing"),
        (lambda: jn.SaveAt(ts=[0.5, 0.5]), "ts: must be strictly increasing"),
        (lambda: jn.SaveAt(ts=[]), "ts: must be a non-empty"),
        (lambda: jn.SaveAt(ts=[0.0, float("nan")]), r"ts = nan at \[1\]: must be finite"),
        (lambda: run(jn.SaveAt(ts=[0.0, 2.0])), r"saveat: ts = 2 lies outside t0 = 0 … t1 = 1"),
        (lambda: run(jn.SaveAt(ts=[-0.1, 1.0])), r"saveat: ts = -0.1 lies outside"),
        (
            lambda: jn.SaveAt(ts=[0.5, 0.5 + 1e-9]).saves(0.0, 1.0, 10, np.dtype("float32")),
            r"saveat: ts = 0.500000001 is that before in float32",
        ),
    ],
)
def test_wrong_save_times_are_refused(make, message):
    with pytest.raises(ValueError, match=message) as caught:
        make()
    assert "\n" not in str(caught.value)
