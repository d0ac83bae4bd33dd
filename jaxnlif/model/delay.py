"""Time that passes between a spike and its effect: transmission delays, refractory periods."""

from __future__ import annotations

import abc
from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Complex, Float, Int

from .._check import check, check_integer, check_positive, is_concrete, known, shown
from .._module import Module
from .._sum import Sum
from ._leaf import leaf
from .course import Course, filtered


class AbstractDelay(Module):
    """What was sent in earlier steps and arrives in this one.

    **Arguments** of the methods:

    - `memory`: what was sent and is on its way, as `start` begins it and `record` goes on.
    - `sent`: the mean of what is sent in a step, in the shape and unit of `like`: a rate, or one
      for each weight.
    - `dt`: length of the step (learning time).
    """

    duration: eqx.AbstractVar[Float[Array, "..."]]

    @abc.abstractmethod
    def start(self, like: Float[Array, "..."]) -> Any:
        """The memory before time 0, when nothing was sent.

        **Arguments:** `like`: what will be sent, of any shape and in any unit.
        """

    @abc.abstractmethod
    def seen(self, memory: Any, dt: Float[Array, ""]) -> Float[Array, "..."]:
        """The mean of what arrives in the step that begins, in the shape and unit of `sent`."""

    @abc.abstractmethod
    def record(self, memory: Any, sent: Float[Array, "..."], dt: Float[Array, ""]) -> Any:
        """The memory after a step in which `sent` was sent."""

    def at_end(self, memory: Any, ahead: Course, dt: Float[Array, ""]) -> Float[Array, "..."]:
        """What arrives at the end of the step that begins, in the shape and unit of `sent`.

        Schemes of second order in time need it, and `record_course`.

        **Arguments:** `ahead`: the `Course` that is expected in the step.

        **Returns:** shape `(…)`, in the unit of `sent`.
        """
        raise NotImplementedError

    def record_course(self, memory: Any, sent: Course, dt: Float[Array, ""]) -> Any:
        """The memory after a step in which `sent` was sent, of which `at_end` is found."""
        raise NotImplementedError

    @property
    def has_ends(self) -> bool:
        """Whether schemes of second order in time can follow this delay."""
        return type(self).at_end is not AbstractDelay.at_end

    def transform(self, lam: Complex[Array, ""]) -> Complex[Array, "..."]:
        r"""The Laplace transform $⟨e^{-λ d}⟩$ of the delays, which their linear response needs.

        **Arguments:** `lam`: λ, a complex number (1 / learning time).

        **Returns:** in the shape of the durations (dimensionless).

        **Raises:** `ValueError` for delays that have none.
        """
        raise ValueError(f"delay = {type(self).__name__}: has no transform, which is needed here")

    def validate(self, name: str, dt: ArrayLike) -> None:
        """Checks that steps of `dt` resolve the delay, which an error calls `name`.

        **Raises:** `ValueError` if the delay is shorter than a step, or more steps than it holds.
        """
        shortest = _extreme(self.duration, np.argmin)
        check(
            known(shortest.value) >= dt * (1 - 1e-6),
            f"{shortest.shown(name)}: must not be shorter than {shown('dt', dt)}",
        )


class _Extreme(NamedTuple):
    """The least or greatest of some durations, and where it is among them."""

    value: Array | np.ndarray
    place: tuple[int, ...]

    def shown(self, name: str) -> str:
        where = f" at [{', '.join(map(str, self.place))}]" if self.place else ""
        return shown(name, self.value) + where


def _extreme(values: Array, which: Callable[..., Any]) -> _Extreme:
    """Of traced numbers the place is not known."""
    if not is_concrete(values):
        return _Extreme(jnp.min(values) if which is np.argmin else jnp.max(values), ())
    array = np.asarray(values)
    place = tuple(int(k) for k in np.unravel_index(which(array), array.shape))
    return _Extreme(array[place], place)


class Ring(NamedTuple):
    """The values of the last steps, and the place of the next one."""

    values: Float[Array, "slots ..."]
    place: Int[Array, ""]


def _at_least_two(slots: Any) -> int:
    return check_integer("slots", slots, at_least=2)


class Delay(AbstractDelay):
    r"""Everything arrives after the same time $d$: $\bar N(t - d)$, with $\bar N = 0$ for $t < 0$.

    Between whole numbers of steps what arrives is linear in the duration. At a whole number its
    slope jumps, and the derivative is the one towards longer durations.

    **Arguments:**

    - `duration`: $d > 0$, from one step to `slots - 2` of them (learning time); between
      populations one for each pair, shape `(to, from)`.
    - `slots`: two more than the steps of the longest delay that can be remembered.

    **Raises:** `ValueError` unless `duration` is a positive number and `slots` an integer above 1;
    `solve`, if steps do not resolve the duration or are more than there are slots for.

    **Reference:** M. J. Cáceres, P. Roux, D. Salort, R. Schneider, arXiv 1806.01934 (2019).
    """

    duration: Float[Array, "..."] = eqx.field(converter=leaf("duration"))
    slots: int = eqx.field(static=True, default=1024, converter=_at_least_two)

    def __check_init__(self):
        check_positive("duration", self.duration)

    def validate(self, name: str, dt: ArrayLike) -> None:
        super().validate(name, dt)
        longest = _extreme(self.duration, np.argmax)
        check(
            known(longest.value) <= dt * (self.slots - 2) * (1 + 1e-6),
            f"{longest.shown(name)}: must be at most {self.slots - 2} steps of "
            f"{shown('dt', dt)}, as many as Delay(duration, slots={self.slots}) remembers",
        )

    def start(self, like: Float[Array, "..."]) -> Ring:
        like = jnp.asarray(like)
        zeros = jnp.zeros((self.slots, *like.shape), like.dtype)
        return Ring(zeros, jnp.zeros((), jnp.int32))

    def seen(self, memory: Ring, dt: Float[Array, ""]) -> Float[Array, "..."]:
        steps = self._steps(dt)
        whole = jnp.floor(steps)
        later = steps - whole
        recent = (memory.place - whole.astype(jnp.int32)) % self.slots
        before = (recent - 1) % self.slots
        return (1 - later) * _at(memory.values, recent) + later * _at(memory.values, before)

    def record(self, memory: Ring, sent: Float[Array, "..."], dt: Float[Array, ""]) -> Ring:
        values = memory.values.at[memory.place].set(sent)
        return Ring(values, (memory.place + 1) % self.slots)

    def at_end(self, memory: Ring, ahead: Course, dt: Float[Array, ""]) -> Float[Array, "..."]:
        return self.seen(memory, dt)  # of the values at the ends of steps

    def record_course(self, memory: Ring, sent: Course, dt: Float[Array, ""]) -> Ring:
        return self.record(memory, sent.after, dt)

    def outstanding(self, memory: Ring, dt: Float[Array, ""]) -> Float[Array, "..."]:
        """The sum of what was sent and has not arrived, in the shape and unit of `sent`."""
        age = (memory.place - 1 - np.arange(self.slots)) % self.slots
        steps = self._steps(dt)
        if steps.ndim:
            share = jnp.clip(steps[None] - age[:, None], 0, 1)
            return jnp.sum(share * memory.values, axis=0)
        return jnp.tensordot(jnp.clip(steps - age, 0, 1), memory.values, axes=1)

    def transform(self, lam: Complex[Array, ""]) -> Complex[Array, "..."]:
        return jnp.exp(-lam * self.duration)

    def _steps(self, dt: Float[Array, ""]) -> Float[Array, "..."]:
        """The delay in steps; one that `validate` refuses stays in the memory."""
        return jnp.clip(self.duration / dt, 1, self.slots - 2)


def _at(values: Float[Array, "slots ..."], place: Int[Array, "..."]) -> Float[Array, "..."]:
    """The values at a place, or at one for each of the last axis of values."""
    if not place.ndim:
        return values[place]
    rows = place.reshape(-1, values.shape[1])
    return jnp.take_along_axis(values, rows, axis=0).reshape(place.shape)


class ExponentialDelay(AbstractDelay):
    r"""Arrival times are exponentially distributed: $d R' = \bar N - R$, and R is what is seen.

    **Arguments:** `duration`: $d > 0$, the mean delay (learning time); between populations one for
    each pair, shape `(to, from)`.

    **Raises:** `ValueError` unless it is positive.
    """

    duration: Float[Array, "..."] = eqx.field(converter=leaf("duration"))

    def __check_init__(self):
        check_positive("duration", self.duration)

    def start(self, like: Float[Array, "..."]) -> Sum:
        shape = jnp.broadcast_shapes(jnp.shape(self.duration), jnp.shape(like))
        return Sum.zero(jnp.broadcast_to(like, shape))

    def seen(self, memory: Sum, dt: Float[Array, ""]) -> Float[Array, "..."]:
        return memory.total

    def record(self, memory: Sum, sent: Float[Array, "..."], dt: Float[Array, ""]) -> Sum:
        return memory.plus((sent - memory.total) * -jnp.expm1(-dt / self.duration))

    def at_end(self, memory: Sum, ahead: Course, dt: Float[Array, ""]) -> Float[Array, "..."]:
        return filtered(memory.total, ahead.mean, ahead.after, dt / self.duration)

    def record_course(self, memory: Sum, sent: Course, dt: Float[Array, ""]) -> Sum:
        return memory.plus(self.at_end(memory, sent, dt) - memory.total)

    def transform(self, lam: Complex[Array, ""]) -> Complex[Array, "..."]:
        return 1 / (1 + lam * self.duration)


class Never(AbstractDelay):
    r"""For a refractory period without end: who fires does not come back.

    The rate is then the density of first-passage times, and `Solution.spikes` their distribution
    function; from the reset potential, that of interspike intervals.
    """

    duration: Float[Array, ""]

    def __init__(self):
        self.duration = jnp.asarray(jnp.inf)

    def start(self, like: Float[Array, "..."]) -> Sum:
        return Sum.zero(like)

    def seen(self, memory: Sum, dt: Float[Array, ""]) -> Float[Array, "..."]:
        return jnp.zeros_like(memory.total)

    def record(self, memory: Sum, sent: Float[Array, "..."], dt: Float[Array, ""]) -> Sum:
        return memory.plus(sent)

    def outstanding(self, memory: Sum, dt: Float[Array, ""]) -> Float[Array, "..."]:
        """The sum of all that was sent, step by step, in the shape and unit of `sent`."""
        return memory.total
