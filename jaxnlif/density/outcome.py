"""How a step leaves the run: it goes on, or why not."""

from __future__ import annotations

from dataclasses import replace

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool

from ..integrate.result import Result
from .coupling import Coupled
from .events import AbstractEvents
from .state import DensityState
from .voltage import VoltageStep, frozen


def outcome(
    events: AbstractEvents,
    step: VoltageStep,
    state: DensityState,
    seen: Coupled,
    settled: Bool[Array, ""],
) -> Result:
    """The result after a step that ended in `state`, in which neurons felt what was `seen`;
    `settled`, whether the weight density was found."""
    density, rate = lax.stop_gradient((state.density, state.rate))
    cycles = state.alternation is not None and state.alternation.is_cycle
    going = Result.where(settled, Result.completed, Result.weights_not_converged)
    going = Result.where(cycles, Result.rate_cycle, going)
    going = Result.where(seen.exhausted, Result.rate_not_found, going)
    state = replace(state, density=density, rate=rate)
    lost, why = events.lost(frozen(step), state, seen)
    return Result.where(
        jnp.all(jnp.isfinite(rate)), Result.where(lost, why, going), Result.non_finite
    )
