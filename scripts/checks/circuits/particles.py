"""Excitatory and inhibitory particles against the density."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from _report import Measured

import jaxnlif as jn

_SIZES = 10_000, 2_500
_SEEDS = 20


def brunel() -> Iterator[Measured]:
    """Brunel's network at (5, 2), from 90 ms on."""
    circuit = jn.circuits.brunel(5.0, 2.0)
    grid = jn.Grid(jn.VoltageGrid(-2.0, 2.0, reset=1.0, num=300), populations=2)
    t1, dt = (circuit.units.time(ms) for ms in (300.0, 0.1))
    yield from _against_density("brunel", circuit.network, grid, jn.Lagged(), t1, dt, _SIZES)
    # How much of the difference is that of finitely many neurons.
    more = tuple(4 * size for size in _SIZES)
    for measured in _against_density("", circuit.network, grid, jn.Lagged(), t1, dt, more):
        if measured.row == "particles_errors":
            yield Measured("particles_errors_four_times", measured.value, "brunel,50000neurons")


def at_once() -> Iterator[Measured]:
    """Spikes that act at once, without events."""
    grid = jn.Grid(jn.VoltageGrid(-4.0, 2.0, reset=1.0, num=300), populations=2)
    model = jn.Network(weight=[[0.5, -1.0], [0.8, -1.0]], drive=0.5)
    yield from _against_density("at-once", model, grid, jn.Implicit(), 20.0, 0.01, _SIZES)


def together() -> Iterator[Measured]:
    """Events of all excitatory neurons and a part of the inhibitory ones."""
    grid = jn.Grid(jn.VoltageGrid(-4.0, 2.0, reset=1.0, num=300), populations=2)
    model = jn.Network(weight=[[4.0, -1.0], [1.5, -1.0]], drive=0.5)
    given = {"y0": jn.gaussian(grid, v=(-0.5, 0.25)), "t1": 5.0, "dt": 0.002}
    density = jn.solve(model, jn.FluxShift(grid, events=jn.Cascade()), **given)
    runs = [
        jn.solve(model, jn.Particles(_SIZES, grid), key=jax.random.key(seed), **given)
        for seed in range(_SEEDS)
    ]
    times = np.array([sol.events.time[0] for sol in runs])
    sizes = np.array([sol.events.size[0] for sol in runs])
    counts = np.array([sol.events.time.size for sol in runs])
    first, size = float(density.events.time[0]), np.asarray(density.events.size[0])
    number = f"{counts.mean():.2f}±{counts.std(ddof=1) / np.sqrt(_SEEDS):.2f}events"
    detail = f"{number},density:{density.events.time.size}"
    yield Measured("particles_first_event", abs(times.mean() / first - 1), detail)
    yield Measured("particles_first_size", float(np.max(np.abs(sizes.mean(0) - size))), detail)


def _against_density(
    name: str,
    model: jn.Network,
    grid: jn.Grid,
    coupling: Any,
    t1: Any,
    dt: Any,
    sizes: tuple[int, ...],
) -> Iterator[Measured]:
    """Mean rates over the last seven tenths of a run, and the number of events."""
    y0 = jn.gaussian(grid, v=(0.5, 0.1))

    def run(solver: Any, step: Any, seed: int | None = None) -> jn.Solution:
        key = None if seed is None else jax.random.key(seed)
        saveat = jn.SaveAt(num=11, fn=None)
        return jn.solve(model, solver, y0=y0, t1=t1, dt=step, saveat=saveat, key=key)

    expected = _mean(run(jn.FluxShift(grid, coupling), dt))
    particles = jn.Particles(sizes, grid)
    runs = [run(particles, dt, seed) for seed in range(_SEEDS)]
    rates = np.array([_mean(sol) for sol in runs])
    mean, spread = rates.mean(axis=0), rates.std(axis=0, ddof=1) / np.sqrt(_SEEDS)
    detail = f"{name},{','.join(f'{x:+.2%}' for x in mean / expected - 1)}"
    yield Measured("particles_errors", float(np.max(np.abs(mean - expected) / spread)), detail)
    yield Measured("particles_rates", float(np.max(np.abs(mean / expected - 1))), detail)
    events = sum(int(jnp.size(sol.events.time)) for sol in runs)
    yield Measured("particles_events", events, name)


def _mean(sol: jn.Solution) -> np.ndarray:
    return np.asarray((sol.spikes[-1] - sol.spikes[3]) / (sol.ts[-1] - sol.ts[3]))
