"""Events on the density: their times under refinement."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from _report import Measured
from references.problems import line

import jaxnlif as jn

from ._networks import STRONG, first_events, run

STEPS = (4e-3, 2e-3, 1e-3, 5e-4, 2.5e-4, 1.25e-4)
NUMS = (150, 300, 600, 1200)


def refinement() -> Iterator[Measured]:
    """b = 3 from N(-1, 0.5): the first five events while Δt₀ = δm and h are halved."""
    in_time = [_times(300, dt) for dt in STEPS]
    changes = [np.max(np.abs(fine - coarse)) for coarse, fine in pairwise(in_time)]
    for dt, change, fine in zip(STEPS, changes, in_time[1:], strict=False):
        yield Measured("event_time_change_dt", change, f"dt0={dt:g}->{dt / 2:g},{_show(fine)}")
    # From a step on that resolves how the rate diverges before an event.
    for dt, (coarse, fine) in list(zip(STEPS, pairwise(changes), strict=False))[1:]:
        yield Measured("event_time_order", float(np.log2(coarse / fine)), f"dt0={dt:g}->{dt / 4:g}")
    in_space = [_times(num, 4e-3) for num in NUMS]
    for num, coarse, fine in zip(NUMS[1:], in_space[1:], in_space[2:], strict=False):
        change = np.max(np.abs(fine - coarse))
        yield Measured("event_time_change_h", change, f"num={num}->{2 * num},{_show(fine)}")
    sizes = run(STRONG, jn.FluxShift(line(), events=jn.Cascade()), t1=4.45, dt=4e-3).events.size
    yield Measured("event_size", float(np.min(sizes)), f"events={len(sizes)}")


def _times(num: int, dt: float) -> np.ndarray:
    return first_events(jn.FluxShift(line(num), events=jn.Cascade()), dt=dt)


def _show(values) -> str:
    return "/".join(f"{value:.4f}" for value in values)
