"""Transmission delays that are spread: every synapse of a projection has its own."""

from __future__ import annotations

import abc
import math
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.scipy.special import gammainc, ndtr
from jax.typing import ArrayLike
from jaxtyping import Array, Complex, Float

from .._check import check, check_integer, check_positive, shown
from .._quadrature import gauss_legendre
from ._leaf import leaf
from .course import Course
from .delay import AbstractDelay, Ring

_BEYOND = 1e-4
_REACH = 8.5
"""So many standard deviations away, a normal density is rounding."""
_NODES = 128


def _slots(slots: Any) -> int:
    return check_integer("slots", slots, at_least=2)


class AbstractSpread(AbstractDelay):
    r"""Delays with a density: what arrives is $∫ k(u) N(t - u)\,du$.

    A subclass gives `integral` and `mean`. What is sent in a step is sent evenly over it, so that
    the mean delay is that of the density whatever the step. Derivatives are exact in all
    parameters.

    **Reference:** jaxnlif's.
    """

    slots: eqx.AbstractVar[int]

    @abc.abstractmethod
    def integral(self, u: Float[Array, "..."]) -> Float[Array, "..."]:
        r"""$\int_0^u F$, with F the distribution function of the delays.

        **Arguments:** `u`: a time, shape `()` (learning time).

        **Returns:** shape `(…)`, that of the durations (learning time).
        """

    @abc.abstractmethod
    def mean(self) -> Float[Array, "..."]:
        """The mean delay, in the shape of the durations (learning time)."""

    def validate(self, name: str, dt: ArrayLike) -> None:
        mean, longest = self.mean(), jnp.asarray((self.slots - 1) * dt)
        least = jnp.min(mean)
        check(
            least >= dt * (1 - 1e-6),
            f"{shown(name, least)}, on average: must not be shorter than {shown('dt', dt)}",
        )
        late = mean - (longest - self.integral(longest))
        check(
            jnp.max(late) <= _BEYOND * least,
            f"{name}: reaches beyond the {self.slots} steps of {shown('dt', dt)} that "
            f"{type(self).__name__}(slots={self.slots}) remembers",
        )

    def start(self, like: Float[Array, "..."]) -> Ring:
        like = jnp.asarray(like)
        return Ring(jnp.zeros((self.slots, *like.shape), like.dtype), jnp.zeros((), jnp.int32))

    def seen(self, memory: Ring, dt: Float[Array, ""]) -> Float[Array, "..."]:
        latest_first = jnp.roll(memory.values[::-1], memory.place, axis=0)
        shares = self.shares(dt)
        extra = shares.ndim - latest_first.ndim
        values = jnp.expand_dims(latest_first, tuple(range(1, 1 + max(extra, 0))))
        shares = jnp.expand_dims(shares, tuple(range(shares.ndim, values.ndim)))
        return jnp.sum(shares * values, axis=0)

    def record(self, memory: Ring, sent: Float[Array, "..."], dt: Float[Array, ""]) -> Ring:
        return Ring(memory.values.at[memory.place].set(sent), (memory.place + 1) % self.slots)

    def at_end(self, memory: Ring, ahead: Course, dt: Float[Array, ""]) -> Float[Array, "..."]:
        at_once = self.integral(dt) / dt  # of what is sent last, where that is straight in a step
        return self.seen(memory, dt) + at_once * (ahead.after - ahead.before)

    def record_course(self, memory: Ring, sent: Course, dt: Float[Array, ""]) -> Ring:
        return self.record(memory, sent.after, dt)

    def shares(self, dt: Float[Array, ""]) -> Float[Array, "slots ..."]:
        """The part of what was sent in each of the last steps that arrives in the next one.

        **Arguments:** `dt`: length of the step, shape `()` (learning time).

        **Returns:** latest step first, shape `(slots, …)`; they sum to 1 (dimensionless).
        """
        edges = jnp.arange(self.slots + 2) * dt
        G = jax.vmap(self.integral)(edges) / dt
        upto = G[1:] - G[:-1]  # of what was sent, how much has arrived: a mean of F over a step
        first = upto[1:2]  # what arrives within the step in which it is sent comes with the next
        later = jnp.maximum(upto[2:] - upto[1:-1], 0)
        shares = jnp.concatenate([first, later])
        return shares / jnp.sum(shares, axis=0, keepdims=True)


class NormalDelay(AbstractSpread):
    r"""Normally distributed delays, cut below: density $∝ e^{-(u - d)^2/2s^2}$ for $u > u_0$.

    **Arguments:** numbers, or between populations one for each pair, of shape `(to, from)`:

    - `duration`: $d$, the mean before the cut (learning time).
    - `std`: $s > 0$, the standard deviation before the cut (learning time).
    - `minimum`: $u_0 ≥ 0$, the shortest delay (learning time).
    - `slots`: how many steps are remembered.

    **Raises:** `ValueError` unless `duration` and `std` are positive, `minimum` is not negative,
    and `slots` an integer above 1; `solve`, if the mean delay is shorter than a step, or the delays
    reach beyond what is remembered.

    **Reference:** as in T. C. Potjans, M. Diesmann, *Cereb. Cortex* 24:785 (2014).
    """

    duration: Float[Array, "..."] = eqx.field(converter=leaf("duration"))
    std: Float[Array, "..."] = eqx.field(converter=leaf("std"))
    minimum: Float[Array, "..."] = eqx.field(converter=leaf("minimum"), default=0.0)
    slots: int = eqx.field(static=True, default=128, converter=_slots, kw_only=True)

    def __check_init__(self):
        check_positive("duration", self.duration)
        check_positive("std", self.std)
        check_positive("minimum", self.minimum, allow_zero=True)

    def integral(self, u: Float[Array, "..."]) -> Float[Array, "..."]:
        low = (self.minimum - self.duration) / self.std
        x = jnp.maximum((u - self.duration) / self.std, low)
        # of (Φ(x) - Φ(low)) / (1 - Φ(low)), with ∫Φ = xΦ + φ
        above = _integral_of_ndtr(x) - _integral_of_ndtr(low) - (x - low) * ndtr(low)
        return self.std * above / ndtr(-low)

    def mean(self) -> Float[Array, "..."]:
        low = (self.minimum - self.duration) / self.std
        return self.duration + self.std * _density(low) / ndtr(-low)

    def transform(self, lam: Complex[Array, ""]) -> Complex[Array, "..."]:
        # Of x = (u - d)/s, by a Gauss rule, which resolves frequencies up to 13 / s.
        low = (self.minimum - self.duration) / self.std
        start = jnp.maximum(low, -_REACH)
        half = 0.5 * (jnp.maximum(start, 0) + _REACH - start)
        nodes, weights = (
            x.astype(start.dtype).reshape(-1, *(1,) * start.ndim) for x in gauss_legendre(_NODES)
        )
        x = start[None] + half[None] * (1 + nodes)
        duration, std = (jnp.broadcast_to(y, x.shape) for y in (self.duration, self.std))
        delayed = jnp.exp(-lam * (duration + std * x))
        total = jnp.sum(weights * _density(x) * delayed, axis=0)
        return half * total / ndtr(-low)


class GammaDelay(AbstractSpread):
    r"""Gamma-distributed delays, of mean d and standard deviation s.

    **Arguments:** numbers, or between populations one for each pair, of shape `(to, from)`:

    - `duration`: $d > 0$, the mean (learning time). `std`: $s > 0$ (learning time).
    - `slots`: how many steps are remembered.

    **Raises:** `ValueError` unless both are positive and `slots` is an integer above 1; `solve`, if
    the mean delay is shorter than a step, or the delays reach beyond what is remembered.

    **Reference:** jaxnlif's.
    """

    duration: Float[Array, "..."] = eqx.field(converter=leaf("duration"))
    std: Float[Array, "..."] = eqx.field(converter=leaf("std"))
    slots: int = eqx.field(static=True, default=128, converter=_slots, kw_only=True)

    def __check_init__(self):
        check_positive("duration", self.duration)
        check_positive("std", self.std)

    def integral(self, u: Float[Array, "..."]) -> Float[Array, "..."]:
        shape = (self.duration / self.std) ** 2
        x = u * shape / self.duration
        return u * gammainc(shape, x) - self.duration * gammainc(shape + 1, x)

    def transform(self, lam: Complex[Array, ""]) -> Complex[Array, "..."]:
        scale = self.std**2 / self.duration
        return jnp.exp(-self.duration / scale * jnp.log(1 + lam * scale))

    def mean(self) -> Float[Array, "..."]:
        return jnp.broadcast_to(
            self.duration, jnp.broadcast_shapes(*map(jnp.shape, (self.duration, self.std)))
        )


def _density(x: Array) -> Array:
    return jnp.exp(-(x**2) / 2) / math.sqrt(2 * math.pi)


def _integral_of_ndtr(x: Array) -> Array:
    return x * ndtr(x) + _density(x)
