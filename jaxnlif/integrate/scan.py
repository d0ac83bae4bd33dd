"""A scan whose reverse mode stores only some of its states."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.ad_checkpoint import checkpoint_name
from jaxtyping import Array

_FOUND = "found"
_POLICY = jax.checkpoint_policies.save_only_these_names(_FOUND)


def remember(found: Any) -> Any:
    """The same, stored in every step, so that reverse mode need not search for it again."""
    return jax.tree.map(lambda x: checkpoint_name(x, _FOUND), found)


def checkpointed_scan(
    function: Callable[[Any, Any], tuple[Any, Any]], init: Any, xs: Array, *, block: int | None
) -> tuple[Any, Any]:
    """`lax.scan(function, init, xs)` in blocks, of which reverse mode stores the first states only.

    With k blocks of b steps reverse mode holds k states and what one block stores, and steps twice
    forward. A last block that is not full is filled up with the last x: called with it once more,
    `function` must leave the carry as it is. Thus one block, and in it one `function`, is all that
    is compiled.

    **Arguments:** as `lax.scan`, with `xs` one array; `block`, the most steps of a block, or `None`
    for no blocks at all.
    """
    length = xs.shape[0]
    if block is None or block >= length:
        return lax.scan(function, init, xs)
    blocks = -(-length // block)
    block = -(-length // blocks)
    missing = blocks * block - length
    xs = jnp.concatenate([xs, jnp.repeat(xs[-1:], missing, axis=0)])

    @partial(jax.checkpoint, prevent_cse=False, policy=_POLICY)
    def run_block(carry: Any, xs: Any) -> tuple[Any, Any]:
        return lax.scan(function, carry, xs)

    carry, ys = lax.scan(run_block, init, xs.reshape(blocks, block, *xs.shape[1:]))
    return carry, jax.tree.map(lambda y: y.reshape(-1, *y.shape[2:])[:length], ys)
