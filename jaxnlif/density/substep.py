"""When a step looks up the drive, and how it is divided where many neurons fire or that jumps."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float

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
    there = jnp.abs(jumps - time) <= _slack(t, dt)
    jump = lax.stop_gradient(jnp.min(jnp.where(there, jumps, jnp.inf)))
    return jnp.where(jnp.any(there), _just_before(jump), time)


def jumps_in(
    time: Float[Array, ""], dt: Float[Array, ""], jumps: Float[Array, " k"]
) -> Bool[Array, ""]:
    """Whether the drive jumps at the beginning of a step of `dt`, or in it; `time` is when the step
    looks up the drive."""
    if not jumps.size:
        return jnp.zeros((), bool)
    slack = _slack(time, dt)
    return jnp.any((jumps >= time - dt - slack) & (jumps <= time - slack))


def nothing_done(t: Float[Array, ""], dt: Float[Array, ""], jumps: Float[Array, " k"]) -> Sum:
    """The beginning of a step: zero, with the derivative of the jump at which it begins, if any."""
    there = jnp.abs(jumps - t) <= _slack(t, dt)
    shift = jnp.sum(jnp.where(there, jumps - lax.stop_gradient(jumps), 0))
    return Sum(jnp.zeros_like(dt) + shift, jnp.zeros_like(dt))


def _slack(t: Float[Array, ""], dt: Float[Array, ""]) -> Float[Array, ""]:
    """How far a time in a step may be from a jump that is meant to be there: its rounding."""
    return jnp.minimum(_tolerance.rounding(dt.dtype) * (jnp.abs(t) + dt), dt / 2)


def _just_before(jump: Float[Array, ""]) -> Float[Array, ""]:
    """The last time before a jump, which for a jump at 0 is no denormal number."""
    tiny = jnp.asarray(jnp.finfo(jump.dtype).tiny, jump.dtype)
    return jnp.minimum(jnp.nextafter(jump, jnp.full_like(jump, -jnp.inf)), jump - tiny)


def next_substep(
    t: Float[Array, ""],
    dt: Float[Array, ""],
    done: Sum,
    longest: Float[Array, ""],
    jumps: Float[Array, " k"],
    *,
    evenly: bool = False,
) -> Substep:
    r"""The next part of the step from `t` to `t + dt`, of which `done` is over.

    It ends with the step, after the time `longest`, or at the next of the `jumps` of the drive,
    whichever is first. What ends at a jump looks up the drive just before, everything else at its
    end. `evenly`: whether what is longer than that is divided into equal parts, so that none is
    much shorter than the one before it.
    """
    remaining = (dt - done.total) - done.error
    if evenly:
        parts = jnp.maximum(jnp.ceil(remaining / longest * (1 - 1e-6)), 1)
        longest = remaining / lax.stop_gradient(parts)
    # Of two equal ones the derivative is that of what remains.
    length = jnp.where(longest < remaining, longest, remaining)
    begin = t + done.total
    time = begin + length
    if jumps.size:
        slack = _slack(t, dt)
        jump = jnp.min(jnp.where(jumps > begin + slack, jumps, jnp.inf))
        lands = jump <= time + slack
        jump = jnp.where(lands, jump, time)
        fixed = lax.stop_gradient(jump)
        # One at the end of the step ends it, whatever rounding says, and moves that end.
        last = jump >= begin + remaining - slack
        landing = jnp.where(last, remaining + (jump - fixed), jump - begin)
        length = jnp.where(lands, landing, length)
        # Just before the jump, whose derivative it has: `nextafter` has none.
        time = jnp.where(lands, jump + (_just_before(fixed) - fixed), time)
    # A remainder that is rounding alone is no step.
    over = length >= remaining * (1 - 1e-6)
    whole = Sum(dt, jnp.zeros_like(dt))
    return Substep(length, time, jax.tree.map(partial(jnp.where, over), whole, done.plus(length)))
