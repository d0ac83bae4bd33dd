"""Spike-triggered adaptation: a slow filter of the neurons' own rate that acts on their input."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Complex, Float

from .._check import check, check_finite, check_positive
from .._module import Module
from .._sum import Sum
from ._leaf import leaf
from .course import Course, filtered
from .drive import AbstractDrive


class Lowering(Module):
    """By how much adaptation lowers the input in a step, as a function of the rate in it.

    **Arguments:** `base`: what it does without a rate (voltage); `share`: what it does more for
    each unit of it (voltage × membrane time). Each is a number, or of shape `(k,)`.
    """

    base: Float[Array, "*#k"]
    share: Float[Array, "*#k"]

    def of(self, rate: Float[Array, "*#k"]) -> Float[Array, "*#k"]:
        """That at a rate (voltage)."""
        return self.base + self.share * rate


class Adaptation(Module):
    r"""Each spike of a neuron lowers its input for a while.

    All neurons of a population share one level y, that of the mean; the input is lowered by $A\,y$
    with

    $$τ_A\,\dot y = N - y, \quad y(0) = 0,$$

    and N the population's own rate. That is exact where $τ_A$ is much longer than the intervals
    between spikes; the noise is not changed. A step feels the mean of y over it, at the rate that
    its coupling sees.

    **Arguments:** of populations each is one number for all, or one for each, shape `(k,)`.

    - `strength`: A, which lowers the input where it is positive (voltage × membrane time).
    - `time_constant`: $τ_A > 0$ (learning time).

    **Raises:** `ValueError` unless the strength is finite and the time constant positive.

    **Reference:** R. Brette, W. Gerstner, *J. Neurophysiol.* 94:3637 (2005), for the neuron;
    M. Augustin, J. Ladenbauer, F. Baumann, K. Obermayer, *PLoS Comput. Biol.* 13:e1005545 (2017),
    for its mean.
    """

    strength: Float[Array, "..."] = eqx.field(converter=leaf("strength"))
    time_constant: Float[Array, "..."] = eqx.field(converter=leaf("time_constant"))

    def __check_init__(self):
        check_finite("strength", self.strength)
        check_positive("time_constant", self.time_constant)

    def start(self, like: Float[Array, "*k"]) -> Sum:
        """The level of neurons that have not fired.

        **Arguments:** `like`, rates, a number or shape `(k,)` (spikes / neuron / membrane time).
        """
        return Sum.zero(jnp.zeros_like(like))

    def lowers(self, level: Sum, dt: Float[Array, ""]) -> Lowering:
        """By how much the input is lowered in the mean over a step.

        **Arguments:** `level`, that at the beginning, of shape `()` or `(k,)` (spikes / neuron /
        membrane time); `dt`, the length of the step (learning time).
        """
        steps = dt / self.time_constant
        left = -jnp.expm1(-steps) / steps
        return Lowering(self.strength * left * level.total, self.strength * (1 - left))

    def lowers_at_end(
        self, level: Sum, before: Float[Array, "*k"], dt: Float[Array, ""]
    ) -> Lowering:
        """By how much the input is lowered at the end of a step, in which the rate is linear.

        **Arguments:** `level` and `before`, level and rate at the beginning, shape `()` or `(k,)`
        (spikes / neuron / membrane time); `dt`, the length of the step (learning time).
        """
        steps = dt / self.time_constant
        base, share = (
            filtered(*given, steps)
            for given in ((level.total, before / 2, jnp.zeros_like(before)), (0.0, 0.5, 1.0))
        )
        return Lowering(self.strength * base, self.strength * share)

    def after_course(self, level: Sum, sent: Course, dt: Float[Array, ""]) -> Sum:
        """The level after a step, of second order in time.

        **Arguments:** `level`, that at the beginning, of shape `()` or `(k,)` (spikes / neuron /
        membrane time); `sent`, the `Course` of the rates; `dt`, its length (learning time).
        """
        steps = dt / self.time_constant
        return level.plus(filtered(level.total, sent.mean, sent.after, steps) - level.total)

    def after(self, level: Sum, rate: Float[Array, "*k"], dt: Float[Array, ""]) -> Sum:
        """The level after a step.

        **Arguments:** `level`, that at the beginning, and `rate`, the mean rate in the step, shape
        `()` or `(k,)` (spikes / neuron / membrane time); `dt`, its length (learning time).
        """
        return level.plus((rate - level.total) * -jnp.expm1(-dt / self.time_constant))

    def course(self, ts: Float[Array, " t"], rate: Float[Array, "t *k"]) -> Float[Array, "t *k"]:
        """By how much the input is lowered at some times, between which the rate is straight.

        **Arguments:** `ts`, times that do not decrease, shape `(t,)` (learning time); `rate` then,
        shape `(t,)` or `(t, k)` (spikes / neuron / membrane time).

        **Returns:** the input, shape `(t,)` or `(t, k)` (voltage).
        """

        def later(level: Array, between: tuple[Array, Array, Array]) -> tuple[Array, Array]:
            steps, before, after = between
            left = jnp.exp(-steps)
            mean = jnp.where(steps > 0, (1 - left) / jnp.where(steps > 0, steps, 1), 1)
            level = left * level + (mean - left) * before + (1 - mean) * after
            return level, level

        first = jnp.zeros_like(rate[0])
        lengths = jnp.diff(ts).reshape(-1, *(1,) * first.ndim)
        steps = lengths / jnp.broadcast_to(self.time_constant, (1, *first.shape))
        _, levels = lax.scan(later, first, (steps, rate[:-1], rate[1:]))
        strength = jnp.broadcast_to(self.strength, (1, *first.shape))
        return strength * jnp.concatenate([first[None], levels])

    def transform(self, lam: Complex[Array, ""]) -> Complex[Array, "..."]:
        r"""$A/(1 + λ τ_A)$: by how much the input is lowered by a rate $e^{λt}$.

        **Arguments:** `lam`: λ, a complex number (1 / learning time).
        """
        return self.strength / (1 + lam * self.time_constant)


class Lowered(AbstractDrive):
    """A drive, lowered by an amount that is the same at all times.

    **Arguments:** `drive`; `amount`: a number, or shape `(k,)` (voltage).
    """

    drive: Callable[[Array, Array], Array]
    amount: Float[Array, "..."]

    def __call__(self, t: Float[Array, ""], w: Float[Array, " w"]) -> Float[Array, " w"]:
        return self.drive(t, w) - self.amount

    def jumps(self) -> Float[Array, " k"]:
        declared = getattr(self.drive, "jumps", None)
        return jnp.zeros(0) if declared is None else declared()


def numbers_of(adaptation: Any) -> dict[str, Any]:
    """The numbers of an adaptation, by the names that messages have for them.

    **Raises:** `ValueError` for what is neither one nor `None`.
    """
    if adaptation is None:
        return {}
    check(
        isinstance(adaptation, Adaptation),
        f"adaptation = {adaptation!r}: must be Adaptation(strength, time_constant), or None",
    )
    names = "strength", "time_constant"
    return {f"adaptation {name}": getattr(adaptation, name) for name in names}
