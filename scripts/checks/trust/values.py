"""Values that are quoted: extrapolated, so that they carry their error."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from _report import Measured, Rule, equal_to
from references.problems import line

import jaxnlif as jn

from ..synchrony._networks import first_events


def events() -> Iterator[Measured]:
    """The first events of b = 3 from N(-1, 0.5), on the density, extrapolated in the step."""
    solver = jn.FluxShift(line(1200), events=jn.Cascade())
    steps = (1e-3, 5e-4, 2.5e-4)
    times = np.stack([first_events(solver, dt=dt, t1=4.0, count=3) for dt in steps])
    first, intervals = times[:, 0], np.diff(times, axis=1)
    yield Measured("first_event", _limit(first))
    yield Measured("first_interval", _limit(intervals[:, 0]))
    yield Measured("second_interval", _limit(intervals[:, 1]))


def _limit(values: np.ndarray) -> float:
    """The limit of three values whose differences shrink by a constant factor, at most by half."""
    before, last = np.diff(values)
    ratio = np.clip(last / before if before else 0.0, 0.0, 2 / 3)
    return float(values[-1] + last * ratio / (1 - ratio))


REQUIRED: dict[str, Rule] = {
    "first_event": equal_to(3.417, within=1e-3),
    "first_interval": equal_to(0.228, within=2e-3),
    "second_interval": equal_to(0.230, within=1e-3),
}
CHECKS = (events,)
