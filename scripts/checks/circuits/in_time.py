"""Circuits in time: against their linear response, one folded population, and differences."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from _report import Measured
from references.circuits import SIMULATED
from references.populations import CASES, LINE, gradient_error

import jaxnlif as jn

_CIRCUITS = 300


def folded_in_time() -> Iterator[Measured]:
    """Brunel's two populations, which are alike, against one."""
    two = jn.circuits.brunel(5.0, 2.0)
    model, units = two.network, two.units
    one = jn.Network(
        weight=jnp.sum(model.weight[0]),
        noise_slope=jnp.sum(model.noise_slope[0]),
        noise=model.noise[0],
        drive=model.drive.value[0],
        delay=jnp.ravel(model.delay.duration)[0],
        refractory=jnp.ravel(model.refractory.duration)[0],
    )
    v = jn.VoltageGrid(-2.0, 2.0, reset=1.0, num=400)
    both, alone = (
        _run(model, jn.Grid(v, populations=num), units.time(100.0), units.time(0.1), 101)
        for model, num in ((model, 2), (one, None))
    )
    error = jnp.max(jnp.abs(both.rate - alone.rate[:, None])) / jnp.max(alone.rate)
    hertz = float(units.rate_Hz(both.rate[-1, 0]))
    yield Measured("folded_in_time", float(error), f"g=5,η=2,{hertz:.4f}Hz")


def _run(model: jn.Network, grid: jn.Grid, t1: Any, dt: Any, num: int) -> jn.Solution:
    y0 = jn.gaussian(grid, v=(0.5, 0.1))
    return jn.solve(
        model, jn.FluxShift(grid), y0=y0, t1=t1, dt=dt, saveat=jn.SaveAt(num=num, fn=None)
    )


def random_circuits() -> Iterator[Measured]:
    """Mass and sign of three populations, ε from 1 to 0, in both precisions."""
    for dtype in (np.float64, np.float32):
        grid = jn.Grid(LINE, populations=3, dtype=dtype)
        begin = jn.gaussian(grid, v=(-0.5, 0.5))

        @jax.jit
        def run(weight: Any, given: Any, epsilon: Any, dt: Any, grid: Any = grid, y0: Any = begin):
            noise, drive, tau = given
            model = jn.Network(
                weight=weight,
                noise=noise,
                drive=drive,
                time_constant=tau,
                epsilon=epsilon,
                noise_slope=jnp.abs(weight),
            )
            model, step = jax.tree.map(lambda x: jnp.asarray(x, grid.dtype), (model, dt))
            solver, t = jn.FluxShift(grid), jnp.zeros((), grid.dtype)
            state = solver.init(model, t, y0, None)
            state = jax.lax.fori_loop(0, 20, lambda _, s: solver.step(model, t, step, s), state)
            return grid.mass(state.density), jnp.min(state.density), state.rate

        rng, drift, least, finite = np.random.default_rng(0), 0.0, np.inf, 0
        for _ in range(_CIRCUITS):
            given = 10 ** rng.uniform(-2, 1, 3), 3 * rng.normal(size=3), 10 ** rng.uniform(-1, 1, 3)
            epsilon = jnp.asarray(rng.choice([1.0, 1e-3, 1e-9, 0.0]))
            weight = rng.normal(size=(3, 3)) * 10 ** rng.uniform(-1, 1)
            step = jnp.asarray(10 ** rng.uniform(-4, 2))
            mass, lowest, rate = run(jnp.asarray(weight), given, epsilon, step)
            drift = max(drift, float(np.max(np.abs(mass - 1))))
            least = min(least, float(lowest))
            finite += bool(np.all(np.isfinite(rate)))
        name = np.dtype(dtype).name
        yield Measured(f"random_circuits_mass_{name}", drift, f"of={_CIRCUITS}")
        yield Measured("random_circuits_least", least, name)
        yield Measured("random_circuits_finite", finite, name)


def gradients_in_time() -> Iterator[Measured]:
    """Reverse mode against central differences: delays, filters, and implicit coupling."""
    for name in CASES:
        yield Measured("gradients_in_time", gradient_error(name, t1=1.2), name)


def microcircuit_in_time() -> Iterator[Measured]:
    """Mean rates of the eight populations from 200 ms on, and the time that ten seconds take."""
    circuit = jn.circuits.microcircuit()
    units, model = circuit.units, circuit.network
    grid = jn.Grid(jn.VoltageGrid(-3.0, 1.0, reset=0.0, num=160), populations=8)
    seconds = []
    for _ in range(2):  # the second one is compiled
        began = time.perf_counter()
        sol = _run(model, grid, units.time(10_000.0), units.time(0.1), 1001)
        jax.block_until_ready(sol.rate)
        seconds.append(time.perf_counter() - began)
    spikes = np.asarray(sol.spikes)
    hertz = units.rate_Hz((spikes[-1] - spikes[20]) / units.time(9_800.0))
    detail = " ".join(f"{x:.3f}" for x in np.asarray(hertz))
    error = float(np.max(np.abs(np.asarray(hertz) / SIMULATED - 1)))
    yield Measured("microcircuit_in_time", error, detail.replace(" ", ","))
    yield Measured("microcircuit_seconds", seconds[1])
