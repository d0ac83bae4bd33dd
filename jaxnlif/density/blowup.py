"""Cascades: when firing carries itself, how many neurons fire together, and blow-up."""

from __future__ import annotations

import math
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Float

from .. import _tolerance
from ..grid import Grid, VoltageGrid
from ..model.synapse import is_event, visible_jump

MAX_RATE = 1e6  # spikes per neuron and membrane time: beyond every physical rate
_MAX_ITERATIONS = 1000

_Iterates = tuple[Array, Array, Array]
"""The mass before, the mass, and how many iterations led to it."""


class CascadeMass(NamedTuple):
    """The mass that fires together, of each population if there are several, and whether it carries
    itself."""

    mass: Float[Array, "*k"]
    is_event: Bool[Array, ""]


def jumps_of(kick: Float[Array, "*k w"], mass: Float[Array, "*k"]) -> Float[Array, " w"]:
    """The jumps of the potentials where these masses fire at once, shape `(w,)` (voltage)."""
    return kick * mass if mass.ndim == 0 else jnp.sum(kick * mass[None], axis=1)


def cascade(
    grid: Grid,
    density: Float[Array, "v w"],
    fired: Float[Array, "*k"],
    kick: Float[Array, "*k w"],
    edge: Float[ArrayLike, "..."] = 0.5,
) -> CascadeMass:
    r"""The smallest $m ≥ m_0$ with $m_0 + ∑_j G_j(k_j m) ≤ m$, where `reached` gives $G_j$.

    It is the limit of the monotone iteration from $m_0$; a larger root may lie beyond a gap that
    the cascade cannot cross (Delarue, Inglis, Rubenthaler, Tanré 2015; Dou, Tao, Xue, Zhou,
    arXiv 2603.18475). Whether it `is_event` is a property of the density, not of the mesh. Where
    `may_carry` does not hold, nothing is iterated and $m = 0$ is returned. Of populations see
    `cascade_of_populations`.

    **Arguments:** density `(v, w)`; `fired` $m_0$, the mass that has fired already; `kick` k
    `(w,)`, the jump of each weight for each unit of mass (voltage), of either sign, of populations
    `(k, k)`; `edge`, the `edge_weight` ω. **Returns:** mass and whether it is an event.
    """
    if grid.populations is not None:
        return cascade_of_populations(grid, density, fired, kick, edge)
    tolerance = _tolerance.coupling(grid.dtype)
    possible = may_carry(grid, density, fired, kick, edge)

    def unfinished(carry: _Iterates) -> Array:
        previous, mass, iterations = carry
        return (mass > previous * (1 + tolerance)) & (iterations < _MAX_ITERATIONS)

    def grow(carry: _Iterates) -> _Iterates:
        _, mass, iterations = carry
        return mass, fired + jnp.sum(reached(grid, density, kick * mass, edge)), iterations + 1

    start = jnp.zeros_like(fired), jnp.where(possible, fired, 0), jnp.zeros((), jnp.int32)
    _, mass, _ = lax.while_loop(unfinished, grow, start)
    jump = jnp.max(kick) * mass
    return CascadeMass(mass, possible & is_event(mass, fired, jump, _visible(grid.v)))


def may_carry(
    grid: Grid,
    density: Float[Array, "v w"],
    fired: Float[Array, ""],
    kick: Float[Array, " w"],
    edge: Float[ArrayLike, "..."] = 0.5,
) -> Bool[Array, ""]:
    r"""A cheap condition without which `cascade` finds no event.

    No cascade carries itself unless $\max_v ∑_j k_j^+ p(v, w_j) Δw > 1$; and none reaches a
    visible jump $x$ unless $m_0 + ∑_j G_j(k_j m) > m$ at $m = x/\max k$.
    """
    kick = jnp.maximum(kick, 0)
    strongest, visible = jnp.max(kick), _visible(grid.v)
    gain = jnp.max(density @ kick) * grid.weight_spacing
    mass = visible / jnp.where(strongest > 0, strongest, 1)
    near = math.ceil(visible / grid.v.spacing) + 1
    enough = fired + jnp.sum(reached(grid, density[-near:], kick * mass, edge)) > mass
    return (strongest > visible) & (gain > 1) & enough


def reached(
    grid: Grid,
    density: Float[Array, "top w"],
    jump: Float[Array, " w"],
    edge: Float[ArrayLike, "..."] = 0.5,
) -> Float[Array, " w"]:
    r"""$G_j(x_j)$, the mass of each weight within its jump of the threshold.

    Node $i$ stands for the cell of width h around it; the last one also for the layer between it
    and the threshold, which holds $ω h p$ and of it $ω ξ^{1/ω} h p$ within ξh, exact for the two
    profiles there are: linear, $ω = 1/2$, and flat, $ω = 1$.

    **Arguments:** the highest rows of the density, jumps x `(w,)` (voltage), `edge` ω, a number or
    `(w,)`. **Returns:** masses `(w,)`; none for jumps that are not positive.
    """
    cells = jnp.maximum(jump, 0) / grid.v.spacing
    depth = jnp.arange(density.shape[0], 0, -1, grid.dtype)[:, None]
    layer = edge * jnp.minimum(cells, 1) ** (1 / edge) + jnp.clip(cells - 1, 0, 0.5)
    inner = jnp.sum(density[:-1] * jnp.clip(cells[None] - depth[:-1] + 0.5, 0, 1), 0)
    return (inner + density[-1] * layer) * grid.cell_area


def edge_weight(
    grid: VoltageGrid, drift: Float[Array, " w"], noise: Float[Array, " #w"]
) -> Float[Array, " w"]:
    r"""$ω = 1/(1 - e^{-x}) - 1/x$: which part of $h p_{n-1}$ lies between node and threshold.

    With the Péclet number $x$ = drift · h/a of the last cell; 1/2 where it is not positive. At high
    rates p falls to zero in a boundary layer thinner than the cell, and ω nears 1.

    **Arguments:** `drift` at the threshold, $f(V_F) + μ$, `(w,)`; noise a. **Returns:** ω `(w,)`,
    from 1/2 to 1.
    """
    peclet = jnp.maximum(drift * (grid.spacing / noise), 0)
    series = 0.5 + peclet / 12
    safe = jnp.where(peclet < 0.1, 1, peclet)
    return jnp.where(peclet < 0.1, series, -1 / jnp.expm1(-safe) - 1 / safe)


def blows_up(
    grid: Grid,
    density: Float[Array, "v w"],
    rate: Float[Array, "*k"],
    kick: Float[Array, "*k w"],
    duration: Float[Array, ""],
    edge: Float[ArrayLike, "..."] = 0.5,
) -> Bool[Array, ""]:
    r"""Whether the spikes of a step start a cascade that carries itself.

    A step in which everyone fires does not resolve the question; there only a rate without bound
    counts.

    **Arguments:** density `(v, w)`, rate (spikes / neuron / membrane time), `kick` k `(w,)`,
    of populations `(k, k)` (voltage), `duration` $δ = Δt/ε$ of the step (membrane time), `edge` ω.
    **Returns:** a boolean.
    """
    fired = rate * duration
    apart = jnp.where(fired < 1, fired, 0)
    event = cascade(grid, density, apart, kick, edge).is_event
    resolved = jnp.any(fired < 1)
    return (resolved & event) | ~jnp.all(rate < MAX_RATE)


def cascade_of_populations(
    grid: Grid,
    density: Float[Array, "v k"],
    fired: Float[Array, " k"],
    kick: Float[Array, "k k"],
    edge: Float[ArrayLike, "..."] = 0.5,
) -> CascadeMass:
    r"""The masses of populations that fire together, from those that have fired.

    They grow to the smallest ones with $m_k = m_{0,k} + G_k(\sum_l b_{kl} m_l)$, at which no more
    neurons reach the threshold: excitatory kicks carry the event, inhibitory ones act in it. It is
    an event if it is one of any population. Where no density lets a kick carry itself, nothing is
    iterated and $m = 0$ is returned.
    """
    tolerance = _tolerance.coupling(grid.dtype)
    excited = jnp.sum(jnp.maximum(kick, 0), axis=1)
    possible = jnp.any(jnp.max(density, 0) * excited > 1)

    def unfinished(carry: _Iterates) -> Array:
        previous, mass, iterations = carry
        return jnp.any(mass > previous * (1 + tolerance)) & (iterations < _MAX_ITERATIONS)

    def grow(carry: _Iterates) -> _Iterates:
        _, mass, iterations = carry
        more = fired + reached(grid, density, jumps_of(kick, mass), edge)
        return mass, jnp.maximum(mass, more), iterations + 1

    begin = jnp.zeros_like(fired), jnp.where(possible, fired, 0), jnp.zeros((), jnp.int32)
    _, mass, _ = lax.while_loop(unfinished, grow, begin)
    of_each = jax.vmap(partial(is_event, visible=_visible(grid.v)))
    return CascadeMass(mass, possible & jnp.any(of_each(mass, fired, jumps_of(kick, mass))))


def _visible(grid: VoltageGrid) -> float:
    """The jump from which on firing together is an event (voltage)."""
    return visible_jump(grid.threshold - grid.reset, grid.spacing)
