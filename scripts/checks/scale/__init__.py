"""Long and large runs: what survives being killed and what that costs, sweeps, devices, GPUs."""

from __future__ import annotations

from _report import Rule, at_least, at_most, below, equal_to

from . import gpu, kills, overhead, sharding, sweeps

REQUIRED: dict[str, Rule] = {
    # kill -9 at random moments of a run with checkpoints
    "kills": at_least(50),
    "kills_not_resumed": equal_to(0),
    "kills_bits_differ": equal_to(0),
    # percent of a run, with one checkpoint a minute: by the time of writing one, and by whole runs
    "checkpoint_write": below(1),
    "checkpoint_overhead": below(1),
    # 8 virtual devices, and 2 processes, against one device: relative to the largest value
    "sharding_difference": at_most(1e-12),
    "sharding_mass": at_most(1e-12),
    "sharding_minimum": at_least(0),
    **sweeps.REQUIRED,
    **gpu.REQUIRED,
}

CHECKS = (
    kills.kills,
    overhead.checkpoints,
    sharding.devices,
    sharding.processes,
    *sweeps.CHECKS,
    *gpu.CHECKS,
)
