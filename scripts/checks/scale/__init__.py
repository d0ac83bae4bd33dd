"""Long and large runs: many devices."""

from __future__ import annotations

from _report import Rule, at_least, at_most

from . import sharding

REQUIRED: dict[str, Rule] = {
    # 8 virtual devices, and 2 processes, against one device: relative to the largest value
    "sharding_difference": at_most(1e-12),
    "sharding_mass": at_most(1e-12),
    "sharding_minimum": at_least(0),
}

CHECKS = (sharding.devices, sharding.processes)
