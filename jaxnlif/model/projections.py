r"""Synapses between populations: which rates each of them feels, and when.

The signals that populations send are their rates $r_l$, shape `(k,)`. What population k feels of l
is $s_{kl}$, that rate after the delay of the projection $l → k$ and the filter of the synapses.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from .course import Course, filtered
from .delay import AbstractDelay, Delay
from .spread import AbstractSpread
from .synapse import AbstractSynapse


class Filtered(NamedTuple):
    """What is on its way, and where the filters are: shape `(k, k)`, or `(k,)` for all targets."""

    sent: Any
    level: Float[Array, "*k k"]


class Courses(NamedTuple):
    """The same for schemes of second order in time, of means and of values at the ends of steps."""

    means: Any
    ends: Any
    level: Float[Array, "*k k"]


class Projections(AbstractSynapse):
    r"""Population k feels $\sum_l b_{kl} s_{kl}$ in the step in which it is sent.

    **Arguments:** `weight` as in `Network`, which builds this object.
    """

    weight: Float[Array, "k k"] | None

    def input(self, w: Float[Array, " k"], signals: Float[Array, " s"]) -> Float[Array, " k"]:
        return projected(self.weight, signals)

    def kick(self, w: Float[Array, " k"]) -> Float[Array, "k k"]:
        assert self.weight is not None
        return self.weight


class DelayedProjections(AbstractSynapse):
    r"""Population k feels $\sum_l b_{kl} s_{kl}$ after the delays and filters of the projections.

    A filter is $τ_l \dot s_{kl} = r_l(t - d_{kl}) - s_{kl}$; of a step, neurons feel its mean.

    **Arguments:** `weight`, `delay` and `synaptic_time_constant` as in `Network`, which builds this
    object.
    """

    weight: Float[Array, "k k"] | None
    delay: AbstractDelay | None
    filter: Float[Array, "..."] | None

    def input(self, w: Float[Array, " k"], signals: Float[Array, " s"]) -> Float[Array, " k"]:
        return projected(self.weight, signals)

    def kick(self, w: Float[Array, " k"]) -> Float[Array, "k k"]:
        return jnp.zeros((w.size, w.size), w.dtype)

    @property
    def delayed(self) -> bool:
        return True

    @property
    def may_alternate(self) -> bool:
        return not isinstance(self.delay, Delay | AbstractSpread)

    def start(self, signals: Float[Array, " k"]) -> Filtered:
        sent = jnp.zeros_like(signals) if self.delay is None else self.delay.start(signals)
        shape = (1,) if self.delay is None else jnp.shape(self.delay.duration)[:-1]
        return Filtered(sent, jnp.zeros((*shape, *signals.shape), signals.dtype))

    def seen(self, memory: Filtered, dt: Float[Array, ""]) -> Float[Array, " s"]:
        arriving = self._arriving(memory, dt)
        if self.filter is not None:
            # the mean of a decaying filter over a step, from 1 at its begin
            steps = dt / jnp.broadcast_to(self.filter, memory.level.shape)
            mean = -jnp.expm1(-steps) / steps
            arriving = mean * memory.level + (1 - mean) * arriving
        return jnp.ravel(arriving)

    def record(
        self, memory: Filtered, signals: Float[Array, " k"], dt: Float[Array, ""]
    ) -> Filtered:
        level = memory.level
        if self.filter is not None:
            steps = dt / jnp.broadcast_to(self.filter, level.shape)
            level = level - jnp.expm1(-steps) * (self._arriving(memory, dt) - level)
        if self.delay is None:
            return Filtered(signals, level)
        return Filtered(self.delay.record(memory.sent, signals, dt), level)

    @property
    def has_ends(self) -> bool:
        return self.delay is None or self.delay.has_ends

    def start_course(self, signals: Float[Array, " k"]) -> Courses:
        memory = self.start(signals)
        return Courses(memory.sent, memory.sent, memory.level)

    def at_end(self, memory: Courses, ahead: Course, dt: Float[Array, ""]) -> Float[Array, " s"]:
        return jnp.ravel(self._level(memory, ahead, dt))

    def record_course(self, memory: Courses, sent: Course, dt: Float[Array, ""]) -> Courses:
        level = self._level(memory, sent, dt)
        if self.delay is None:
            return Courses(sent.mean, sent.after, level)
        means = self.delay.record(memory.means, sent.mean, dt)
        return Courses(means, self.delay.record_course(memory.ends, sent, dt), level)

    def _level(self, memory: Courses, sent: Course, dt: Float[Array, ""]) -> Float[Array, "... k"]:
        """What is felt at the end of a step."""
        shape = memory.level.shape
        if self.delay is None:
            mean, end = sent.mean, sent.after
        else:
            mean = self.delay.seen(memory.means, dt)
            end = self.delay.at_end(memory.ends, sent, dt)
        if self.filter is None:
            return jnp.broadcast_to(end, shape)
        steps = dt / jnp.broadcast_to(self.filter, shape)
        mean, end = (jnp.broadcast_to(x, shape) for x in (mean, end))
        return filtered(memory.level, mean, end, steps)

    def _arriving(self, memory: Filtered, dt: Float[Array, ""]) -> Float[Array, "... k"]:
        found = memory.sent if self.delay is None else self.delay.seen(memory.sent, dt)
        return jnp.broadcast_to(found, memory.level.shape)

    def validate(self, dt: ArrayLike) -> None:
        if self.delay is not None:
            self.delay.validate("delay", dt)


def projected(table: Float[Array, "k k"] | None, signals: Float[Array, " s"]) -> Float[Array, " k"]:
    r"""$\sum_l c_{kl} s_{kl}$, of signals that are those of each projection or the same for all."""
    assert table is not None
    return jnp.sum(table * signals.reshape(-1, table.shape[1]), axis=1)


def projections(
    weight: Float[Array, "k k"],
    delay: AbstractDelay | None,
    filter: Float[Array, "..."] | None,
) -> AbstractSynapse:
    """The synapses of populations, which act at once if there is neither delay nor filter."""
    if delay is None and filter is None:
        return Projections(weight)
    return DelayedProjections(weight, delay, filter)
