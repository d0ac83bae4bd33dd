r"""Populations with thresholds and resets of their own on one voltage grid.

Population k lies on the grid stretched, $v = o_k + s_k x$ with x on the grid, so that its reset and
threshold are those of the grid. In units of the grid its drift is $f(v)/s_k$, its input $μ_k/s_k$
and its noise $a_k/s_k^2$; rates are the same.
"""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ._check import check, known
from .grid import Grid, VoltageGrid
from .model import AbstractMembrane, Network


class Stretched(AbstractMembrane):
    """A membrane in units of the grid, for each of k populations.

    **Arguments:** `membrane`: in the units of the network; `offset`, `scale`: $o_k$ and $s_k$,
    shape `(k,)` (voltage).
    """

    membrane: AbstractMembrane
    offset: Float[Array, " k"]
    scale: Float[Array, " k"]

    def drift(self, v: Float[Array, "..."]) -> Float[Array, "... k"]:
        """The drift of each population, along the last axis, at places on the grid."""
        shape = (1,) * max(v.ndim - 1, 0) + self.scale.shape
        offset, scale = (x.reshape(shape) for x in (self.offset, self.scale))
        return self.membrane.drift(offset + scale * v) / scale


def stretched(grid: VoltageGrid, model: Network) -> tuple[AbstractMembrane, Float[Array, "*k"]]:
    """The membrane in units of the grid, and the voltage in such a unit, 1 for most networks."""
    one = jnp.ones((), grid.dtype)
    if model.threshold is None and model.reset is None:
        return model.membrane, one
    num = model.populations
    ends = (grid.threshold, model.threshold), (grid.reset, model.reset)
    threshold, reset = (
        jnp.broadcast_to(jnp.asarray(there if own is None else own, grid.dtype), (num,))
        for there, own in ends
    )
    scale = (threshold - reset) / (grid.threshold - grid.reset)
    return Stretched(model.membrane, reset - scale * grid.reset, scale), scale


def kicks(grid: VoltageGrid, model: Network, weights: Float[Array, " w"]) -> Float[Array, "*k w"]:
    """The jump of each weight when unit mass fires at once, shape `(w,)`, of populations of each
    when unit mass of each does, `(k, k)`, in units of the grid (voltage)."""
    kick = model.connections.kick(weights)
    if model.populations is None:
        return kick
    unit = jnp.broadcast_to(stretched(grid, model)[1], weights.shape)
    # An instant moves potentials by weight / time constant.
    return kick / (unit * model.membrane_time)[:, None]


def check_populations(grid: Grid, model: Network) -> None:
    """Requires as many populations in the grid as in the network."""
    there, here = model.populations, grid.populations
    if there == here:
        return
    if here is None:
        raise ValueError(
            f"grid: has one column; a network of {there} populations needs "
            f"Grid(v, populations={there})"
        )
    raise ValueError(
        f"grid: has {here} populations; the network has "
        + ("none, as its weight is no matrix (to, from)" if there is None else str(there))
    )


def check_membrane(grid: VoltageGrid, model: Network) -> None:
    """Requires a drift that is finite wherever neurons are, and thresholds above resets."""
    v = grid.interfaces
    if model.threshold is None and model.reset is None:
        model.membrane.validate(v)
        return
    ends = (model.threshold, grid.threshold), (model.reset, grid.reset)
    threshold, reset = (known(there if own is None else own) for own, there in ends)
    names = model.names or [str(k) for k in range(model.populations or 0)]
    pairs = zip(*(np.broadcast_to(x, len(names)) for x in (threshold, reset)), strict=True)
    for name, (high, low) in zip(names, pairs, strict=True):
        check(low < high, f"reset = {low:g} of population {name}: must be below its threshold")
        part = (v - grid.reset) / (grid.threshold - grid.reset)
        model.membrane.validate(np.asarray(low + part * (high - low), v.dtype))
