"""No wrong answer without a word: random networks, recordings, files and command lines."""

from __future__ import annotations

from _report import Rule, at_least

from . import resolution

REQUIRED: dict[str, Rule] = {
    # percent of random runs whose rate or intervals are wrong, and of those where both are right
    "warned_where_wrong": at_least(98),
    "silent_where_right": at_least(98),
    "warned_cases": at_least(60),
}

CHECKS = (resolution.warnings,)
