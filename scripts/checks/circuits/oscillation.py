"""The fast oscillation of Brunel's network in time, as steps and voltage grid are refined."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from _report import Measured

import jaxnlif as jn
from jaxnlif.experiments.brunel_network import THRESHOLD, UNITS, folded, rhythm

_POINT = 6.0, 4.0
_STEPS = 0.05, 0.025, 0.0125
"""In ms, on the middle one of the grids."""
_NODES_PER_MV = 4, 8, 16
"""With the middle one of the steps."""
_LOWEST = -4.0
_DURATION, _JUDGED = 1000.0, 400.0
"""In ms: the whole run, and its end in which the oscillation has settled."""
_SAVED = 0.05
"""In ms."""
_CORTEX, _CORTEX_STEPS = 1500.0, (0.1, 0.05)
"""Duration and steps of the runs of the microcircuit (ms)."""


def oscillation() -> Iterator[Measured]:
    """Mean rate and frequency of (6, 4), extrapolated, and how well they have converged."""
    step, nodes = _STEPS[1], _NODES_PER_MV[1]
    by_step = np.array([_measures(dt, nodes) for dt in _STEPS])
    by_grid = np.array([_measures(step, num) for num in _NODES_PER_MV])
    # of first order in the step and of second in the spacing
    once = 2 * by_step[1:] - by_step[:-1]
    twice = (4 * once[1] - once[0]) / 3
    grids = (4 * by_grid[1:] - by_grid[:-1]) / 3
    found = twice + grids[1] - by_grid[1]
    error = np.abs(twice - once[1]) + np.abs(grids[1] - grids[0])
    for name, value, off in zip(("mean", "frequency"), found, error, strict=True):
        yield Measured(f"oscillation_{name}", float(off / value), f"{value:.3f}+-{off:.3f}Hz")


def _measures(dt: float, nodes_per_mv: int) -> tuple[float, float]:
    """Mean rate and frequency (Hz), over whole periods of the end of the run."""
    num = round((THRESHOLD - _LOWEST) * UNITS.scale * nodes_per_mv)
    grid = jn.Grid(jn.VoltageGrid(_LOWEST, THRESHOLD, reset=1.0, num=num))
    sol = jn.solve(
        folded(*_POINT, slots=512),
        jn.FluxShift(grid),
        y0=jn.gaussian(grid, v=(0.8, 0.1)),
        t1=UNITS.time(_DURATION),
        dt=UNITS.time(dt),
        saveat=jn.SaveAt(num=round(_DURATION / _SAVED) + 1, fn=None),
    )
    last = slice(-round(_JUDGED / _SAVED) - 1, None)
    ms, rate = UNITS.time_ms(np.asarray(sol.ts)[last]), np.asarray(sol.rate)[last]
    spikes = np.asarray(sol.spikes)[last]
    middle = (rate.min() + rate.max()) / 2
    up = np.flatnonzero((rate[:-1] < middle) & (rate[1:] >= middle))
    times = ms[up] + (middle - rate[up]) / (rate[up + 1] - rate[up]) * _SAVED
    periods = (times[-1] - times[0]) / 1e3
    fired = np.diff(np.interp(times[[0, -1]], ms, spikes))[0]
    return float(fired / periods), (len(times) - 1) / periods


def microcircuit_peak() -> Iterator[Measured]:
    """Where the spectrum of the mean rate of all neurons of the microcircuit has its peak."""
    circuit = jn.circuits.microcircuit()
    units, sizes = circuit.units, np.asarray(circuit.sizes)
    grid = jn.Grid(jn.VoltageGrid(-3.0, 1.0, reset=0.0, num=160), populations=8)
    peaks = []
    for dt in _CORTEX_STEPS:
        sol = jn.solve(
            circuit.network,
            jn.FluxShift(grid),
            y0=jn.gaussian(grid, v=(0.3, 0.1)),
            t1=units.time(_CORTEX),
            dt=units.time(dt),
            saveat=jn.SaveAt(num=round(_CORTEX / _CORTEX_STEPS[0]) + 1, fn=None),
        )
        mean = np.asarray(sol.rate) @ sizes / sizes.sum()
        ms = units.time_ms(np.asarray(sol.ts))
        late = ms > _CORTEX / 3
        peaks.append(rhythm(ms[late], mean[late]))
    both = ",".join(f"{dt:g}ms:{peak:.2f}" for dt, peak in zip(_CORTEX_STEPS, peaks, strict=True))
    yield Measured("microcircuit_peak", peaks[0], both)
