"""Values between two times at which a network was observed."""

from __future__ import annotations

from typing import TypeVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from .solver import Regime

Tree = TypeVar("Tree")


def is_smooth(
    before: Int[Array, "..."], after: Int[Array, "..."], interrupted: Bool[Array, "..."]
) -> Bool[Array, "..."]:
    """Whether everything is linear between two times: of a density, and not `interrupted`.

    **Arguments:** the `Regime` at both times; whether neurons fired together, or the description
    changed, in between.
    """
    return (before == Regime.density) & (after == Regime.density) & ~interrupted


def interpolate(
    before: Tree, after: Tree, part: Float[Array, "..."], smooth: Bool[Array, "..."] | bool = True
) -> Tree:
    """The values after a `part` of the way: linear, or, if not `smooth` or integers, the nearest.

    Those of `after` are bit for bit what they are at `part` 1. Arrays begin with the shape of
    `part`.
    """
    nearest = jnp.round(part)
    share = jnp.where(smooth, part, nearest)

    def one(first: Array, last: Array) -> Array:
        first, last = jnp.asarray(first), jnp.asarray(last)
        shape = share.shape + (1,) * (last.ndim - share.ndim)
        if not jnp.issubdtype(last.dtype, jnp.inexact):
            return jnp.where(nearest.reshape(shape) == 1, last, first)
        s = share.reshape(shape).astype(jnp.finfo(last.dtype).dtype)
        return jnp.where(s == 1, last, (1 - s) * first + s * last)

    return jax.tree.map(one, before, after)
