"""Fair timing on a noisy machine: candidates take turns, and medians are compared.

In its turn a candidate runs as often as fits into a fraction of a second, but at least once.

Times are those of the processor. The process has one core, where on an idle machine they are the
times that pass; other work on that core does not lengthen them.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jax

_SECONDS_PER_TURN = 0.3


@dataclass(frozen=True)
class Case:
    """`run` makes `steps` steps."""

    run: Callable[[], Any]
    steps: int


@dataclass(frozen=True)
class Timing:
    """Median seconds per step, and the seconds by which the first run was longer: compilation."""

    step: float
    compile: float


def interleaved(cases: Mapping[str, Case], *, repeats: int) -> dict[str, Timing]:
    """Times all cases in turn, `repeats` times over."""
    first = {name: _seconds(case) for name, case in cases.items()}
    runs = {name: _runs_in_a_turn(case) for name, case in cases.items()}
    times: dict[str, list[float]] = {name: [] for name in cases}
    for _ in range(repeats):
        for name, case in cases.items():
            times[name].append(_seconds(case, runs[name]))
    medians = {name: statistics.median(values) for name, values in times.items()}
    return {
        name: Timing(medians[name] / case.steps, max(first[name] - medians[name], 0.0))
        for name, case in cases.items()
    }


def _runs_in_a_turn(case: Case) -> int:
    return max(1, int(_SECONDS_PER_TURN / _seconds(case)))


def _seconds(case: Case, runs: int = 1) -> float:
    began = time.process_time()
    for _ in range(runs):
        jax.block_until_ready(case.run())
    return (time.process_time() - began) / runs
