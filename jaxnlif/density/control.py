"""What a run of adaptive steps carries from one step of the run to the next."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from ..grid import Grid
from .state import DensityState

_OFTEN = 4


class Track(eqx.Module):
    """Density and rates at one time, and what the scheme keeps of the step before."""

    density: Float[Array, "v w"]
    rates: Float[Array, " w"]
    rate: Float[Array, "*k"]
    past: Any

    @classmethod
    def of(cls, state: DensityState) -> Track:
        return cls(state.density, state.rates, state.rate, state.past)

    def into(self, state: DensityState) -> DensityState:
        """The state in which density and rates are these."""
        return replace(
            state, density=self.density, rates=self.rates, rate=self.rate, past=self.past
        )


class Place(eqx.Module):
    """Where steps are rejected again and again.

    - `begin`, `end`: the first of them, where it is now (learning time); `count`: how many were
      rejected there.
    - `most`: where most were, and when (learning time).
    """

    begin: Float[Array, ""]
    end: Float[Array, ""]
    count: Int[Array, ""]
    most: Int[Array, ""]
    time: Float[Array, ""]

    @classmethod
    def nowhere(cls, like: Float[Array, ""]) -> Place:
        none = jnp.zeros((), jnp.int32)
        return cls(like, like - 1, none, none, like)

    @property
    def often(self) -> Bool[Array, "..."]:
        """Whether so many were rejected at one place that something must be there."""
        return self.most > _OFTEN

    def rejected(self, begin: Array, length: Array) -> Place:
        """With one more that was rejected."""
        here = (begin >= self.begin) & (begin <= self.end)
        count = jnp.where(here, self.count + 1, 1)
        more = count > self.most
        return Place(
            jnp.where(here, self.begin, begin),
            jnp.where(here, self.end, begin + length),
            count,
            jnp.where(more, count, self.most),
            jnp.where(more, begin, self.time),
        )


class Control(eqx.Module):
    """What an adaptive run carries besides its density.

    - `past`: what the scheme would keep of the last two steps, had they been one.
    - `coarse`: the same run in steps of twice the length.
    - `longest`: the next two steps together are no longer (learning time).
    - `size`: of the local error of the last two (tolerances).
    - `error`: the estimated error of the rate, `largest` until now (spikes / neuron / membrane
      time).
    - `accepted`, `rejected`: numbers of steps.
    - `place`: where many were rejected; `end`: the time that is reached (learning time).
    """

    past: Any
    coarse: Track
    longest: Float[Array, ""]
    size: Float[Array, ""]
    error: Float[Array, "*k"]
    largest: Float[Array, "*k"]
    accepted: Int[Array, ""]
    rejected: Int[Array, ""]
    place: Place
    end: Float[Array, ""]

    @classmethod
    def begin(cls, t: Array, longest: Array, state: DensityState) -> Control:
        none, silent = jnp.zeros((), jnp.int32), jnp.zeros_like(state.rate)
        return cls(
            past=state.past,
            coarse=Track.of(state),
            longest=longest,
            size=jnp.ones_like(t),
            error=silent,
            largest=silent,
            accepted=none,
            rejected=none,
            place=Place.nowhere(t),
            end=t,
        )

    @property
    def counts(self) -> dict[str, Array]:
        """What `Solution.stats` tells."""
        return {
            "accepted_steps": self.accepted,
            "rejected_steps": self.rejected,
            "rate_error": self.error,
            "largest_rate_error": self.largest,
        }


def distance(grid: Grid, one: Track, other: DensityState) -> Float[Array, "*k"]:
    r"""$∫∫|p - q|\,dv\,dw$, of populations that of each (dimensionless)."""
    return grid.network_rate(grid.weight_density(jnp.abs(one.density - other.density)))
