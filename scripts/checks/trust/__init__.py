"""No wrong answer without a word: random networks, recordings, files and command lines."""

from __future__ import annotations

from . import files, gradients, recordings, resolution

_SUBJECTS = (files, gradients, recordings, resolution)

REQUIRED = {row: rule for subject in _SUBJECTS for row, rule in subject.REQUIRED.items()}
CHECKS = tuple(check for subject in _SUBJECTS for check in subject.CHECKS)
