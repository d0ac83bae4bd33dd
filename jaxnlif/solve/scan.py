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

    With k blocks of b steps reverse mode holds k + b states and steps twice forward.

    **Arguments:** as `lax.scan`, with `xs` one array; `block`, the steps of a block: by default
    the square root of their number; 1 stores every state.
    """
    length = xs.shape[0]
    block = math.isqrt(max(length - 1, 0)) + 1 if block is None else min(block, length)
    if block <= 1 or block >= length:
        return lax.scan(function, init, xs)
    whole = length // block * block

    @jax.checkpoint
    def run_block(carry, xs):
        return lax.scan(function, carry, xs)

    carry, ys = lax.scan(run_block, init, xs[:whole].reshape(-1, block, *xs.shape[1:]))
    ys = jax.tree.map(lambda y: y.reshape(whole, *y.shape[2:]), ys)
    if whole == length:
        return carry, ys
    carry, rest = lax.scan(function, carry, xs[whole:])
    return carry, jax.tree.map(lambda y, r: jnp.concatenate([y, r]), ys, rest)
