"""The neurons of one population, and what differs where there are several."""

# pyright: reportIncompatibleMethodOverride=false
# The spikes of one population always have a kick.

from __future__ import annotations

import abc
from typing import NamedTuple

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from ..grid import VoltageGrid
from ..model import AbstractMembrane, Network
from .cascade import Cascade, cascade
from .expectation import expected_fraction


class Given(NamedTuple):
    """What the neurons are given in a step, in units of the grid.

    - `membrane`; `drive`: μ, `()` or `(m,)` (voltage); `noise`: a, `()` or `(m,)`
      (voltage² / membrane time).
    """

    membrane: AbstractMembrane
    drive: Float[Array, "..."]
    noise: Float[Array, "..."]


class AbstractNeurons(eqx.Module):
    """M neurons of k populations, one population after another, or of one that is no list.

    **Arguments** of the methods:

    - `kick`: by which the spikes of all neurons of a population move the others, of one population
      `()` or `(m,)`, of several `(k, k)`, or `None` where no spikes kick (voltage).
    - `mass`: which part of each population fires, `()` or `(k,)` (dimensionless).
    - `who`: some of the neurons, `(m,)`.
    """

    @property
    @abc.abstractmethod
    def num(self) -> int:
        """How many neurons there are."""

    @abc.abstractmethod
    def zeros(self, dtype: np.dtype) -> Float[Array, "*k"]:
        """A number for each population."""

    @abc.abstractmethod
    def count(self, who: Bool[Array, " m"]) -> Int[Array, "*k"]:
        """How many they are in each population."""

    @abc.abstractmethod
    def share(self, count: Int[Array, "*k"], dtype: np.dtype) -> Float[Array, "*k"]:
        """Which part of each population they are."""

    @abc.abstractmethod
    def membrane_times(self, model: Network, time: Float[Array, "..."]) -> Float[Array, "..."]:
        """A time of the network, `()` or one of each population, for each neuron, `()` or `(m,)`
        (membrane time)."""

    @abc.abstractmethod
    def kick(
        self, grid: VoltageGrid, model: Network, weights: Float[Array, " w"]
    ) -> Float[Array, "..."] | None:
        """The `kick`, of these weights."""

    @abc.abstractmethod
    def given(
        self,
        grid: VoltageGrid,
        model: Network,
        t: Float[Array, ""],
        weights: Float[Array, " w"],
        signals: Float[Array, " s"],
    ) -> Given:
        """What neurons are given besides kicks by the signals that they feel."""

    @abc.abstractmethod
    def moved(
        self,
        kick: Float[Array, "..."] | None,
        mass: Float[Array, "*k"],
        gain: Float[Array, "..."] | float = 1.0,
    ) -> Float[Array, "..."]:
        """How far the kicks of this mass move each neuron, `gain` times, `()` or `(m,)`
        (voltage)."""

    @abc.abstractmethod
    def jump(
        self, kick: Float[Array, "..."] | None, mass: Float[Array, "*k"]
    ) -> Float[Array, "*k"]:
        """How far they move the neurons of each population, at most (voltage)."""

    @abc.abstractmethod
    def expected(
        self,
        margin: Float[Array, " m"],
        kick: Float[Array, "..."] | None,
        gain: Float[Array, "..."],
        last: Float[Array, "*k"],
    ) -> Float[Array, "*k"]:
        """The mass whose kicks act as a drift during the step."""

    @abc.abstractmethod
    def together(
        self,
        potentials: Float[Array, " m"],
        fired: Bool[Array, " m"],
        free: Bool[Array, " m"],
        kick: Float[Array, "..."] | None,
        expected: Float[Array, "*k"],
        threshold: float,
    ) -> Cascade:
        """Who fires once those that `fired` have, with the arguments of `cascade`."""


class Alike(AbstractNeurons):
    """The neurons of one population, which may have weights of their own."""

    size: int = eqx.field(static=True)

    @property
    def num(self) -> int:
        return self.size

    def zeros(self, dtype: np.dtype) -> Float[Array, ""]:
        return jnp.zeros((), dtype)

    def count(self, who: Bool[Array, " m"]) -> Int[Array, ""]:
        return jnp.sum(who, dtype=jnp.int32)

    def share(self, count: Int[Array, ""], dtype: np.dtype) -> Float[Array, ""]:
        return count.astype(dtype) / self.size

    def membrane_times(self, model: Network, time: Float[Array, ""]) -> Float[Array, ""]:
        return time / model.epsilon

    def kick(
        self, grid: VoltageGrid, model: Network, weights: Float[Array, " w"]
    ) -> Float[Array, "..."]:
        kick = model.connections.kick(weights)
        return kick[0] if kick.shape == (1,) else kick

    def given(
        self,
        grid: VoltageGrid,
        model: Network,
        t: Float[Array, ""],
        weights: Float[Array, " w"],
        signals: Float[Array, " s"],
    ) -> Given:
        drive = model.external(t, weights) + model.connections.input(weights, signals)
        drive = drive - model.connections.kick(weights) * signals[0]
        drive = drive[0] if drive.shape == (1,) else drive
        return Given(model.membrane, drive, model.diffusion(signals[0], t))

    def moved(
        self, kick: Float[Array, "..."], mass: Float[Array, ""], gain: Array | float = 1.0
    ) -> Float[Array, "..."]:
        return kick * gain * mass

    def jump(self, kick: Float[Array, "..."], mass: Float[Array, ""]) -> Float[Array, ""]:
        return jnp.max(kick) * mass

    def expected(
        self,
        margin: Float[Array, " m"],
        kick: Float[Array, "..."],
        gain: Float[Array, "..."],
        last: Float[Array, ""],
    ) -> Float[Array, ""]:
        return expected_fraction(margin, kick * gain, last)

    def together(
        self,
        potentials: Float[Array, " m"],
        fired: Bool[Array, " m"],
        free: Bool[Array, " m"],
        kick: Float[Array, "..."],
        expected: Float[Array, ""],
        threshold: float,
    ) -> Cascade:
        return cascade(potentials, fired, free, kick, expected, threshold)
