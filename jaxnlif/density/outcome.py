"""How a step leaves the run: it goes on, or why not."""

from __future__ import annotations

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool

from ..integrate.result import Result
from .blowup import MAX_RATE, blows_up
from .coupling import Coupled
from .interval import Interval, frozen
from .state import DensityState


def outcome(
    interval: Interval, state: DensityState, seen: Coupled, settled: Bool[Array, ""]
) -> Result:
    """The result after a step that ended in `state`, in which neurons saw a rate; `settled`,
    whether the weight density was found."""
    density, rate = lax.stop_gradient((state.density, state.rate))
    interval = frozen(interval)
    cycles = state.alternation is not None and state.alternation.is_cycle
    going = Result.where(settled, Result.completed, Result.weights_not_converged)
    going = Result.where(cycles, Result.rate_cycle, going)
    going = Result.where(seen.exhausted, Result.rate_not_found, going)
    if state.events is not None:
        # An unbounded rate in spite of events is a step too long for them.
        lost = state.events.overflowed | ~(rate < MAX_RATE)
        why = Result.event_budget_exceeded
    else:
        resolved = interval.kappa > 0
        duration = jnp.where(resolved, 1 / jnp.where(resolved, interval.kappa, 1), jnp.inf)
        kick, edge = interval.kick(), interval.edge(rate)
        lost = blows_up(interval.grid, density, rate, kick, duration, edge)
        lost = lost | ~(seen.found | seen.exhausted)
        why = Result.where(resolved, Result.blow_up, Result.no_self_consistent_rate)
    return Result.where(jnp.isfinite(rate), Result.where(lost, why, going), Result.non_finite)
