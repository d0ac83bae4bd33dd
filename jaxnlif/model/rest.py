"""What neurons do between a spike and their re-entry at the reset potential."""

from __future__ import annotations

import abc
from typing import Any

import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from .._module import Module
from .delay import Delay, Never


class AbstractRest(Module):
    """How long neurons rest after a spike.

    **Arguments** of the methods:

    - `memory`: who rests, as `start` begins it and `record` goes on.
    - `rates`: the mean rates of a step, of any shape (spikes / neuron / membrane time).
    - `dt`: length of the step (learning time).
    """

    @property
    @abc.abstractmethod
    def rests(self) -> bool:
        """Whether neurons rest at all; if not, they re-enter in the instant of the spike."""

    @property
    @abc.abstractmethod
    def period(self) -> Float[Array, "..."]:
        """The part of an interval between two spikes for which neurons rest (learning time)."""

    @property
    @abc.abstractmethod
    def duration(self) -> Float[Array, "..."]:
        """How long neurons rest, infinite where they do not return (learning time)."""

    @abc.abstractmethod
    def start(self, rates: Float[Array, "..."]) -> Any:
        """The memory before time 0, when nobody rests."""

    @abc.abstractmethod
    def seen(self, memory: Any, dt: Float[Array, ""]) -> Float[Array, "..."]:
        """The mean rates at which neurons return in the step that begins, in the shape of rates."""

    @abc.abstractmethod
    def record(self, memory: Any, rates: Float[Array, "..."], dt: Float[Array, ""]) -> Any:
        """The memory after a step in which neurons fired at these rates."""

    @abc.abstractmethod
    def outstanding(self, memory: Any, dt: Float[Array, ""]) -> Float[Array, "..."]:
        """The sum of the rates of the steps whose neurons rest, in the shape of rates."""

    def validate(self, dt: ArrayLike) -> None:
        """Checks that steps of `dt` resolve the period; `ValueError` otherwise."""


class NoRest(AbstractRest):
    """Neurons re-enter at once."""

    @property
    def rests(self) -> bool:
        return False

    @property
    def period(self) -> Float[Array, "..."]:
        return jnp.zeros(())

    @property
    def duration(self) -> Float[Array, "..."]:
        return jnp.zeros(())

    def start(self, rates: Float[Array, "..."]) -> None:
        return None

    def seen(self, memory: None, dt: Float[Array, ""]) -> Float[Array, "..."]:
        return jnp.zeros(())

    def record(self, memory: None, rates: Float[Array, "..."], dt: Float[Array, ""]) -> None:
        return None

    def outstanding(self, memory: None, dt: Float[Array, ""]) -> Float[Array, "..."]:
        return jnp.zeros_like(dt)


class Rest(AbstractRest):
    """Neurons rest for a refractory period, or for ever.

    **Arguments:** `refractory`: a `Delay`, or `Never()`.
    """

    refractory: Delay | Never

    @property
    def rests(self) -> bool:
        return True

    @property
    def period(self) -> Float[Array, "..."]:
        if isinstance(self.refractory, Never):  # there is no next spike
            return jnp.zeros(())
        return self.refractory.duration

    @property
    def duration(self) -> Float[Array, "..."]:
        return self.refractory.duration

    def start(self, rates: Float[Array, "..."]) -> Any:
        return self.refractory.start(rates)

    def seen(self, memory: Any, dt: Float[Array, ""]) -> Float[Array, "..."]:
        return self.refractory.seen(memory, dt)

    def record(self, memory: Any, rates: Float[Array, "..."], dt: Float[Array, ""]) -> Any:
        return self.refractory.record(memory, rates, dt)

    def outstanding(self, memory: Any, dt: Float[Array, ""]) -> Float[Array, "..."]:
        return self.refractory.outstanding(memory, dt)

    def validate(self, dt: ArrayLike) -> None:
        self.refractory.validate("refractory", dt)
