r"""Which signals neurons feel, when they feel them, and what spikes of one instant do at once.

A signal is what a population of neurons sends, its rate $\bar N$. Signals are a vector of shape
`(s,)`, of one number for one population.
"""

from __future__ import annotations

import abc
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Float, Shaped

from .._module import Module
from .course import Course
from .delay import AbstractDelay, Delay

_HIGH = 1e6, 1e4
"""Two rates beyond every physical one, between which an unbounded response is linear."""
_LINEAR = 0.01
_VISIBLE = 0.1
_NODES = 5


class AbstractSynapse(Module):
    r"""What neurons feel of the spikes of the network.

    A subclass needs `weight` and `input`. By default signals are felt in the step in which they are
    sent, and there are no kicks, so that no neurons fire together.

    **Arguments** of the methods:

    - `w`: the synaptic weights of the columns, or of particles, shape `(w,)` (weight).
    - `signals`: the rates that are felt, shape `(s,)` (spikes / neuron / membrane time).
    - `memory`: what was sent and is on its way, as `start` begins it and `record` goes on.
    - `dt`: length of the step (learning time).
    """

    weight: eqx.AbstractVar[Float[Array, ""] | None]
    """The one weight of an unstructured network; `None` on a `WeightGrid`."""

    @abc.abstractmethod
    def input(self, w: Float[Array, " w"], signals: Float[Array, " s"]) -> Float[Array, " w"]:
        """The input by the signals, shape `(w,)` (voltage)."""

    def kick(self, w: Float[Array, " w"]) -> Float[Array, "*k w"]:
        """The jump of the potentials when unit mass fires at once, shape `(w,)` (voltage).

        Between populations, to and from, it has the shape `(k, k)`.

        Neurons can fire together where it is positive. Such a spike is part of `input` as well: in
        the mean, kicks are the input `kick(w) * signals`.
        """
        return jnp.zeros_like(w)

    @property
    def delayed(self) -> bool:
        """Whether the signals that are felt in a step are known when it begins."""
        return False

    @property
    def may_alternate(self) -> bool:
        """Whether signals of a delayed synapse that alternate from step to step are an artefact."""
        return True

    def start(self, signals: Float[Array, " s"]) -> Any:
        """The memory before time 0, when no signals were sent.

        **Arguments:** `signals`: of the shape of what will be sent, `(s,)`
        (spikes / neuron / membrane time).
        """
        return None

    def seen(self, memory: Any, dt: Float[Array, ""]) -> Float[Array, " s"]:
        """What is felt in the step that begins, of a delayed synapse.

        **Returns:** signals, shape `(s,)` (spikes / neuron / membrane time).
        """
        raise NotImplementedError

    def record(self, memory: Any, signals: Float[Array, " s"], dt: Float[Array, ""]) -> Any:
        """The memory after a step in which `signals` were sent."""
        return memory

    @property
    def has_ends(self) -> bool:
        """Whether schemes of second order in time can follow it.

        Where it is `delayed`, they need the three methods that follow.
        """
        return not self.delayed

    def start_course(self, signals: Float[Array, " s"]) -> Any:
        """The memory before time 0 of such schemes."""
        return None

    def at_end(self, memory: Any, ahead: Course, dt: Float[Array, ""]) -> Float[Array, " s"]:
        """What is felt at the end of the step that begins.

        **Arguments:** `ahead`: the `Course` of signals that is expected in it.

        **Returns:** signals, shape `(s,)` (spikes / neuron / membrane time).
        """
        raise NotImplementedError

    def record_course(self, memory: Any, sent: Course, dt: Float[Array, ""]) -> Any:
        """The memory after a step in which signals had the `Course` that was `sent`."""
        return memory

    def validate(self, dt: ArrayLike) -> None:
        """Checks that steps of `dt` resolve it.

        **Raises:** `ValueError` otherwise.
        """


class Synapse(AbstractSynapse):
    r"""Every neuron feels $w\,σ(\bar N)$ in the step in which it is sent.

    A response that grows in proportion to the rate at high rates acts at once: every spike kicks,
    and neurons may fire together. Any other is felt as an input that depends on the rate.

    **Arguments:** `weight` and `response` as in `Network`, which builds this object.
    """

    weight: Float[Array, ""] | None
    response: Callable[[Array], Array]

    def input(self, w: Float[Array, " w"], signals: Float[Array, " s"]) -> Float[Array, " w"]:
        return w * self.response(signals[0])

    def kick(self, w: Float[Array, " w"]) -> Float[Array, " w"]:
        return w * growth(self.response, w.dtype)


class DelayedSynapse(AbstractSynapse):
    r"""Every neuron feels $w\,σ(\bar N)$ after a delay.

    **Arguments:** `weight`, `response` and `delay` as in `Network`, which builds this object.
    """

    weight: Float[Array, ""] | None
    response: Callable[[Array], Array]
    delay: AbstractDelay

    def input(self, w: Float[Array, " w"], signals: Float[Array, " s"]) -> Float[Array, " w"]:
        return w * self.response(signals[0])

    @property
    def delayed(self) -> bool:
        return True

    @property
    def may_alternate(self) -> bool:
        return not isinstance(self.delay, Delay)

    def start(self, signals: Float[Array, " s"]) -> Any:
        return self.delay.start(signals[0])

    def seen(self, memory: Any, dt: Float[Array, ""]) -> Float[Array, " s"]:
        return self.delay.seen(memory, dt)[None]

    def record(self, memory: Any, signals: Float[Array, " s"], dt: Float[Array, ""]) -> Any:
        return self.delay.record(memory, signals[0], dt)

    @property
    def has_ends(self) -> bool:
        return self.delay.has_ends

    def start_course(self, signals: Float[Array, " s"]) -> Any:
        return self.start(signals)

    def at_end(self, memory: Any, ahead: Course, dt: Float[Array, ""]) -> Float[Array, " s"]:
        return self.delay.at_end(memory, Course(*(x[0] for x in ahead)), dt)[None]

    def record_course(self, memory: Any, sent: Course, dt: Float[Array, ""]) -> Any:
        return self.delay.record_course(memory, Course(*(x[0] for x in sent)), dt)

    def validate(self, dt: ArrayLike) -> None:
        self.delay.validate("delay", dt)


def growth(response: Callable[[Array], Array], dtype: np.dtype) -> Float[Array, ""]:
    r"""$\lim_{N→∞} σ(N)/N$ of a response that is linear at high rates, and 0 of any other."""
    high, low = (response(jnp.asarray(rate, dtype)) / rate for rate in _HIGH)
    return jnp.where(jnp.abs(high - low) <= _LINEAR * jnp.abs(high), high, 0)


def visible_jump(gap: float, spacing: float = 0.0) -> float:
    """The jump of the potentials from which on neurons that fire together make an event: a tenth
    of the way from reset to threshold, and five nodes of the grid.

    **Arguments:** `gap`: $V_F - V_R$ (voltage); `spacing`: that of the voltage grid, 0 for
    particles (voltage).
    """
    return max(_VISIBLE * gap, _NODES * spacing)


def is_event(
    mass: Shaped[Array, "*k"], alone: Shaped[Array, "*k"], jump: Float[Array, "*k"], visible: float
) -> Bool[Array, "*k"]:
    """Whether neurons that fire in an instant make a multiple firing event.

    They do where more fire because of others than by themselves, and the others see it.

    **Arguments:** `mass` that fires, and of it what fires `alone`, by itself (in one unit); `jump`
    of the strongest weight, and the `visible_jump` (voltage).
    """
    return (mass > 2 * alone) & (jump > visible)
