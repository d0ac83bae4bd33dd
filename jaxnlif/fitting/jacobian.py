"""The Jacobian of residuals, by the mode of differentiation that takes fewer derivatives."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float, Int

Function = Callable[[Array], tuple[Float[Array, " r"], Any]]

_AT_ONCE = 8  # derivatives that are carried together


def jacobian(function: Function, at: Float[Array, " p"]) -> tuple[Float[Array, "r p"], Any]:
    """The Jacobian, several columns or rows at once in bounded memory.

    By forward mode, a column for each parameter, or by reverse mode, a row for each residual:
    whichever are fewer, and the other mode where the function has derivatives in that one alone,
    as spike times (reverse) and loops of unknown length (forward).

    **Arguments:** `function`, whose result is a pair: what is differentiated, and anything else,
    which is returned beside the Jacobian.

    **Raises:** what JAX raises of a function that neither mode can differentiate.
    """
    residuals, _ = jax.eval_shape(function, at)
    ways = [_by_columns, _by_rows]
    first, second = ways if at.size <= residuals.size else ways[::-1]
    try:
        return first(function, at)
    except (TypeError, ValueError, NotImplementedError) as error:
        # JAX has no name for a mode that is missing: it raises TypeError for forward mode of a
        # custom_vjp, ValueError for reverse mode of a while loop, NotImplementedError for a
        # primitive without a rule. What the function itself raises was raised by eval_shape.
        try:
            return second(function, at)
        except (TypeError, ValueError, NotImplementedError):
            raise error from None


def _by_columns(function: Function, at: Float[Array, " p"]) -> tuple[Array, Any]:
    def column(place: Int[Array, ""]) -> tuple[Float[Array, " r"], Any]:
        direction = jax.nn.one_hot(place, at.size, dtype=at.dtype)
        _, slope, other = jax.jvp(function, (at,), (direction,), has_aux=True)
        return slope, other

    columns, others = _each(column, at.size)
    return columns.T, jax.tree.map(lambda x: x[0], others)


def _by_rows(function: Function, at: Float[Array, " p"]) -> tuple[Array, Any]:
    residuals, pull, other = jax.vjp(function, at, has_aux=True)

    def row(place: Int[Array, ""]) -> Float[Array, " p"]:
        return pull(jax.nn.one_hot(place, residuals.size, dtype=residuals.dtype))[0]

    return _each(row, residuals.size), other


def _each(derivative: Callable[[Array], Any], number: int) -> Any:
    """So many derivatives in batches of one size, which are compiled once."""
    batches = math.ceil(number / _AT_ONCE)
    size = math.ceil(number / batches)
    found = lax.map(derivative, jnp.arange(batches * size), batch_size=size)
    return jax.tree.map(lambda x: x[:number], found)
