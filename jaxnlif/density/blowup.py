"""When an excitatory network blows up: its firing carries itself, and the rate has no bound."""

from __future__ import annotations

from collections.abc import Callable

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float

from ..grid import Grid

MAX_RATE = 1e6  # spikes per neuron and membrane time: beyond every physical rate
_MAX_ITERATIONS = 200


def blows_up(
    grid: Grid,
    density: Float[Array, "v w"],
    rate: Float[Array, ""],
    kick: Float[Array, " w"],
    duration: Float[Array, ""],
) -> Bool[Array, ""]:
    r"""Whether the spikes of a step start an avalanche that carries itself.

    With $m_0 = \bar N\,δ$ the mass that fired in the step and $G_j(x)$ the mass within $x$ of the
    threshold, the neurons that fire together are the smallest $m ≥ m_0$ with
    $m_0 + ∑_j G_j(k_j m) ≤ m$, where $k_j$ is the jump of weight j for each unit of mass (Delarue,
    Inglis, Rubenthaler, Tanré 2015; Dou, Tao, Xue, Zhou, arXiv 2603.18475). No avalanche carries
    itself unless $\max_v ∑_j k_j^+ p(v, w_j) Δw > 1$. Then it is a blow-up if $m > 2 m_0$ and the
    jump exceeds a tenth of $V_F - V_R$ and five cells: a property of the density, not of the mesh.
    A step in which everyone fires does not resolve the question; there only a rate without bound
    counts.

    **Arguments:** density `(v, w)`, rate (1/time), `kick` k `(w,)` (voltage), `duration`
    $δ = Δt/ε$ of the step (membrane time). **Returns:** a boolean.
    """
    v = grid.v
    kick = jnp.maximum(kick, 0)
    fired = rate * duration
    depth = jnp.asarray(v.threshold - v.nodes, grid.dtype)[:, None] / v.spacing
    visible = max(0.1 * (v.threshold - v.reset), 5 * v.spacing)

    def reached(mass):
        # Mass of the cells that the jump lifts over the threshold, cut cells in proportion.
        cells = (kick * mass / v.spacing)[None]
        return jnp.sum(density * jnp.clip(cells - depth + 0.5, 0, 1)) * grid.cell_area

    def is_event(mass):
        return (mass > 2 * fired) & (jnp.max(kick) * mass > visible)

    def unfinished(carry):
        previous, mass, iterations = carry
        growing = mass > previous * (1 + 1e-3)
        return growing & ~is_event(mass) & (iterations < _MAX_ITERATIONS)

    def grow(carry):
        _, mass, iterations = carry
        return mass, fired + reached(mass), iterations + 1

    gain = jnp.max(density @ kick) * grid.weight_spacing
    possible = (fired < 1) & (gain > 1) & (jnp.max(kick) > visible)
    nothing = jnp.zeros_like(fired), jnp.zeros((), jnp.int32)
    start = nothing[0], jnp.where(possible, fired, 0), nothing[1]
    _, mass, _ = lax.while_loop(unfinished, grow, start)
    return (possible & is_event(mass)) | ~(rate < MAX_RATE)


def kick_per_mass(
    response: Callable[[Array], Array], weights: Float[Array, " w"]
) -> Float[Array, " w"]:
    r"""The jump $w\,\lim_{N→∞} σ(N)/N$ of each weight when unit mass fires at once (voltage).

    Only an unbounded response lets an instantaneous event act at once.
    """
    slope = response(jnp.asarray(MAX_RATE, weights.dtype)) / MAX_RATE
    return weights * slope
