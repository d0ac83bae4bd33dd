"""No wrong answer without a word: random networks, recordings, files and command lines."""

from __future__ import annotations

from . import (
    command,
    coupling,
    figures,
    files,
    fuzz,
    gradients,
    numbers,
    recordings,
    resolution,
    times,
    values,
)

_SUBJECTS = (
    command,
    coupling,
    figures,
    files,
    fuzz,
    gradients,
    numbers,
    recordings,
    resolution,
    times,
    values,
)

REQUIRED = {row: rule for subject in _SUBJECTS for row, rule in subject.REQUIRED.items()}
CHECKS = tuple(check for subject in _SUBJECTS for check in subject.CHECKS)
