"""A scan whose reverse mode stores only some of its states."""

from __future__ import annotations

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array


def checkpointed_scan(function: Callable, init, xs: Array, *, block: int | None = None):
    """`lax.scan(function, init, xs)` in blocks, of which reverse mode stores the first states only.

    With k blocks of b steps reverse mode holds k + b states and steps twice forward. A last block
    that is not full is filled up with the last x: called with it once more, `function` must leave
    the carry as it is. Thus one block, and in it one `function`, is all that is compiled.

    **Arguments:** as `lax.scan`, with `xs` one array; `block`, the steps of a block: by default
    the square root of their number; 1 stores every state.
    """
    length = xs.shape[0]
    block = math.isqrt(max(length - 1, 0)) + 1 if block is None else min(block, length)
    if block <= 1 or block >= length:
        return lax.scan(function, init, xs)
    blocks = -(-length // block)
    missing = blocks * block - length
    xs = jnp.concatenate([xs, jnp.repeat(xs[-1:], missing, axis=0)])

    @jax.checkpoint
    def run_block(carry, xs):
        return lax.scan(function, carry, xs)

    carry, ys = lax.scan(run_block, init, xs.reshape(blocks, block, *xs.shape[1:]))
    return carry, jax.tree.map(lambda y: y.reshape(-1, *y.shape[2:])[:length], ys)
