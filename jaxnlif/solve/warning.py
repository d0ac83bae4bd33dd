"""What makes the answer of a run doubtful, though the run was completed."""

from __future__ import annotations

import enum

import jax.numpy as jnp
from jaxtyping import Array, Bool


class WarningFlag(enum.IntEnum):
    """The entries of `Solution.warnings`: `sol.warnings[..., WarningFlag.voltage_wall]`."""

    voltage_wall = 0
    weight_wall = 1
    voltage_noise = 2
    time_noise = 3
    long_step = 4


def no_warnings() -> Bool[Array, " flags"]:
    """No entry of `WarningFlag` is set; shape `(flags,)`."""
    return jnp.zeros(len(WarningFlag), bool)
