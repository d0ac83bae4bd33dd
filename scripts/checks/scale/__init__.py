"""Long and large runs: big sweeps, in memory that does not grow, that survive being killed."""

from __future__ import annotations

from _report import Rule

from . import sweeps

REQUIRED: dict[str, Rule] = {**sweeps.REQUIRED}

CHECKS = (*sweeps.CHECKS,)
