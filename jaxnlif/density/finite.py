r"""Kicks of finitely many neurons: their number in a step is a Poisson number.

Neurons that predict a rate $\hat N$ feel $\hat N δ + j$ in a step of δ membrane times, with j the
draw less its mean; fired has $N δ$, with N the rate that results. The difference is felt in the
next step, so that the sum of what is felt is that of the spikes and of the draws: without, a rate
that is convex in the input would be too high.
"""

from __future__ import annotations

import abc
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from .._check import check_key
from .._module import Module
from .coupling import AbstractCoupling
from .voltage import VoltageStep


class AbstractSize(Module):
    """How many neurons there are.

    **Arguments** of the methods:

    - `debt`: the mass that has fired and is not felt yet, `None` where nothing is kept of it.
    - `step`: the voltage step, and the `signals` that are felt in it, `(s,)` (spikes / neuron /
      membrane time).
    """

    @abc.abstractmethod
    def validate(self, key: PRNGKeyArray | None) -> None:
        """Requires a random key where it is needed."""

    @abc.abstractmethod
    def key(self, key: PRNGKeyArray | None) -> PRNGKeyArray | None:
        """What the state keeps of the key of the run."""

    @abc.abstractmethod
    def debt(self, coupling: AbstractCoupling, delayed: bool, dtype: Any) -> Array | None:
        """The debt at the beginning of a run."""

    @abc.abstractmethod
    def owing(self, step: VoltageStep, debt: Array | None) -> VoltageStep:
        """The step in which the debt is felt."""

    @abc.abstractmethod
    def drawn(
        self, step: VoltageStep, signals: Float[Array, " s"], key: PRNGKeyArray | None
    ) -> tuple[VoltageStep, PRNGKeyArray | None]:
        """The step in which the spikes of this many neurons are felt, and the next key."""

    @abc.abstractmethod
    def debt_after(
        self,
        debt: Array | None,
        step: VoltageStep,
        signals: Float[Array, " s"],
        rate: Float[Array, "..."],
        event: Bool[Array, ""],
    ) -> Array | None:
        """The debt after a step to the network rate `rate`; an `event` leaves none."""

    @property
    @abc.abstractmethod
    def infinite(self) -> bool:
        """Whether signals are those that were expected."""


class Infinite(AbstractSize):
    """So many that their spikes are their expectation."""

    def validate(self, key: PRNGKeyArray | None) -> None:
        pass

    def key(self, key: PRNGKeyArray | None) -> None:
        return None

    def debt(self, coupling: AbstractCoupling, delayed: bool, dtype: Any) -> None:
        return None

    def owing(self, step: VoltageStep, debt: Array | None) -> VoltageStep:
        return step

    def drawn(
        self, step: VoltageStep, signals: Float[Array, " s"], key: PRNGKeyArray | None
    ) -> tuple[VoltageStep, PRNGKeyArray | None]:
        return step, key

    def debt_after(
        self,
        debt: Array | None,
        step: VoltageStep,
        signals: Float[Array, " s"],
        rate: Float[Array, "..."],
        event: Bool[Array, ""],
    ) -> Array | None:
        return debt

    @property
    def infinite(self) -> bool:
        return True


class Finite(AbstractSize):
    """So many neurons that their number is felt.

    **Arguments:** `neurons`: their number M.
    """

    neurons: Int[Array, ""]

    def validate(self, key: PRNGKeyArray | None) -> None:
        check_key(key)

    def key(self, key: PRNGKeyArray | None) -> PRNGKeyArray | None:
        return key

    def debt(self, coupling: AbstractCoupling, delayed: bool, dtype: Any) -> Array | None:
        # Of delayed signals all is felt anyway, later; lagged ones must not be negative.
        return None if delayed or coupling.may_cycle else jnp.zeros((), dtype)

    def owing(self, step: VoltageStep, debt: Array | None) -> VoltageStep:
        return step if debt is None else replace(step, extra=(debt * step.kappa)[None])

    def drawn(
        self, step: VoltageStep, signals: Float[Array, " s"], key: PRNGKeyArray | None
    ) -> tuple[VoltageStep, PRNGKeyArray | None]:
        assert key is not None
        key, draw = jax.random.split(key)
        spikes_per_rate = self.neurons / step.kappa
        expected = lax.stop_gradient(signals[0])
        # Poisson numbers need this kind of key, whichever the run has.
        draw = jax.random.key(jax.random.bits(draw), impl="threefry2x32")
        spikes = jax.random.poisson(draw, expected * spikes_per_rate).astype(expected.dtype)
        surplus = lax.stop_gradient(spikes / spikes_per_rate - expected)
        return replace(step, extra=step.extra + surplus[None]), key

    def debt_after(
        self,
        debt: Array | None,
        step: VoltageStep,
        signals: Float[Array, " s"],
        rate: Float[Array, "..."],
        event: Bool[Array, ""],
    ) -> Array | None:
        if debt is None:
            return None
        kept = ~event & _kicks_alone(step)
        return jnp.where(kept, (rate - signals[0]) / step.kappa, 0)

    @property
    def infinite(self) -> bool:
        return False


def _kicks_alone(step: VoltageStep) -> Bool[Array, ""]:
    """Whether kicks are all that is felt, so that what is felt may be negative."""
    kick = step.kick()
    one = step.model.connections.input(step.weights, jnp.ones(1, kick.dtype))
    return lax.stop_gradient(jnp.all(jnp.abs(one - kick) <= 1e-4 * jnp.abs(kick)))
