"""What holds whatever the events: gradients, delays, mass, memory."""

from __future__ import annotations

from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np
from _report import Measured
from references.gradients import difference
from references.problems import at_rest, line

import jaxnlif as jn
from jaxnlif.density.coupling import Corrected

from ._networks import STRONG, run


def gradients() -> Iterator[Measured]:
    """d(spikes)/db without events against differences of plain `FluxShift` with the same coupling;
    with events gradients stop, and the result says so."""
    grid = line(120)

    def spikes(solver):
        def value(b):
            return jn.solve(
                jn.Network(weight=b),
                solver,
                y0=at_rest(grid),
                t1=1.0,
                dt=1e-2,
                saveat=jn.SaveAt(num=2, fn=None),
                key=jax.random.key(0),
            ).spikes[-1]

        return value

    plain = jn.FluxShift(grid, Corrected())
    expected = float(difference(spikes(plain), 0.5, 1.0, 1e-4))
    for name, solver in (
        ("FluxShift", plain),
        ("events", jn.FluxShift(grid, events=jn.Cascade())),
        (
            "MultiScale",
            jn.MultiScale(jn.FluxShift(grid), jn.Particles(1000), finite_size_noise=False),
        ),
    ):
        found = float(jax.grad(spikes(solver))(jnp.asarray(0.5)))
        yield Measured("gradient_without_events", abs(found / expected - 1), f"{name},{found:.8f}")
    sol = run(STRONG, jn.FluxShift(grid, events=jn.Cascade()), t1=3.6, dt=1e-2)
    told = float(sol.stats["differentiable_from"])
    yield Measured("gradients_stop_at_events", abs(told - float(sol.events.time[-1])))


def delay() -> Iterator[Measured]:
    """The inhibitory network with delay 1: its period under refinement."""
    periods = [_period(num, dt) for num, dt in ((160, 4e-3), (320, 2e-3), (640, 1e-3))]
    for period in periods:
        yield Measured("delay_period", period)
    yield Measured("delay_period_change", abs(periods[-1] / periods[-2] - 1))


def _period(num: int, dt: float) -> float:
    grid = jn.Grid(v=jn.VoltageGrid(-3.0, 1.0, reset=0.0, num=num))
    y0 = jn.normalise(grid, np.exp(-((grid.v.nodes + 1) ** 2) / 0.4)[:, None])
    sol = jn.solve(
        jn.Network(weight=-45.0, noise=0.2, delay=jn.Delay(1.0)),
        jn.FluxShift(grid),
        y0=y0,
        t1=30.0,
        dt=dt,
        saveat=jn.SaveAt(num=3001, fn=None),
    )
    late = np.asarray(sol.ts) > 12
    rate, ts = np.asarray(sol.rate)[late], np.asarray(sol.ts)[late]
    level = 0.5 * (rate.max() + rate.min())
    up = np.flatnonzero((rate[:-1] < level) & (rate[1:] >= level))
    crossings = ts[up] + (level - rate[up]) / (rate[up + 1] - rate[up]) * (ts[1] - ts[0])
    return float(np.mean(np.diff(crossings)))


def many_events() -> Iterator[Measured]:
    """Mass and minimum through 10³ events, in both precisions."""
    for dtype in (np.float64, np.float32):
        solver = jn.FluxShift(line(300, dtype), events=jn.Cascade())
        sol = jn.solve(
            STRONG,
            solver,
            y0=at_rest(solver.grid),
            t1=235.0,
            dt=1e-2,
            saveat=jn.SaveAt(num=1000, fn=None),
        )
        name, events = np.dtype(dtype).name, len(sol.events.time)
        assert events >= 1000, events
        drift = float(sol.stats["mass_drift"])
        yield Measured(f"events_mass_drift_{name}", drift, f"events={events}")
        yield Measured("events_minimum", float(sol.stats["minimum"]), name)


def memory() -> Iterator[Measured]:
    """What a compiled run of M = 10⁷ particles needs, in arrays of M."""
    num = 10_000_000
    solver = jn.Particles(num, line(300, np.float32))
    step = jnp.asarray(1e-3, jnp.float32)
    model = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float32), STRONG)
    key = jax.random.key(0)
    state = jax.eval_shape(
        lambda y0, key: solver.init(model, jnp.zeros((), jnp.float32), y0, key),
        at_rest(solver.grid),
        key,
    )
    compiled = (
        jax.jit(lambda state: solver.step(model, step, step, state), donate_argnums=0)
        .lower(state)
        .compile()
    )
    found = compiled.memory_analysis()
    size = found.argument_size_in_bytes + found.temp_size_in_bytes
    size += found.output_size_in_bytes - found.alias_size_in_bytes
    yield Measured("arrays_of_size_m", size / (4 * num), f"bytes={size:.3g}")
