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
    # The same time at half the step shows how much of the difference is that of the step.
    yield from _against_density("brunel", circuit.network, grid, jn.Lagged(), t1, dt, seeds=_SEEDS)


def at_once() -> Iterator[Measured]:
    """Spikes that act at once, without events."""
    grid = jn.Grid(jn.VoltageGrid(-4.0, 2.0, reset=1.0, num=300), populations=2)
    model = jn.Network(weight=[[0.5, -1.0], [0.8, -1.0]], drive=0.5)
    yield from _against_density("at-once", model, grid, jn.Implicit(), 20.0, 0.01, seeds=_SEEDS)


def _against_density(
    name: str, model: jn.Network, grid: jn.Grid, coupling: Any, t1: Any, dt: Any, *, seeds: int
) -> Iterator[Measured]:
    """Mean rates over the last seven tenths of a run, and the number of events."""
    y0 = jn.gaussian(grid, v=(0.5, 0.1))

    def run(solver: Any, step: Any, seed: int | None = None) -> jn.Solution:
        key = None if seed is None else jax.random.key(seed)
        saveat = jn.SaveAt(num=11, fn=None)
        return jn.solve(model, solver, y0=y0, t1=t1, dt=step, saveat=saveat, key=key)

    expected = _mean(run(jn.FluxShift(grid, coupling), dt))
    particles = jn.Particles(_SIZES, grid)
    runs = [run(particles, dt, seed) for seed in range(seeds)]
    finer = np.mean([_mean(run(particles, dt / 2, seed)) for seed in range(seeds // 4)], axis=0)
    rates = np.array([_mean(sol) for sol in runs])
    mean, spread = rates.mean(axis=0), rates.std(axis=0, ddof=1) / np.sqrt(seeds)
    detail = f"{name},dt/2:{','.join(f'{x:+.2%}' for x in finer / mean - 1)}"
    yield Measured("particles_errors", float(np.max(np.abs(mean - expected) / spread)), detail)
    yield Measured("particles_rates", float(np.max(np.abs(mean / expected - 1))), detail)
    events = sum(int(jnp.size(sol.events.time)) for sol in runs)
    yield Measured("particles_events", events, name)


def _mean(sol: jn.Solution) -> np.ndarray:
    return np.asarray((sol.spikes[-1] - sol.spikes[3]) / (sol.ts[-1] - sol.ts[3]))
