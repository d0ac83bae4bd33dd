"""Second order in time: orders, what is kept, restarts, memory, and what is refused."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxnlif as jn
from jaxnlif.density.bdf2 import limited_share
from jaxnlif.machine.machine import HERE
from jaxnlif.model.course import filtered

GRID = jn.Grid(jn.VoltageGrid(-4.0, 2.0, reset=1.0, num=60))


def smooth(t, w):
    return 0.5 + 0.5 * jnp.sin(3 * t) + 0 * w


def solved(model, num, grid=GRID, *, t1=1.0, saveat=None, **solver):
    return jn.solve(
        model,
        jn.FluxShift(grid, scheme=jn.BDF2(), **solver),
        y0=jn.gaussian(grid, v=(-1.0, 0.05)),
        t1=t1,
        dt=t1 / num,
        saveat=jn.SaveAt(num=11) if saveat is None else saveat,
    )


@pytest.mark.parametrize(
    "network",
    [
        {"weight": 0.5},
        {"weight": -5.0},
        {"weight": 1.5, "delay": 0.113},
        {"weight": 0.5, "refractory": 0.113},
        {"weight": 0.5, "delay": jn.ExponentialDelay(0.05)},
        {"weight": 0.5, "delay": jn.GammaDelay(0.2, 0.06, slots=640)},
        {"weight": 0.5, "adaptation": jn.Adaptation(3.0, 0.2)},
        {"weight": 0.5, "drive": jn.Pulse(base=0.3, height=1.0, start=0.333, duration=0.4)},
    ],
    ids=["excites", "inhibits", "delay", "rest", "exponential", "gamma", "adaptation", "jumps"],
)
def test_errors_fall_with_the_square_of_the_step(network):
    model = jn.Network(**({"drive": smooth} | network))
    coarse, half, fine = (solved(model, num) for num in (80, 160, 960))

    def error(sol):
        rate = np.max(np.abs(sol.rate - fine.rate)[1:])
        return np.array([rate, np.max(np.abs(sol.spikes - fine.spikes))])

    # A jump leaves a rate like the root of the time since then, which costs half an order.
    least = 2.0 if "drive" in network else 3.5
    assert np.all(error(coarse) > least * error(half))
    assert fine.message == "completed"


def test_a_population_of_each_kind_is_followed_to_second_order():
    grid = jn.Grid(GRID.v, populations=2)
    model = jn.Network(
        weight=jnp.array([[0.5, -1.0], [1.0, -0.5]]),
        drive=smooth,
        delay=0.1,
        synaptic_time_constant=0.02,
        time_constant=jnp.array([1.0, 0.5]),
    )
    coarse, half, fine = (solved(model, num, grid) for num in (80, 160, 960))
    error = [np.max(np.abs(sol.rate - fine.rate)[1:]) for sol in (coarse, half)]
    assert error[0] > 3.5 * error[1]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("epsilon", [1.0, 1e-3, 0.0])
@pytest.mark.parametrize("dt", [1e-3, 0.1, 50.0])
def test_mass_and_sign_are_kept_at_every_step(dtype, epsilon, dt):
    grid = jn.Grid(jn.VoltageGrid(-4.0, 2.0, reset=1.0, num=60, dtype=dtype))
    model = jn.Network(weight=-3.0, drive=smooth, noise=0.3, epsilon=epsilon)
    sol = solved(model, 40, grid, t1=40 * dt, saveat=jn.SaveAt(num=41, fn=None))
    assert float(sol.stats["mass_drift"]) < 10 * np.finfo(dtype).eps
    assert float(sol.stats["minimum"]) >= 0
    assert np.all(np.isfinite(sol.rate))


def test_neurons_that_rest_are_not_lost_over_unequal_steps():
    class Parts(jn.AbstractStepSize):
        max_substeps: int = eqx.field(static=True, default=100)

        def longest(self, situation):
            noise = 1e5 * situation.rate
            return situation.dt / 4 * 2 ** (noise - jnp.floor(noise) - 0.5)

    model = jn.Network(weight=0.5, drive=smooth, refractory=0.1)
    sol = solved(model, 20, step_size=Parts())
    assert int(sol.stats["substeps"]) > 60
    assert float(sol.stats["mass_drift"]) < 1e-14
    assert float(sol.refractory[-1]) > 1e-3


@pytest.mark.parametrize(
    ("coupling", "dt"), [(jn.Lagged(), 0.01), (jn.Corrected(), 1.0), (jn.Implicit(), 1.0)]
)
def test_strong_inhibition_has_one_steady_rate(coupling, dt):
    grid = jn.Grid(GRID.v, jn.WeightGrid(-1.0, 0.0, num=20))
    model = jn.Network(drive=4.0, response=lambda rate: 5 * rate, epsilon=1e-6)
    sol = jn.solve(
        model,
        jn.FluxShift(grid, coupling, scheme=jn.BDF2()),
        y0=jn.gaussian(grid, v=(-1.0, 0.5), w=(-0.5, 0.005)),
        t1=10 * dt,
        dt=dt,
        saveat=jn.SaveAt(num=11, fn=None),
    )
    # The first step of those of 0.01 begins with what is left of the initial density.
    assert np.allclose(sol.rate[2:], 0.914893, rtol=1e-4)
    assert np.ptp(sol.rate[-5:]) < 1e-8


@pytest.mark.parametrize(
    "network", [{"weight": -0.8}, {"weight": 0.5, "refractory": jn.Delay(0.1, slots=8)}]
)
def test_gradients_are_those_of_the_run(network):
    def loss(x):
        model = jn.Network(drive=lambda t, w: x * smooth(t, w), noise=1 + 0.1 * x, **network)
        sol = solved(model, 20, saveat=jn.SaveAt(num=3, fn=None))
        return jnp.sum(sol.rate**2) + sol.spikes[-1]

    value, h = jax.jit(loss), 1e-4
    difference = (value(1 + h) - value(1 - h)) / (2 * h)
    assert abs(jax.jit(jax.grad(loss))(1.0) / difference - 1) < 1e-6


def test_events_are_those_of_short_steps():
    model = jn.Network(weight=3.0)
    times = []
    for scheme in (jn.Euler(), jn.BDF2()):
        solver = jn.FluxShift(GRID, events=jn.Cascade(mass_step=2e-3), scheme=scheme)
        y0 = jn.gaussian(GRID, v=(-1.0, 0.5))
        sol = jn.solve(model, solver, y0=y0, t1=6.0, dt=0.05, saveat=jn.SaveAt(num=7, fn=None))
        assert sol.result == jn.Result.completed
        assert float(sol.stats["mass_drift"]) < 1e-12
        times.append(np.asarray(sol.events.time))
    assert len(times[0]) == len(times[1]) > 0
    assert np.allclose(*times, rtol=0.02)


def test_the_share_is_the_largest_that_keeps_every_cell_positive():
    p = jnp.array([[1.0, 1.0], [0.1, 2.0], [0.0, 1e-30]])
    s = jnp.array([[-0.5, -0.5], [-0.9, 1.0], [0.0, -1e-20]])
    share = limited_share(p, p - s, jnp.full(2, 1e-12), jnp.asarray(1 / 3), HERE)
    assert np.allclose(share, [0.1 / 0.9, 1 / 3])


@pytest.mark.parametrize("steps", [1e-6, 0.049, 0.051, 1.0, 300.0])
def test_filters_are_exact_for_straight_signals(steps):
    before, after = 2.0, 3.0
    found = filtered(jnp.asarray(0.7), *map(jnp.asarray, (2.5, after, steps)))
    slope = (after - before) / steps  # in time constants
    exact = after - slope + (0.7 - before + slope) * np.exp(-steps)
    assert np.isclose(found, exact, rtol=1e-8)


def test_what_cannot_be_followed_is_refused():
    class Own(jn.AbstractDelay):
        duration: jax.Array

        def start(self, like):
            return like

        def seen(self, memory, dt):
            return memory

        def record(self, memory, sent, dt):
            return sent

    def refused(**network):
        return jn.Network(**({"weight": 0.5} | network))

    y0 = jn.gaussian(GRID, v=(-1.0, 0.5))
    solver = jn.FluxShift(GRID, scheme=jn.BDF2(), neurons=100)
    with pytest.raises(ValueError, match=r"neurons: BDF2 does not carry .* take scheme=Euler"):
        jn.solve(refused(), solver, y0=y0, t1=1.0, dt=0.1, key=jax.random.key(0))
    with pytest.raises(ValueError, match="delay: BDF2 needs what arrives at the end of a step"):
        solved(refused(delay=Own(jnp.asarray(0.1))), 10)
    with pytest.raises(ValueError, match="macro: BDF2 does not carry the noise"):
        jn.MultiScale(jn.FluxShift(GRID, scheme=jn.BDF2()), jn.Particles(100, GRID))
