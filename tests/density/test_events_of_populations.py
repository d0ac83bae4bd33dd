"""Events between populations: excitatory kicks carry them, inhibitory ones act in them."""

import jax.numpy as jnp
import numpy as np
import pytest

import jaxnlif as jn
from jaxnlif.density.blowup import cascade

LINE = jn.VoltageGrid(-4.0, 2.0, reset=1.0, num=120)
PAIR = jn.Grid(LINE, populations=2)
CASCADE = jn.Cascade(max_events=16)


def _run(weight, t1, *, dt=0.01, grid=PAIR, **given):
    model = jn.Network(weight=weight, **given)
    y0 = jn.gaussian(grid, v=(-1.0, 0.25))
    return jn.solve(model, jn.FluxShift(grid, events=CASCADE), y0=y0, t1=t1, dt=dt)


def test_equal_populations_are_one():
    pair = _run([[2.0, 1.0]] * 2, 4.0)
    one = _run(3.0, 4.0, grid=jn.Grid(LINE))
    assert len(one.events.time) == 3
    assert pair.events.size.shape == (3, 2)
    np.testing.assert_allclose(pair.events.time, one.events.time, rtol=1e-9)
    np.testing.assert_allclose(pair.events.size[:, 1], one.events.size, rtol=1e-9)
    np.testing.assert_allclose(pair.spikes[-1], jnp.broadcast_to(one.spikes[-1], 2), rtol=1e-9)


def test_thresholds_and_membrane_times_scale():
    scaled = _run(
        [[8.0, 4.0]] * 2,
        8.0,
        dt=0.02,
        drive=-2.0,
        noise=4.0,
        threshold=[2.0, 2.0],
        reset=[0.0, 0.0],
        time_constant=2.0,
    )
    plain = _run([[2.0, 1.0]] * 2, 4.0)
    np.testing.assert_allclose(scaled.events.time, 2 * plain.events.time, rtol=1e-9)
    np.testing.assert_allclose(scaled.events.size, plain.events.size, rtol=1e-9)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_part_of_one_population_fires_with_all_of_the_other(dtype):
    """Particles, four times 60 000: 2.685 ± 0.01, and 0.329 ± 0.003 of the second."""
    v = jn.VoltageGrid(-3.0, 2.0, reset=1.0, num=240)
    grid = jn.Grid(v, populations=2, dtype=dtype)
    sol = _run([[4.0, -1.0], [1.5, -1.0]], 2.9, dt=0.005, grid=grid)
    (time,), (size,) = sol.events.time, sol.events.size
    assert abs(float(time) - 2.7) < 0.02
    np.testing.assert_allclose(size, [1.0, 0.33], atol=0.03)
    np.testing.assert_allclose(jnp.sum(sol.saved[-1], 0) * v.spacing, 1, atol=1e-5)
    assert float(jnp.min(sol.saved[-1])) >= 0


def test_resting_neurons_keep_the_mass():
    sol = _run([[3.0, 2.0]] * 2, 4.0, refractory=[0.05, 0.1], time_constant=[1.0, 1.2])
    assert len(sol.events.time) > 0
    mass = jnp.sum(sol.saved[-1], 0) * LINE.spacing + sol.refractory[-1]
    np.testing.assert_allclose(mass, 1, atol=1e-12)


def test_without_events_rates_are_those_of_the_implicit_coupling():
    for weight in ([[0.5, -1.0], [0.8, -1.0]], [[0.5, -30.0], [5.0, -30.0]]):
        model = jn.Network(weight=weight, drive=2.5)
        y0 = jn.gaussian(PAIR, v=(-1.0, 0.25))
        end = {"y0": y0, "t1": 8.0, "dt": 0.02}
        both = [
            jn.solve(model, solver, **end).rate[-1]
            for solver in (jn.FluxShift(PAIR, events=CASCADE), jn.FluxShift(PAIR, jn.Implicit()))
        ]
        np.testing.assert_allclose(*both, rtol=1e-6)


def test_inhibition_stops_an_event_but_takes_nobody_back():
    density = jnp.full((LINE.num, 2), 1 / (LINE.num * LINE.spacing))
    density = density.at[-20:].multiply(4.0)
    fired = jnp.array([0.01, 0.01])
    free = cascade(PAIR, density, fired, jnp.array([[3.0, 0.0], [3.0, 0.0]]))
    held = cascade(PAIR, density, fired, jnp.array([[3.0, -2.5], [3.0, -2.5]]))
    assert bool(free.is_event)
    assert not bool(held.is_event)
    assert bool(jnp.all((held.mass >= fired) & (held.mass <= free.mass)))
