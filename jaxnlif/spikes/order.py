"""Sorting the spikes of many samples at once."""

from __future__ import annotations

import math
from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, Int

_BLOCK = 64

_SHORT = 1024
"""Columns of so many entries are not worth a second way."""

_CHEAP = 50
"""Comparisons of counting that take as long as one of a library sort, within a factor of two.

Measured on a CPU: some 100 in columns side by side, 20 in a single one.
"""


@jax.custom_batching.custom_vmap
def longest(present: Bool[Array, "m b"]) -> Int[Array, ""]:
    """The number of rows that has room for the present ones of every column.

    Under `vmap` it is one number for all, so that loops of this length need no masks.
    """
    return jnp.max(jnp.sum(present, axis=0))


@longest.def_vmap
def _(_size: int, _batched: Sequence[bool], present: Bool[Array, "k m b"]) -> tuple[Array, bool]:
    wide = jnp.moveaxis(present, 0, 1)
    return longest(wide.reshape(wide.shape[0], -1)), False


@jax.custom_batching.custom_vmap
def largest(x: Float[Array, "..."]) -> Float[Array, ""]:
    """The largest entry; under `vmap` one for all, for the same reason."""
    return jnp.max(x, initial=0)


@largest.def_vmap
def _(_size: int, _batched: Sequence[bool], x: Float[Array, "..."]) -> tuple[Array, bool]:
    return largest(x), False


def ascending(times: Float[Array, "m b"], present: Bool[Array, "m b"]) -> Int[Array, "m b"]:
    """For each column the positions of its present entries by time, followed by m.

    Equal times keep their order.
    """
    return lax.platform_dependent(times, present, cpu=by_the_cheaper, default=by_sorting)


def by_the_cheaper(times: Float[Array, "m b"], present: Bool[Array, "m b"]) -> Int[Array, "m b"]:
    """`ascending` on a CPU: `by_counting` takes time m + n² for n present entries of m.

    `by_sorting` takes m log m. Which of them runs is known only when the entries are.
    """
    m = len(times)
    if m <= _SHORT:
        return by_counting(times, present)
    few = longest(present) <= math.isqrt(int(_CHEAP * m * math.log2(m)))
    return lax.cond(few, by_counting, by_sorting, times, present)


def by_sorting(times: Float[Array, "m b"], present: Bool[Array, "m b"]) -> Int[Array, "m b"]:
    """`ascending` where every launch counts, as on a GPU."""
    m, b = times.shape
    position = jnp.broadcast_to(jnp.arange(m)[:, None], (m, b))
    keys = jnp.where(present, times, jnp.inf)
    _, order = lax.sort((keys, position), dimension=0, is_stable=True, num_keys=1)
    return jnp.where(position < jnp.sum(present, axis=0)[None], order, m)


def by_counting(times: Float[Array, "m b"], present: Bool[Array, "m b"]) -> Int[Array, "m b"]:
    """`ascending` where present entries are few, on a CPU.

    They are moved to the front, and the place of each is the number of those before it, which takes
    a fraction of the time of a library sort of every column.
    """
    m, b = times.shape
    column = jnp.arange(b)[None]
    position = jnp.broadcast_to(jnp.arange(m)[:, None], (m, b))
    count = longest(present)
    blocks = -(-m // _BLOCK)

    _, front = lax.scan(lambda n, new: (n + new, n), jnp.zeros(b, int), present)
    front = jnp.where(present, front, m)
    moved = jnp.full((m, b), m).at[front, column].set(position, mode="drop", unique_indices=True)
    early = times.at[moved, column].get(mode="fill", fill_value=jnp.inf)
    early = jnp.pad(early, ((0, blocks * _BLOCK - m), (0, 0)), constant_values=jnp.inf)

    def place_block(n: Int[Array, ""], places: Int[Array, "m b"]) -> Int[Array, "m b"]:
        ours = lax.dynamic_slice_in_dim(early, n * _BLOCK, _BLOCK)
        row = n * _BLOCK + jnp.arange(_BLOCK)[:, None]

        def count_before(j: Int[Array, ""], before: Int[Array, "m b"]) -> Int[Array, "m b"]:
            other = early[j][None]
            return before + jnp.where((other < ours) | ((other == ours) & (j < row)), 1, 0)

        before = lax.fori_loop(0, count, count_before, jnp.zeros(ours.shape, moved.dtype))
        return lax.dynamic_update_slice_in_dim(places, before, n * _BLOCK, 0)

    places = jnp.zeros(early.shape, moved.dtype)
    places = lax.fori_loop(0, -(-count // _BLOCK), place_block, places)[:m]
    places = jnp.where(moved < m, places, m)
    return jnp.full((m, b), m).at[places, column].set(moved, mode="drop", unique_indices=True)
