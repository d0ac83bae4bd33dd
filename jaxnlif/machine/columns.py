"""Functions that treat every column by itself: a batch of calls is one call with more columns."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.custom_batching import custom_vmap
from jaxtyping import Array


def columnwise(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function `(common, columns)`, which `vmap` calls once, with the columns of all members.

    It has no derivative of its own: it is for what is inside of a rule for derivatives.

    **Arguments:** `function` of two pytrees of arrays. Those of the second have columns along the
    last axis; those of the first may have a last axis of 1, for what all columns share. It returns
    a pytree of arrays whose last axis is that of the columns.
    """

    @custom_vmap
    def run(common, columns):
        return function(common, columns)

    @run.def_vmap
    def _(size, batched, common, columns):
        width = jax.tree.leaves(columns)[0].shape[-1]

        def widened(x: Array, is_batched: bool) -> Array:
            x = x if is_batched else jnp.broadcast_to(x, (size, *x.shape))
            x = jnp.broadcast_to(x, (*x.shape[:-1], width))
            x = jnp.moveaxis(x, 0, -2)
            return x.reshape(*x.shape[:-2], -1)

        def shared(x: Array, is_batched: bool) -> Array:
            return widened(x, is_batched) if is_batched or x.shape[-1] > 1 else x

        found = run(
            jax.tree.map(shared, common, batched[0]),
            jax.tree.map(widened, columns, batched[1]),
        )

        def apart(x: Array) -> Array:
            return jnp.moveaxis(x.reshape(*x.shape[:-1], size, -1), -2, 0)

        found = jax.tree.map(apart, found)
        return found, jax.tree.map(lambda _: True, found)

    return run
