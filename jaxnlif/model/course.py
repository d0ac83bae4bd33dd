"""How what is sent goes in a step, and what a filter makes of it: second order in time."""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float


class Course(NamedTuple):
    """What is sent in a step, of any shape: its mean, and its values `before` it and `after`."""

    mean: Float[Array, "..."]
    before: Float[Array, "..."]
    after: Float[Array, "..."]

    @classmethod
    def straight(cls, before: Float[Array, "..."], after: Float[Array, "..."]) -> Course:
        """From one value to the other, linear in time."""
        return cls((before + after) / 2, before, after)


def filtered(
    level: Float[Array, "..."] | float,
    mean: Float[Array, "..."] | float,
    end: Float[Array, "..."] | float,
    steps: Float[Array, "..."],
) -> Float[Array, "..."]:
    r"""The level of a filter $τ \dot y = s - y$ after a step of `steps` time constants.

    With $E = e^{-x}$, $φ = (1 - E)/x$ and x the `steps`,
    $y' = E y + (1 - E) m + (1 + E - 2φ)(e - m)$, with m the mean of s in the step and e its value
    at the end: exact where s is linear, and of second order at every x.
    """
    left = jnp.exp(-steps)
    gained = -jnp.expm1(-steps)
    series = steps**2 / 6 * (1 - steps / 2 + steps**2 * (0.15 - steps / 30))
    slope = jnp.where(steps < 0.05, series, 1 + left - 2 * gained / steps)
    return left * level + gained * mean + slope * (end - mean)
