"""Columns in blocks that fit the cache of a processor core."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array

from ..execution import AUTOMATIC

_BYTES = 2**19  # a block of the density: with what a step makes of it, a few caches of level two


def in_blocks(function: Callable[..., Array], *columns: Array) -> Array:
    """`function(*columns)`, which treats every column by itself, block after block on a CPU.

    The sweeps over voltages pass over a wide density several times; a block stays in the cache
    meanwhile. The last block overlaps the one before it where the width does not divide.

    **Arguments:** arrays `(..., w)` with the columns last. **Returns:** `(..., w)`.
    """
    num = columns[0].shape[-1]
    size = max(x.size // num * x.dtype.itemsize for x in columns)
    blocks = -(-num * size // _BYTES)
    width = -(-num // blocks)
    if blocks == 1:
        return function(*columns)

    def blockwise(*columns: Array) -> Array:
        def one(block: Any, done: Any):
            start = jnp.minimum(block * width, num - width)
            part = function(*(lax.dynamic_slice_in_dim(x, start, width, -1) for x in columns))
            return lax.dynamic_update_slice_in_dim(done, part, start, -1)

        shape = jax.eval_shape(function, *columns)
        return lax.fori_loop(0, blocks, one, jnp.zeros(shape.shape, shape.dtype))

    return AUTOMATIC(*columns, loops=blockwise, log_depth=function)
