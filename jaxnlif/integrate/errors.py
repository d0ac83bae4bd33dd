"""Errors that are raised by what a run becomes, also inside compiled code."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Int

from .result import Result, text

_EARLY_ENDS = (
    Result.blow_up,
    Result.no_self_consistent_rate,
    Result.event_budget_exceeded,
    Result.non_finite,
    Result.rate_cycle,
    Result.rate_not_found,
    Result.weights_not_converged,
    Result.invalid_argument,
)
_STOPPED = (
    "the run passed an event or switched to particles, and derivatives stop there: end before "
    "`Solution.stats['differentiable_from']`, or keep to the density"
)


def raise_on_early_end(tree: Any, result: Result) -> Any:
    """The same tree; raises if the run ended early."""
    messages = [f"solve: {text(end)}" for end in _EARLY_ENDS]
    early = result != Result.completed
    return eqx.branched_error_if(tree, early, _which(result), messages)


def raise_on_derivatives(tree: Any, inputs: Any, result: Result, stopped: Bool[Array, ""]) -> Any:
    """The same tree; raises if it is differentiated by any of the inputs, and the run ended early
    or derivatives have stopped in it."""
    early = result != Result.completed
    which = jnp.where(early, _which(result), len(_EARLY_ENDS))
    dynamic, rest = eqx.partition(tree, eqx.is_inexact_array)
    inputs = eqx.filter(inputs, eqx.is_inexact_array)
    return eqx.combine(_guarded(dynamic, inputs, (early | stopped, which)), rest)


def _which(result: Result) -> Int[Array, ""]:
    found = jnp.stack([result == end for end in _EARLY_ENDS])
    return jnp.argmax(found)


@eqx.filter_custom_jvp
def _guarded(tree: Any, inputs: Any, wrong: tuple[Bool[Array, ""], Int[Array, ""]]) -> Any:
    return tree


@_guarded.def_jvp
def _guarded_jvp(primals: Any, tangents: Any) -> tuple[Any, Any]:
    tree, _, (wrong, which) = primals
    reasons = [text(end) for end in _EARLY_ENDS] + [_STOPPED]
    messages = [f"solve, differentiated (throw=False allows it): {reason}" for reason in reasons]
    # A factor of every derivative, so that none comes without it; those that are zero in any case,
    # as with particles, are made zero times those of the inputs.
    one = eqx.branched_error_if(jnp.ones(()), wrong, which, messages)
    nothing = sum((0 * jnp.sum(tangent) for tangent in jax.tree.leaves(tangents[1])), 0)

    def scaled(leaf: Any, tangent: Any) -> Array:
        factor = one.astype(leaf.dtype)
        if tangent is None:
            return jnp.full_like(leaf, factor * nothing)
        return factor * tangent

    return tree, jax.tree.map(scaled, tree, tangents[0])
