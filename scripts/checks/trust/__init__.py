"""No wrong answer without a word: random networks, recordings, files and command lines."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from _report import Measured, Rule, at_most

from . import times

REQUIRED: dict[str, Rule] = {
    # relative to the limit, over the step
    "jump_rate": at_most(2),
    # relative, over 10⁵ membrane times in single precision
    "long_spikes": at_most(1e-4),
}

CHECKS: tuple[Callable[[], Iterable[Measured]], ...] = (times.jump_rate, times.long_spikes)
