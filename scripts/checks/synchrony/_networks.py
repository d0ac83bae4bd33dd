"""What the checks of synchrony solve."""

from __future__ import annotations

import jax
import numpy as np
from references.problems import at_rest

import jaxnlif as jn

STRONG = jn.Network(weight=3.0)


def run(network, solver, *, t1: float, dt: float, seed: int = 0, y0=None, t0: float = 0.0):
    """A run of which the end is saved and nothing before."""
    return jn.solve(
        network,
        solver,
        y0=at_rest(solver.grid) if y0 is None else y0,
        t0=t0,
        t1=t1,
        dt=dt,
        saveat=jn.SaveAt([t0, t1], fn=None),
        key=jax.random.key(seed),
    )


def first_events(
    solver, *, dt: float, t1: float = 4.45, seed: int = 0, count: int = 5
) -> np.ndarray:
    """Times of the first events of the strongly excitatory network; NaN where there are none."""
    times = np.asarray(run(STRONG, solver, t1=t1, dt=dt, seed=seed).events.time, float)[:count]
    return np.pad(times, (0, count - times.size), constant_values=np.nan)
