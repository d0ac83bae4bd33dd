"""Particles after their spikes: they restart at once, or rest for the refractory period."""

from __future__ import annotations

import abc
from typing import NamedTuple

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from ..model import Network
from .motion import AbstractMotion, Moved


class Spikes(NamedTuple):
    """Who fired in a step, and what happened to the potentials.

    - `moved`: as the step moved them; `potentials` `(m,)`: with the kicks that were expected, a
      `lift` (voltage).
    - `fired` `(m,)`: who fired without kicks that were not expected.
    """

    moved: Moved
    potentials: Float[Array, " m"]
    lift: Float[Array, "..."]
    fired: Bool[Array, " m"]


class AbstractResting(eqx.Module):
    """Who rests in a step.

    - `step`: its length, `()` or `(m,)` (membrane time).
    """

    step: Float[Array, "..."]

    @property
    @abc.abstractmethod
    def awake(self) -> Float[Array, "..."]:
        """For how long neurons are awake in the step, `()` or `(m,)` (membrane time)."""

    @abc.abstractmethod
    def free(self, fired: Bool[Array, " m"]) -> Bool[Array, " m"]:
        """Who can be carried along by the others' spikes at the end of the step."""

    @abc.abstractmethod
    def restarted(self, motion: AbstractMotion, spikes: Spikes) -> Float[Array, " m"]:
        """Potentials at the end of the step, before kicks that were not expected."""

    @abc.abstractmethod
    def after(
        self,
        motion: AbstractMotion,
        spikes: Spikes,
        carried: Bool[Array, " m"],
        potentials: Float[Array, " m"],
    ) -> tuple[Float[Array, " m"], Float[Array, " m"] | None]:
        """Potentials after the kicks, and what the next step has to know of who rests."""


class AllAwake(AbstractResting):
    """Nobody rests."""

    @property
    def awake(self) -> Float[Array, "..."]:
        return self.step

    def free(self, fired: Bool[Array, " m"]) -> Bool[Array, " m"]:
        return ~fired

    def restarted(self, motion: AbstractMotion, spikes: Spikes) -> Float[Array, " m"]:
        restarted = motion.restarted(spikes.potentials, spikes.lift)
        return jnp.where(spikes.fired, restarted, motion.finished(spikes.potentials))

    def after(
        self,
        motion: AbstractMotion,
        spikes: Spikes,
        carried: Bool[Array, " m"],
        potentials: Float[Array, " m"],
    ) -> tuple[Float[Array, " m"], None]:
        return potentials, None


class SomeResting(AbstractResting):
    """Neurons that fired rest.

    - `left`: for how many steps each still rests `(m,)`; `period`: for how long they do after a
      spike, `()` or `(m,)` (membrane time).
    """

    left: Float[Array, " m"]
    period: Float[Array, "..."]

    @property
    def awake(self) -> Float[Array, "..."]:
        return self.step * jnp.clip(1 - self.left, 0, 1)

    def free(self, fired: Bool[Array, " m"]) -> Bool[Array, " m"]:
        return ~fired & (self.left <= 1)

    def restarted(self, motion: AbstractMotion, spikes: Spikes) -> Float[Array, " m"]:
        return motion.finished(spikes.potentials)

    def after(
        self,
        motion: AbstractMotion,
        spikes: Spikes,
        carried: Bool[Array, " m"],
        potentials: Float[Array, " m"],
    ) -> tuple[Float[Array, " m"], Float[Array, " m"]]:
        since = motion.since(spikes.moved, spikes.potentials)
        # Counted in steps, which are taken off without rounding.
        left = jnp.maximum(self.left - 1, 0)
        left = jnp.where(spikes.fired, (self.period - since) / self.step, left)
        left = jnp.where(carried, self.period / self.step, left)
        # Whoever rests feels no kick and restarts at the reset potential.
        return jnp.where(left > 0, motion.grid.reset, potentials), left


def nobody_rests(model: Network, potentials: Float[Array, " m"]) -> Float[Array, " m"] | None:
    """What is known of who rests at the beginning, `None` without a refractory period."""
    return jnp.zeros_like(potentials) if model.rest.rests else None


def resting_in(
    step: Float[Array, "..."], period: Float[Array, "..."], left: Float[Array, " m"] | None
) -> AbstractResting:
    """Who rests in the step that begins, its length and the period `()` or `(m,)` (membrane
    time)."""
    return AllAwake(step) if left is None else SomeResting(step, left, period)
