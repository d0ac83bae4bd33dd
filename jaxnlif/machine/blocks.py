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
_ALIGNED = 8  # columns: a line of the cache or half of one


def in_blocks(function: Callable[[Any, Any, Array], Array]) -> Callable[[Any, Any, Array], Array]:
    """The function `(common, columns, array)`, which treats every column by itself, in blocks.

    The sweeps over voltages pass over a wide density several times; on a CPU, a block stays in the
    cache meanwhile. What is found takes the place of the array, block after block, so that no
    second array passes through memory. Where the width does not divide, the last block overlaps
    the one before it, and leaves there what is found.

    **Arguments:** `function` of two pytrees of arrays with the columns last, of which those of the
    first may have a last axis of 1, and of an array with the columns last, whose shape is that of
    the result.
    """

    def run(common: Any, columns: Any, array: Array) -> Array:
        num = array.shape[-1]
        blocks = -(-max(x.nbytes for x in jax.tree.leaves((columns, array))) // _BYTES)
        width = -(-num // (blocks * _ALIGNED)) * _ALIGNED
        blocks = -(-num // width)
        if blocks == 1:
            return function(common, columns, array)

        def blockwise(common: Any, columns: Any, array: Array) -> Array:
            def one(block: Array, done: Array) -> Array:
                start = jnp.minimum(block * width, num - width)

                def part(x: Array) -> Array:
                    if x.shape[-1] == 1:
                        return x
                    return lax.dynamic_slice_in_dim(
                        x, start, width, axis=-1, allow_negative_indices=False
                    )

                given = part(done)
                found = function(jax.tree.map(part, common), jax.tree.map(part, columns), given)
                if num % width:
                    new = start + jnp.arange(width) >= block * width
                    found = jnp.where(new.reshape((1,) * (found.ndim - 1) + (-1,)), found, given)
                return lax.dynamic_update_slice_in_dim(
                    done, found, start, axis=-1, allow_negative_indices=False
                )

            return lax.fori_loop(0, blocks, one, array)

        return AUTOMATIC(common, columns, array, loops=blockwise, log_depth=function)

    return run
