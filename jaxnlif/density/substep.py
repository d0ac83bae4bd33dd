"""When a step looks up the drive, and how it is divided where many neurons fire or that jumps."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from .. import _tolerance
from .._sum import Sum


class Substep(NamedTuple):
    """How long it is, when the drive is looked up for it, and how far it goes in the step."""

    length: Float[Array, ""]
    time: Float[Array, ""]
    done: Sum


def lookup_time(
    t: Float[Array, ""], dt: Float[Array, ""], jumps: Float[Array, " k"]
) -> Float[Array, ""]:
    """When the step from `t` to `t + dt` looks up the drive: at its end, or just before a jump
    there. What jumps inside the step acts on the whole of it."""
    time = t + dt
    if not jumps.size:
        return time
    slack = jnp.minimum(_tolerance.rounding(dt.dtype) * (jnp.abs(t) + dt), dt / 2)
    there = jnp.abs(jumps - time) <= slack
    jump = lax.stop_gradient(jnp.min(jnp.where(there, jumps, jnp.inf)))
    return jnp.where(jnp.any(there), _just_before(jump), time)


def _just_before(jump: Float[Array, ""]) -> Float[Array, ""]:
    """The last time before a jump, which for a jump at 0 is no denormal number."""
    tiny = jnp.asarray(jnp.finfo(jump.dtype).tiny, jump.dtype)
    return jnp.minimum(jnp.nextafter(jump, jnp.full_like(jump, -jnp.inf)), jump - tiny)


def next_substep(
    t: Float[Array, ""],
    dt: Float[Array, ""],
    done: Sum,
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
    remaining = (dt - done.total) - done.error
    length = jnp.minimum(spikes / jnp.maximum(rate, spikes / dt), remaining)
    length = jnp.minimum(length, longest)
    begin = t + done.total
    time = begin + length
    if jumps.size:
        slack = _tolerance.rounding(dt.dtype) * (jnp.abs(t) + dt)
        jump = jnp.min(jnp.where(jumps > begin + slack, jumps, jnp.inf))
        lands = jump <= time + slack
        jump = jnp.where(lands, jump, time)
        length = jnp.where(lands, jnp.minimum(jump - begin, remaining), length)
        # Just before the jump, whose derivative it has: `nextafter` has none.
        fixed = lax.stop_gradient(jump)
        time = jnp.where(lands, jump + (_just_before(fixed) - fixed), time)
    # A remainder that is rounding alone is no step.
    over = length >= remaining * (1 - 1e-6)
    whole = Sum(dt, jnp.zeros_like(dt))
    return Substep(length, time, jax.tree.map(partial(jnp.where, over), whole, done.plus(length)))
