"""A neuron between spikes: its potential after a step, and whether it fired on the way."""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float, Float32


class Motion(NamedTuple):
    """Neurons after a step without spikes.

    - `potentials` $X'$ (voltage).
    - `margin`: by how much the end point might be lower and the neuron still have fired on the way;
      it fired where this is positive (voltage).
    """

    potentials: Float[Array, " m"]
    margin: Float[Array, " m"]


def move(
    potentials: Float[Array, " m"],
    drive: Float[Array, "..."],
    noise: Float[Array, ""],
    duration: Float[Array, "..."],
    threshold: float,
    normal: Float32[Array, " m"],
    uniform: Float32[Array, " m"],
) -> Motion:
    r"""The free motion over a step, and the spikes in it, also those that its ends do not show.

    The transition is that of the Ornstein–Uhlenbeck process $dX = (μ - X)\,dt + \sqrt{2a}\,dB$,

    $$X' = X e^{-δ} + μ (1 - e^{-δ}) + \sqrt{a (1 - e^{-2δ})}\,ξ.$$

    A neuron below $V_F$ at both ends has crossed it in between with the probability of a Brownian
    bridge, $\exp(-(V_F - X)(V_F - X')/(a δ))$; any other neuron has fired. A uniform number $U$ is
    below that where the `margin` $-a δ \ln U/(V_F - X)^+ - (V_F - X')$ is positive. A drift that
    displaces the end point adds to both results alike.

    **Arguments:** `potentials` $X$ `(m,)` (voltage); `drive` μ, `()` or `(m,)` (voltage); `noise`
    $a > 0$ (voltage² / membrane time); `duration` $δ ≥ 0$, `()` or `(m,)` (membrane time), where a
    neuron with 0 neither moves nor fires; draws of N(0, 1) and U(0, 1), `(m,)`.
    """
    gone = fading(duration)
    # 1 - e^{-2δ} = (1 - e^{-δ}) (2 - (1 - e^{-δ}))
    spread = jnp.sqrt(noise * gone * (2 - gone))
    moved = potentials + gone * (drive - potentials) + spread * normal.astype(potentials.dtype)
    lowest = noise * duration * -jnp.log(uniform.astype(potentials.dtype))
    margin = lowest / jnp.maximum(threshold - potentials, 0) - (threshold - moved)
    return Motion(moved, margin)


def fading(duration: Float[Array, "..."]) -> Float[Array, "..."]:
    r"""$1 - e^{-δ}$, the share of a potential that leaks away in a step."""
    return -jnp.expm1(-duration)


def rest_of_step(
    begin: Float[Array, " m"],
    end: Float[Array, " m"],
    noise: Float[Array, ""],
    duration: Float[Array, "..."],
    threshold: float,
    uniform: Float32[Array, " m"],
) -> Float[Array, " m"]:
    """How long before the end of the step the neurons that fired did so (membrane time).

    Uniformly distributed over the `duration`: below its chance, a uniform number is once more.

    **Arguments:** as for `move`, with the end points $X'$ `(m,)`; meaningful where neurons fired.
    """
    below = jnp.maximum(threshold - begin, 0) * jnp.maximum(threshold - end, 0)
    inverse_chance = jnp.exp(below / (noise * jnp.where(duration > 0, duration, 1)))
    return duration * jnp.minimum(uniform.astype(begin.dtype) * inverse_chance, 1)
