"""Fits: gradients through every solver, what they cost, what they recover."""

from __future__ import annotations

from _report import Rule, at_least, at_most, below, within

from . import cost, gradients, recovery

REQUIRED: dict[str, Rule] = {
    # relative, the worst parameter of each solver
    "gradient_difference": at_most(1e-6),
    "gradient_forward": at_most(1e-10),
    "gradient_asymptotic": at_most(1e-6),
    "gradient_stationary": at_most(1e-6),
    # value and gradient over a forward solve; stored states over the root of 10⁴ steps
    "gradient_time": at_most(5),
    "gradient_memory": at_most(3),
    # noiseless, relative errors, and the steps it took
    "recovery_scalar": at_most(0.01),
    "recovery_table": at_most(0.01),
    "recovery_rate": at_most(0.01),
    "recovery_steps": at_most(200),
    # 20 draws with 2 % noise: percent of the truths within one standard error
    "coverage": within(48, 88),
    # an unknown that data cannot tell: flat directions found, and how many there are
    "flat_directions": Rule("=0", lambda missed: missed == 0),
    "starts": below(20),
    "starts_found": at_least(0.5),
    "float32": at_most(1e-3),
}

CHECKS = (
    gradients.structured,
    gradients.unstructured,
    gradients.stationary,
    cost.time,
    cost.memory,
    recovery.from_learning,
    recovery.coverage,
    recovery.from_rates,
    recovery.flat_directions,
    recovery.float32,
    recovery.starts,
)
