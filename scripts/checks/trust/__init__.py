"""No wrong answer without a word: random networks, recordings, files and command lines."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from _report import Measured, Rule, equal_to

from . import numbers

REQUIRED: dict[str, Rule] = {
    # odd arguments that are neither refused in one line nor give numbers
    "arrays": equal_to(0),
}

CHECKS: tuple[Callable[[], Iterable[Measured]], ...] = (numbers.arrays,)
