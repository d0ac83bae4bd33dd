"""How a step is divided where many neurons fire or the drive jumps."""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from .. import _tolerance


class Substep(NamedTuple):
    """How long it is, when the drive is looked up for it, and how far it goes in the step."""

    length: Float[Array, ""]
    time: Float[Array, ""]
    done: Float[Array, ""]


def next_substep(
    t: Float[Array, ""],
    dt: Float[Array, ""],
    done: Float[Array, ""],
    rate: Float[Array, ""],
    spikes: Float[Array, ""],
    longest: Float[Array, ""],
    jumps: Float[Array, " k"],
) -> Substep:
    r"""The next part of the step from `t` to `t + dt`, of which `done` is over.

    It ends with the step, when a neuron has fired `spikes` times on average at the present `rate`,
    after the time `longest`, or at the next of the `jumps` of the drive, whichever is first. What
    ends at a jump looks up the drive just before, everything else at its end.
    """
    remaining = dt - done
    length = jnp.minimum(spikes / jnp.maximum(rate, spikes / dt), remaining)
    length = jnp.minimum(length, longest)
    time = t + done + length
    if jumps.size:
        slack = _tolerance.rounding(dt.dtype) * (jnp.abs(t) + dt)
        jump = jnp.min(jnp.where(jumps > t + done + slack, jumps, jnp.inf))
        lands = jump <= time + slack
        jump = jnp.where(lands, jump, time)
        length = jnp.where(lands, jnp.minimum(jump - (t + done), remaining), length)
        # Just before the jump, whose derivative it has: `nextafter` has none.
        fixed = lax.stop_gradient(jump)
        time = jnp.where(lands, jump + (jnp.nextafter(fixed, -jnp.inf) - fixed), time)
    # A remainder that is rounding alone is no step.
    over = length >= remaining * (1 - 1e-6)
    return Substep(length, time, jnp.where(over, dt, done + length))
