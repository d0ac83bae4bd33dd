"""When firing carries itself, by hand and at the published case."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxnlif as jn
from jaxnlif.density.blowup import MAX_RATE, blows_up

LINE = jn.Grid(v=jn.VoltageGrid(-4.0, 2.0, reset=1.0, num=60))  # h = 0.1
H = 0.1


def density_at(*where):
    density = np.zeros(LINE.shape)
    for value, rows in where:
        density[rows] = value
    return jnp.asarray(density / (density.sum() * H))


decide = jax.jit(blows_up, static_argnums=0)


def outcome(density, rate, weight, duration=1e-3):
    return bool(
        decide(
            LINE,
            density,
            jnp.asarray(float(rate)),
            jnp.asarray([weight]),
            jnp.asarray(duration),
        )
    )


NEAR = density_at((1.0, slice(50, 60)))  # all mass within 1 of the threshold: p = 1
FAR = density_at((1.0, slice(0, 30)))  # nobody within 3


def test_a_kick_that_fires_more_than_it_took_is_an_event():
    # A tenth fires, its jump of 0.3 reaches another quarter, and so on.
    assert outcome(NEAR, rate=100.0, weight=3.0)


def test_nobody_near_the_threshold_means_no_event():
    assert not outcome(FAR, rate=1.0, weight=2.9)


def test_a_kick_that_fires_less_than_it_took_dies_out():
    assert not outcome(NEAR, rate=100.0, weight=0.5)


@pytest.mark.parametrize("weight", [0.0, -3.0])
def test_inhibition_never_blows_up(weight):
    assert not outcome(NEAR, rate=100.0, weight=weight)


def test_silence_never_blows_up():
    assert not outcome(NEAR, rate=0.0, weight=3.0)


@pytest.mark.parametrize("rate", [2 * MAX_RATE, float("inf"), float("nan")])
def test_a_rate_without_bound_is_a_blow_up_whatever_the_coupling(rate):
    assert outcome(FAR, rate=rate, weight=-1.0)


def test_a_step_in_which_all_fire_decides_nothing():
    assert not outcome(NEAR, rate=100.0, weight=3.0, duration=1.0)


def run(network, coupling=None, *, start=(-1.0, 0.5), t1, dt):
    grid = jn.Grid(v=jn.VoltageGrid(-4.0, 2.0, reset=1.0, num=300))
    solver = jn.FluxShift(grid, jn.Lagged() if coupling is None else coupling)
    return jn.solve(network, solver, y0=jn.gaussian(grid, v=start), t1=t1, dt=dt)


@pytest.mark.parametrize(("coupling", "error"), [(jn.Lagged(), 0.02), (jn.Implicit(), 0.01)])
def test_time_of_the_published_blow_up(coupling, error):
    # b = 3 from N(-1, 0.5): 3.417, by refined particles and by events on the density. A lagged
    # rate delays it by a few steps.
    sol = run(jn.Network(noise=1.0, weight=3.0), coupling, t1=5.0, dt=1e-3)
    assert sol.result == jn.Result.blow_up
    assert float(sol.t_end) == pytest.approx(3.417, abs=error)
    assert "rate grows without bound" in jn.Result[sol.result]
    assert np.all(np.isfinite(sol.rate))
    assert float(sol.ts[-1]) <= float(sol.t_end)


def test_a_start_close_to_the_threshold_blows_up_at_once():
    sol = run(jn.Network(noise=1.0, weight=1.5), start=(1.5, 0.005), t1=0.2, dt=1e-4)
    assert sol.result == jn.Result.blow_up
    assert float(sol.t_end) < 0.05


def test_an_inhibited_network_completes():
    sol = run(jn.Network(noise=1.0, weight=-1.0), start=(1.5, 0.005), t1=1.0, dt=1e-3)
    assert sol.result == jn.Result.completed


@pytest.mark.parametrize(
    ("network", "t1", "dt"),
    [
        (jn.Network(weight=8.0, response=jn.Saturating()), 10.0, 0.1),
        (jn.Network(weight=20.0, response=jn.Saturating()), 4.0, 0.02),
        (jn.Network(weight=0.8, drive=20.0), 4.0, 1e-3),
        (jn.Network(weight=0.9, drive=20.0), 4.0, 1e-3),
    ],
    ids=["bounded", "strong and bounded", "linear", "linear, near 1"],
)
@pytest.mark.parametrize("coupling", [jn.Lagged(), jn.Implicit()])
def test_a_network_that_settles_at_a_high_rate_does_not_blow_up(network, t1, dt, coupling):
    sol = run(network, coupling, t1=t1, dt=dt)
    assert sol.result == jn.Result.completed
    assert float(sol.rate[-1]) > 1
