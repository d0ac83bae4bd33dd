"""Where neurons are at the end of a step in which they fired."""

from __future__ import annotations

import abc

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from .._module import Module
from ..grid import VoltageGrid


class AbstractReset(Module):
    """What becomes of the neurons that fire together in one event.

    **Arguments** of the methods:

    - `potentials`: of neurons that fired and restarted before the event, shape `(m,)` (voltage).
    - `kick`: by which the event moves them, a number or shape `(m,)` (voltage).
    - `kicked`: potentials to which kicks carried neurons, ≥ `threshold`, shape `(m,)` (voltage).
    - `threshold`, `reset`: $V_F$ and $V_R$ (voltage).
    """

    @abc.abstractmethod
    def seeds(
        self, potentials: Float[Array, " m"], kick: Float[Array, "..."]
    ) -> Float[Array, " m"]:
        """Potentials after the event of neurons that fired before it, shape `(m,)` (voltage)."""

    @abc.abstractmethod
    def carried(
        self, kicked: Float[Array, " m"], threshold: float, reset: float
    ) -> Float[Array, " m"]:
        """Potentials after the event of neurons that fired in it, shape `(m,)` (voltage)."""


class Hold(AbstractReset):
    """Neurons that fired are held at $V_R$ while the event lasts: its kicks do not move them."""

    def seeds(
        self, potentials: Float[Array, " m"], kick: Float[Array, "..."]
    ) -> Float[Array, " m"]:
        return potentials

    def carried(
        self, kicked: Float[Array, " m"], threshold: float, reset: float
    ) -> Float[Array, " m"]:
        return jnp.full_like(kicked, reset)


class Shift(AbstractReset):
    r"""No kick is lost: a neuron that fires moves down by $V_F - V_R$, to $X + k - (V_F - V_R)$.

    **Reference:** F. Delarue, J. Inglis, S. Rubenthaler, E. Tanré, *Ann. Appl. Probab.* (2015).
    """

    def seeds(
        self, potentials: Float[Array, " m"], kick: Float[Array, "..."]
    ) -> Float[Array, " m"]:
        return potentials + kick

    def carried(
        self, kicked: Float[Array, " m"], threshold: float, reset: float
    ) -> Float[Array, " m"]:
        return kicked - (threshold - reset)


def kicked(
    v: VoltageGrid,
    reset: AbstractReset,
    potentials: Float[Array, " m"],
    fired: Bool[Array, " m"],
    carried: Bool[Array, " m"],
    kick: Float[Array, "..."],
) -> Float[Array, " m"]:
    """Potentials after the kicks at the end of a step.

    **Arguments:** those before `(m,)`, of neurons that `fired` after their restart; who was
    `carried` over the threshold `(m,)`; `kick`, `()` or `(m,)` (voltage).
    """
    after = jnp.where(fired, reset.seeds(potentials, kick), potentials + kick)
    return jnp.where(carried, reset.carried(after, v.threshold, v.reset), after)
