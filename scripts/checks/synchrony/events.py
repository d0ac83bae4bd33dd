"""Events on the density: their times under refinement."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from _report import Measured

import jaxnlif as jn

from ._networks import STRONG, first_events, line, run

STEPS = (8e-3, 4e-3, 2e-3, 1e-3)
NUMS = (150, 300, 600, 1200)


def refinement() -> Iterator[Measured]:
    """b = 3 from N(-1, 0.5): the first five events while Δt₀ = δm and h are halved."""
    in_time = [_times(300, dt) for dt in STEPS]
    for (dt, coarse), fine in zip(zip(STEPS, in_time, strict=True), in_time[1:], strict=False):
        change = np.max(np.abs(fine - coarse))
        if dt <= 4e-3:
            yield Measured("event_time_change_dt", change, f"dt0={dt:g}->{dt / 2:g},{_show(fine)}")
    in_space = [_times(num, 4e-3) for num in NUMS]
    for num, coarse, fine in zip(NUMS[1:], in_space[1:], in_space[2:], strict=False):
        change = np.max(np.abs(fine - coarse))
        yield Measured("event_time_change_h", change, f"num={num}->{2 * num},{_show(fine)}")
    changes = [np.max(np.abs(b - a)) for a, b in pairwise(in_time)]
    orders = np.log2(np.array(changes[:-1]) / np.array(changes[1:]))
    yield Measured("event_time_order", float(orders.mean()), f"each={_show(orders)}")
    sizes = run(STRONG, jn.FluxShift(line(), events=jn.Cascade()), t1=4.45, dt=4e-3).events.size
    yield Measured("event_size", float(np.min(sizes)), f"events={len(sizes)}")


def _times(num: int, dt: float) -> np.ndarray:
    return first_events(jn.FluxShift(line(num), events=jn.Cascade()), dt=dt)


def _show(values) -> str:
    return "/".join(f"{value:.4f}" for value in values)
