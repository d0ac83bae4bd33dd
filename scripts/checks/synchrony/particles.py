"""Particles: mean rates, order in time, cascades, times of events."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
from _report import Measured
from references.problems import line

import jaxnlif as jn
from jaxnlif.particles.cascade import cascade

from ._networks import first_events

CASES = tuple((b, drive) for b in (-1.0, 0.0, 0.5) for drive in (0.0, 20.0))
SEEDS = range(8)


def _stationary(b: float, drive: float) -> float:
    return float(jn.stationary.self_consistent_rates(b, drive)[0])


def _mean_rates(b, drive, num, dt, t1, seeds) -> np.ndarray:
    """Mean rates in the stationary state, after a membrane time, a value for each seed."""
    rate = _stationary(b, drive)
    grid = line(600, np.float32, minimum=-6.0)
    y0 = jn.normalise(grid, jn.stationary.density(grid.v.nodes, drive + b * rate)[:, None])
    network, solver = jn.Network(weight=b, drive=drive), jn.Particles(num, grid)

    def mean_rate(seed: int) -> float:
        saveat = jn.SaveAt([1.0, 1.0 + t1], fn=None)
        key = jax.random.key(seed)
        sol = jn.solve(network, solver, y0=y0, t1=1.0 + t1, dt=dt, saveat=saveat, key=key)
        return float(sol.spikes[1] - sol.spikes[0]) / float(sol.ts[1] - sol.ts[0])

    return np.array([mean_rate(seed) for seed in seeds])


def mean_rates() -> Iterator[Measured]:
    """M = 10⁶, Δt = 10⁻²: distance from the stationary rate over max(3 standard errors, 0.1 %)."""
    for b, drive in CASES:
        exact = _stationary(b, drive)
        rates = _mean_rates(b, drive, 1_000_000, 1e-2, 2.0, SEEDS)
        error = abs(rates.mean() - exact)
        allowed = max(3 * rates.std(ddof=1) / np.sqrt(rates.size), 1e-3 * exact)
        detail = f"b={b:g},I={drive:g},relative={error / exact:.1e}"
        yield Measured("particle_rate", error / allowed, detail)


def order_in_time() -> Iterator[Measured]:
    """Errors of the mean rate at steps long enough to see them, b = 0 and I = 0.

    At I = 20 a neuron would fire several times in such a step, more than a step follows.
    """
    exact, steps = _stationary(0.0, 0.0), (0.2, 0.1, 0.04)
    errors = [
        abs(_mean_rates(0.0, 0.0, 2_000_000, dt, 16.0, SEEDS).mean() / exact - 1) for dt in steps
    ]
    for (coarse, fine), (a, b) in zip(pairwise(errors), pairwise(steps), strict=True):
        order = float(np.log(coarse / fine) / np.log(a / b))
        yield Measured("particle_rate_order", order, f"{a:g}->{b:g},errors={coarse:.1e},{fine:.1e}")


def cascades() -> Iterator[Measured]:
    """Random states on dyadic values against a cascade neuron by neuron."""
    rng, threshold, num, wrong, cases = np.random.default_rng(7), 2.0, 64, 0, 2000
    together = jax.jit(cascade)
    for case in range(cases):
        fired = rng.random(num) < 0.05
        potentials = rng.integers(-256, 2 * 256, num) / 256
        weights = rng.integers(0, 8 * 64, num if case % 2 else ()) / 64
        arguments = potentials, fired, ~fired, weights, np.zeros(()), np.asarray(threshold)
        found = together(*map(jnp.asarray, arguments))
        expected = _one_by_one(threshold - potentials, np.broadcast_to(weights, num), fired)
        wrong += not np.array_equal(np.asarray(found.carried), expected & ~fired)
        wrong += int(found.count) != expected.sum()
    yield Measured("cascade_mismatches", wrong, f"cases={cases}")


def _one_by_one(gap: np.ndarray, weights: np.ndarray, fired: np.ndarray) -> np.ndarray:
    """Who fires when spikes are sent one after another."""
    fired, waiting, received = fired.copy(), int(fired.sum()), 0
    while waiting:
        waiting, received = waiting - 1, received + 1
        new = ~fired & (weights * received / gap.size >= gap)
        fired, waiting = fired | new, waiting + int(new.sum())
    return fired


def event_times() -> Iterator[Measured]:
    """First events for growing M against the density's, and their spread against M."""
    grid = line(600)
    limit = first_events(jn.FluxShift(grid, events=jn.Cascade()), dt=1e-3, count=1, t1=3.6)[0]
    spreads, sizes = [], (1_000, 10_000, 100_000)
    for num, dt, seeds in zip(sizes, (2e-3, 2e-3, 1e-3), (64, 32, 12), strict=True):
        solver = jn.Particles(num, line(300, np.float32))
        times = np.array(
            [
                first_events(solver, dt=dt, seed=s, count=1, t1=3.6 if num > 1000 else 6.0)[0]
                for s in range(seeds)
            ]
        )
        spreads.append(np.nanstd(times, ddof=1))
        distance = abs(np.nanmean(times) - limit) / (spreads[-1] / np.sqrt(seeds))
        detail = f"M={num},mean={np.nanmean(times):.4f},sd={spreads[-1]:.4f},limit={limit:.4f}"
        yield Measured("particle_event_distance", float(distance), detail)
    slope = np.polyfit(np.log(sizes), np.log(spreads), 1)[0]
    yield Measured("particle_event_spread_slope", float(slope))
