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


def in_blocks(function: Callable[[Any, Any], Array]) -> Callable[[Any, Any], Array]:
    """The function `(common, columns)`, which treats every column by itself, block after block.

    The sweeps over voltages pass over a wide density several times; on a CPU, a block stays in the
    cache meanwhile. The last block overlaps the one before it where the width does not divide.

    **Arguments:** `function` of two pytrees of arrays with the columns last, of which those of the
    first may have a last axis of 1; it returns an array with the columns last.
    """

    def run(common: Any, columns: Any) -> Array:
        leaves = jax.tree.leaves(columns)
        num = leaves[0].shape[-1]
        size = max(x.size // num * x.dtype.itemsize for x in leaves)
        blocks = -(-num * size // _BYTES)
        width = -(-num // blocks)
        if blocks == 1:
            return function(common, columns)

        def blockwise(common: Any, columns: Any) -> Array:
            def one(block: Array, done: Array) -> Array:
                start = jnp.minimum(block * width, num - width)

                def part(x: Array) -> Array:
                    return x if x.shape[-1] == 1 else lax.dynamic_slice_in_dim(x, start, width, -1)

                found = function(*jax.tree.map(part, (common, columns)))
                return lax.dynamic_update_slice_in_dim(done, found, start, -1)

            shape = jax.eval_shape(function, common, columns)
            return lax.fori_loop(0, blocks, one, jnp.zeros(shape.shape, shape.dtype))

        return AUTOMATIC(common, columns, loops=blockwise, log_depth=function)

    return run
