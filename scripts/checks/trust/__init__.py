"""No wrong answer without a word: random networks, recordings, files and command lines."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from _report import Measured, Rule

REQUIRED: dict[str, Rule] = {}

CHECKS: tuple[Callable[[], Iterable[Measured]], ...] = ()
