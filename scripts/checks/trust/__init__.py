"""No wrong answer without a word: random networks, recordings, files and command lines."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from _report import Measured, Rule

from . import recordings

REQUIRED: dict[str, Rule] = {**recordings.REQUIRED}

CHECKS: tuple[Callable[[], Iterable[Measured]], ...] = (*recordings.CHECKS,)
