"""Spikes kick all neurons at once: who fires with whom."""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, Int


class Cascade(NamedTuple):
    """Everybody who fires in a step: how many, who was carried over the threshold, rounds taken."""

    count: Int[Array, "*k"]  # pyright: ignore[reportIncompatibleMethodOverride]: of tuples
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

    def carried_by(count: Int[Array, ""]) -> Bool[Array, " m"]:
        kick = lift * (count.astype(potentials.dtype) / num - expected)
        return free & (potentials + kick >= threshold)

    def unfinished(carry: tuple[Array, Array, Array]) -> Bool[Array, ""]:
        previous, count, _ = carry
        return count > previous

    def widen(carry: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        _, count, rounds = carry
        return count, seeds + jnp.sum(carried_by(count), dtype=jnp.int32), rounds + 1

    # No more than was expected, or no excitation: nobody is carried along.
    possible = (seeds.astype(potentials.dtype) / num > expected) & jnp.any(lift > 0)
    start = jnp.where(possible, seeds - 1, seeds), seeds, jnp.zeros((), jnp.int32)
    _, count, rounds = lax.while_loop(unfinished, widen, start)
    return Cascade(count, carried_by(count), rounds)
