"""From a density to neurons, with the least noise."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float, Int, PRNGKeyArray

from ..grid import Grid
from ..machine.layout import ONE_DEVICE, AbstractLayout


def sampled(
    grid: Grid,
    density: Float[Array, "v w"],
    num: int | tuple[int, ...],
    key: PRNGKeyArray,
    layout: AbstractLayout,
) -> tuple[Float[Array, " m"], Float[Array, " m"] | None]:
    """The neurons of a density, `stratified`; of populations one after another, `num` of each."""
    if not isinstance(num, tuple):
        return stratified(grid, density, num, key, layout)
    keys = jax.random.split(key, len(num))
    parts = [
        stratified(grid, density[:, k : k + 1], size, keys[k])[0] for k, size in enumerate(num)
    ]
    return jnp.concatenate(parts), None


def stratified(
    grid: Grid,
    density: Float[Array, "v w"],
    num: int,
    key: PRNGKeyArray,
    layout: AbstractLayout = ONE_DEVICE,
) -> tuple[Float[Array, " m"], Float[Array, " m"] | None]:
    r"""Neurons at the quantiles $u_i = (i + U)/M$ of a density, $U$ one uniform number.

    Between nodes the density is linear; it vanishes at $V_F$ and is constant in the half cell below
    $V_\min$, so that the mass is the sum over the nodes. Neurons are ordered by weight cell, then
    by potential, and their number in every part of that order is right to within one: means err by
    O(1/M + h²), where independent draws err by O(M^{-1/2}).

    **Arguments:** `density` `(v, w)`, of any positive mass; `num` $M$; where neurons lie.
    **Returns:** potentials `(m,)` (voltage), and weights `(m,)`, cell centres, or `None` for an
    unstructured network.
    """
    v = grid.v
    # Interval 0 is the half cell below the first node; interval k lies between nodes k-1 and k.
    left = jnp.concatenate([density[:1], density])
    right = jnp.concatenate([density, jnp.zeros_like(density[:1])])
    width = jnp.full((v.num + 1, 1), v.spacing, grid.dtype).at[0].set(v.spacing / 2)
    mass = (left + right) * (width / 2)
    offset = jax.random.uniform(key, (), grid.dtype)
    interval, along = _quantiles(mass, num, offset, layout)
    column, place = jnp.divmod(interval, v.num + 1)

    # The fraction of an interval below which the fraction `along` of its mass lies.
    tiny = jnp.finfo(grid.dtype).tiny
    below, above = left[place, column], right[place, column]
    share = below / jnp.maximum(below + above, tiny)
    root = jnp.sqrt((1 - along) * share**2 + along * (1 - share) ** 2)
    along = along / jnp.maximum(share + root, tiny)
    position = jnp.where(place == 0, (along - 1) / 2, (place - 1).astype(grid.dtype) + along)
    potentials = v.minimum + position * v.spacing
    if grid.w is None:
        return potentials, None
    return potentials, jnp.asarray(grid.w.centers, grid.dtype)[column]


def _quantiles(
    mass: Float[Array, "k w"], num: int, offset: Float[Array, ""], layout: AbstractLayout
) -> tuple[Int[Array, " m"], Float[Array, " m"]]:
    """In which interval, column by column, each quantile lies, and at which fraction of its mass.

    The quantiles at which intervals begin are counted along, in O(M + k w) without any search.
    """

    # In thin tails rounding moves quantiles: the sums are made everywhere, in the same order.
    @layout.everywhere
    def intervals(
        mass: Float[Array, "k w"], offset: Float[Array, ""]
    ) -> tuple[Array, Array, Array]:
        mass = mass * (num / jnp.sum(mass))
        # One after the other: sums in another order need not be monotone, nor flat where mass is 0.
        within = _running_sum(mass)
        columns = _running_sum(within[-1])
        start = jnp.concatenate([jnp.zeros_like(columns[:1]), columns[:-1]])
        end = jnp.reshape((start[None] + within).T, -1)
        begin = jnp.concatenate([jnp.zeros_like(end[:1]), end[:-1]])
        # The first quantile in each interval; none in those that begin where all mass ends.
        first = jnp.where(begin < end[-1], jnp.ceil(begin - offset), num).astype(jnp.int32)
        return mass.T.reshape(-1), begin, first

    mass, begin, first = intervals(mass, offset)
    interval = jnp.cumsum(jnp.zeros(num, jnp.int32).at[first].add(1, mode="drop")) - 1
    rank = lax.iota(jnp.int32, num) - first[interval]
    # Within an interval integers count, so that large numbers of neurons lose no digits.
    above = rank.astype(mass.dtype) + (first.astype(mass.dtype) + offset - begin)[interval]
    return interval, jnp.clip(above / mass[interval], 0, 1)


def _running_sum(rows: Float[Array, "k ..."]) -> Float[Array, "k ..."]:
    def add(total: Array, row: Array) -> tuple[Array, Array]:
        total = total + row
        return total, total

    return lax.scan(add, jnp.zeros_like(rows[0]), rows)[1]
