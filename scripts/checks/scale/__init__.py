"""Long and large runs: what survives being killed, what that costs, and sweeps."""

from __future__ import annotations

from _report import Rule, at_least, below, equal_to

from . import kills, overhead, sweeps

REQUIRED: dict[str, Rule] = {
    # kill -9 at random moments of a run with checkpoints
    "kills": at_least(50),
    "kills_not_resumed": equal_to(0),
    "kills_bits_differ": equal_to(0),
    # percent of a run, with one checkpoint a minute: by the time of writing one, and by whole runs
    "checkpoint_write": below(1),
    "checkpoint_overhead": below(1),
    **sweeps.REQUIRED,
}

CHECKS = (kills.kills, overhead.checkpoints, *sweeps.CHECKS)
