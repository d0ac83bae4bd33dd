"""From neurons to a density on the grid."""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from ..grid import Grid
from .alike import AbstractNeurons, Alike
from .several import Several


def deposit(
    grid: Grid,
    potentials: Float[Array, " m"],
    weights: Float[Array, " m"] | None,
    present: Bool[Array, " m"] | None = None,
    neurons: AbstractNeurons | None = None,
) -> Float[Array, "v w"]:
    r"""The density of neurons, each shared between the two nodes that it lies between.

    The share of the node $V_F$, where a density vanishes, goes to the last node below it; neurons
    beyond the grid count at its ends. Mass is conserved, and inside the grid so is the mean.

    **Arguments:** `potentials` `(m,)` (voltage); `weights` `(m,)` (weight), or `None` for an
    unstructured network; `present` `(m,)`, which neurons to count; `neurons`, of which population
    each is, one by default. **Returns:** density `(v, w)`; its mass, of each population, is the
    fraction of the neurons that are present.
    """
    v, num = grid.v, potentials.shape[0]
    place = jnp.clip((potentials - v.minimum) / v.spacing, 0, v.num - 1)
    below = jnp.minimum(jnp.floor(place).astype(jnp.int32), max(v.num - 2, 0))
    upper = place - below.astype(grid.dtype)
    ones = jnp.ones(num, grid.dtype) if present is None else present.astype(grid.dtype)
    # One index for both axes, which takes half the memory of two.
    columns = grid.shape[1]
    several = isinstance(neurons, Several)
    node = below * columns + (neurons.population if several else cells(grid, weights, num))
    counts = jnp.zeros(grid.shape[0] * columns, grid.dtype)
    counts = counts.at[node].add(ones * (1 - upper)).at[node + columns].add(ones * upper)
    counts = counts.reshape(grid.shape)
    if neurons is None:
        neurons = Alike(num)
    everybody = jnp.ones(num, bool) if present is None else present
    # Single precision loses a little in sums over many neurons; their number is known.
    total = grid.mass(counts).astype(grid.dtype)
    fraction = neurons.share(neurons.count(everybody), grid.dtype)
    scale = fraction / jnp.where(total > 0, total, 1)
    return counts * jnp.reshape(scale, (1, -1))


def cells(grid: Grid, weights: Float[Array, " m"] | None, num: int) -> Int[Array, " m"]:
    """The weight cell of each of `num` neurons."""
    if grid.w is None or weights is None:
        return jnp.zeros(num, jnp.int32)
    place = jnp.floor((weights - grid.w.minimum) / grid.w.spacing)
    return jnp.clip(place, 0, grid.w.num - 1).astype(jnp.int32)


def weight_counts(
    grid: Grid, weights: Float[Array, " m"], among: Bool[Array, " m"]
) -> Int[Array, " w"]:
    """How many of the neurons `among` lie in each weight cell."""
    counts = jnp.zeros(grid.shape[1], jnp.int32)
    return counts.at[cells(grid, weights, weights.shape[0])].add(among.astype(jnp.int32))
