"""What makes the answer of a run doubtful, though the run was completed."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool


class WarningFlag(enum.IntEnum):
    """The entries of `Solution.warnings`: `sol.warnings[..., WarningFlag.voltage_wall]`.

    - `voltage_wall`: the density reaches the lower end of the voltage grid; rates are wrong.
    - `weight_wall`: the density reaches an end of the weight grid; the learned state is wrong.
    - `voltage_noise`: the voltage grid is too coarse, which adds to the noise of the neurons.
    - `time_noise`: the time step is too long, which adds to the noise of the neurons.
    - `long_step`: too many neurons fire in one step of the particles.
    - `rejected_steps`: many adaptive steps were rejected at one time.
    """

    voltage_wall = 0
    weight_wall = 1
    voltage_noise = 2
    time_noise = 3
    long_step = 4
    rejected_steps = 5


_MESSAGES = {
    WarningFlag.voltage_wall: (
        "voltage wall: the density reaches the lower end of the voltage grid, through which no "
        "flux passes, and rates are wrong."
    ),
    WarningFlag.weight_wall: (
        "weight wall: neurons learn to an end of the weight grid, through which no weight passes, "
        "and weights and rates are wrong. Take a wider WeightGrid."
    ),
    WarningFlag.voltage_noise: (
        "voltage noise: the voltage grid does not resolve the noise; intervals between spikes, and "
        "perhaps rates, are wrong."
    ),
    WarningFlag.time_noise: (
        "time noise: the step adds more noise than the neurons have; intervals between spikes are "
        "wrong, and rates too where the drive changes fast."
    ),
    WarningFlag.long_step: (
        "long step: too many neurons fire in one step; rates and events are wrong. Try a smaller "
        "dt."
    ),
    WarningFlag.rejected_steps: (
        "rejected steps: steps are rejected again and again at one time, as where the drive jumps "
        "and does not declare it, which costs many steps. Declare its `jumps`."
    ),
}


def no_warnings() -> Bool[Array, " flags"]:
    """No entry of `WarningFlag` is set; shape `(flags,)`."""
    return jnp.zeros(len(WarningFlag), bool)


def warning_flags(solution: Any) -> Bool[Array, "*batch flags"]:
    """The flags of a `Solution` or of a batch of them, shape `(…, flags)`."""
    flags = _flags
    for _ in range(jnp.ndim(solution.t_end)):
        flags = eqx.filter_vmap(flags)
    return flags(_seen(solution))


def explained(flags: Any) -> Iterator[str]:
    """What the flags that are set say, in a batch each once."""
    found = np.any(np.reshape(flags, (-1, len(WarningFlag))), axis=0)
    return (_MESSAGES[flag] for flag in WarningFlag if found[flag])


def warning_messages(solution: Any) -> Iterator[str]:
    """What the flags of one `Solution` say, and, once, what to try."""
    flags, given = np.asarray(warning_flags(solution)), set()
    for flag in WarningFlag:
        if flags[flag]:
            advice = solution.solver.advice(flag, solution)
            yield _MESSAGES[flag] if advice in given else f"{_MESSAGES[flag]} {advice}".strip()
            given.add(advice)


def _seen(solution: Any) -> Any:
    """What the flags depend on."""
    step = solution.stats.get("dt")
    saved = (solution.ts, solution.rate, solution.rates)
    return solution.model, solution.solver, solution.state, step, saved


@eqx.filter_jit
def _flags(seen: Any) -> Bool[Array, " flags"]:
    model, solver, state, step, saved = seen
    flags = solver.warnings(state)
    num = saved[0].shape[0]
    if step is None or num == 0:  # written by an older version, or ended before anything was saved
        return flags
    sample = np.unique(np.linspace(num - 1, 0, min(num, 8)).astype(int))
    return flags | solver.unresolved(model, step, state, *(x[sample] for x in saved))
