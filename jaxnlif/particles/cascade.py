"""Spikes kick all neurons at once: who fires with whom, and where they restart."""

from __future__ import annotations

import abc
from typing import NamedTuple

import equinox as eqx
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, Int


class AbstractReset(eqx.Module):
    """What becomes of the neurons that fire together in one event."""

    @abc.abstractmethod
    def seeds(
        self, potentials: Float[Array, " m"], kick: Float[Array, "..."]
    ) -> Float[Array, " m"]:
        """Potentials, after the event, of neurons that fired and restarted before it."""

    @abc.abstractmethod
    def carried(
        self, kicked: Float[Array, " m"], threshold: float, reset: float
    ) -> Float[Array, " m"]:
        """Potentials, after the event, of neurons that kicks carried to `kicked` ≥ threshold."""


class Hold(AbstractReset):
    """Neurons that fired are held at $V_R$ while the event lasts: its kicks do not move them."""

    def seeds(self, potentials, kick):
        return potentials

    def carried(self, kicked, threshold, reset):
        return jnp.full_like(kicked, reset)


class Shift(AbstractReset):
    r"""No kick is lost: a neuron that fires moves down by $V_F - V_R$, to $X + k - (V_F - V_R)$.

    **Reference:** Delarue, Inglis, Rubenthaler, Tanré, *Ann. Appl. Probab.* 2015.
    """

    def seeds(self, potentials, kick):
        return potentials + kick

    def carried(self, kicked, threshold, reset):
        return kicked - (threshold - reset)


class Cascade(NamedTuple):
    """Everybody who fires in a step: how many, who was carried over the threshold, rounds taken."""

    count: Int[Array, ""]
    carried: Bool[Array, " m"]
    rounds: Int[Array, ""]


def cascade(
    potentials: Float[Array, " m"],
    fired: Bool[Array, " m"],
    free: Bool[Array, " m"],
    weights: Float[Array, "..."],
    expected: Float[Array, ""],
    threshold: float,
) -> Cascade:
    r"""The neurons that fire once those in `fired` have, each of them at most once.

    With $S$ the neurons that fired, the cascade is the smallest $m ≥ \#S/M$ with

    $$\#\big(S ∪ \{i: X_i + w_i^+ (m - \hat m) ≥ V_F\}\big) = m M,$$

    found by iteration from below: the same neurons as if spikes were passed on one by one.

    **Arguments:** `potentials` $X$ `(m,)`, those of `free` neurons below `threshold` (voltage);
    `fired` $S$ and `free`, who can be carried along, `(m,)` and disjoint; `weights` $w$, `()` or
    `(m,)` (voltage); `expected` $\hat m$, the fraction whose kicks the potentials
    have felt already.
    """
    num = potentials.shape[0]
    seeds = jnp.sum(fired, dtype=jnp.int32)
    lift = jnp.maximum(weights, 0)

    def carried_by(count):
        kick = lift * (count.astype(potentials.dtype) / num - expected)
        return free & (potentials + kick >= threshold)

    def unfinished(carry):
        previous, count, _ = carry
        return count > previous

    def widen(carry):
        _, count, rounds = carry
        return count, seeds + jnp.sum(carried_by(count), dtype=jnp.int32), rounds + 1

    # No more than was expected, or no excitation: nobody is carried along.
    possible = (seeds.astype(potentials.dtype) / num > expected) & jnp.any(lift > 0)
    start = jnp.where(possible, seeds - 1, seeds), seeds, jnp.zeros((), jnp.int32)
    _, count, rounds = lax.while_loop(unfinished, widen, start)
    return Cascade(count, carried_by(count), rounds)
