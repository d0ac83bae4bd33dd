"""The coupling through the network's own rate: strong inhibition, and blow-up."""

from __future__ import annotations

from collections.abc import Iterator

import equinox as eqx
import numpy as np
from _report import Measured
from references.problems import line

import jaxnlif as jn

TIME_STEPS = (1e-4, 1e-2, 1.0, 100.0)


class _Steep(eqx.Module):
    """σ(N̄) = 5 N̄."""

    def __call__(self, rate):
        return 5 * rate


def strong_inhibition() -> Iterator[Measured]:
    """One steady rate, equal to the root, at any time step, where lagged coupling cycles."""
    rates = {dt: steep_inhibition(dt) for dt in TIME_STEPS}
    for dt, (_, last) in rates.items():
        yield Measured("strong_inhibition_rate", float(last), f"dt={dt:g}")
    for dt, (previous, last) in rates.items():
        yield Measured("strong_inhibition_cycle", abs(float(last - previous)), f"dt={dt:g}")
    spread = np.ptp([last for _, last in rates.values()])
    yield Measured("strong_inhibition_spread", float(spread))


def steep_inhibition(dt: float, **solver) -> np.ndarray:
    """The network rates after 49 and 50 steps."""
    v = jn.VoltageGrid(-4.0, 2.0, reset=1.0, num=300)
    grid = jn.Grid(v=v, w=jn.WeightGrid(-1.0, 0.0, num=100))
    sol = jn.solve(
        jn.Network(drive=4.0, response=_Steep(), epsilon=1e-6),
        jn.FluxShift(grid, jn.Implicit(), **solver),
        y0=jn.gaussian(grid, v=(-1.0, 0.5), w=(-0.5, 0.005)),
        t1=50 * dt,
        dt=dt,
        saveat=jn.SaveAt([49 * dt, 50 * dt], fn=None),
        throw=True,
    )
    return np.asarray(sol.rate)


def blow_up_times() -> Iterator[Measured]:
    """b = 3 from N(-1, 0.5): the time of the blow-up on three grids, with both couplings."""
    times = {num: _blow_up_time(num, jn.Implicit()) for num in (150, 300, 600)}
    for num, time in times.items():
        yield Measured("blow_up_time", time, f"num={num}")
    spread = np.ptp(list(times.values())) / min(times.values())
    yield Measured("blow_up_time_spread", float(spread))
    for num in times:
        yield Measured("blow_up_time_lagged", _blow_up_time(num, jn.Lagged()), f"num={num}")


def _blow_up_time(num: int, coupling) -> float:
    grid = line(num)
    sol = jn.solve(
        jn.Network(weight=3.0),
        jn.FluxShift(grid, coupling),
        y0=jn.gaussian(grid, v=(-1.0, 0.5)),
        t1=4.0,
        dt=0.15 / num,
        saveat=jn.SaveAt(num=2, fn=None),
    )
    return float(sol.t_end) if sol.result == jn.Result.blow_up else np.nan
