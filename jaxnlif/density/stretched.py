r"""Populations with thresholds and resets of their own on one voltage grid.

Population k lies on the grid stretched, $v = o_k + s_k x$ with x on the grid, so that its reset and
threshold are those of the grid. In units of the grid its drift is $f(v)/s_k$, its input $μ_k/s_k$
and its noise $a_k/s_k^2$; rates are the same.
"""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import Array, Float

from ..grid import VoltageGrid
from ..model import AbstractMembrane, Network


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
