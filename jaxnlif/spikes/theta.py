r"""The theta neuron with pulse coupling, event by event.

$τ V' = V (V - 1) + I_0 + τ \sum_i w_i \sum_{t_i} δ(t - t_i)$ with $q = \sqrt{I_0 - 1/4} > 0$ and
$V - 1/2 = -q \cot ωφ$, $ω = q/τ$. In time units of $1/ω$ and weight units of q the point
$(c, s) = (\cos ωφ, \sin ωφ)$ turns at speed 1 and an input is the shear $c ← c - w s$.
"""

from __future__ import annotations

from typing import ClassVar, NamedTuple

import equinox as eqx
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, Int

from .._check import check, check_positive, check_scalar, is_concrete
from ..model._leaf import as_leaf
from .neuron import AbstractDynamics, AbstractNeuron


class ThetaState(NamedTuple):
    """Points `(c, s)`, s ≥ 0, of the unit circle; shape `(n,)` each."""

    c: Array
    s: Array


class Linearised(NamedTuple):
    """Coefficients of the adjoint of an event, shape `(…, n)`.

    The kick multiplies a variation of the angle by `stretch` (0 for the neuron that fired); `time`
    and `weight` are derivatives of the angle in the time and the weight of the event.
    """

    time: Array
    stretch: Array
    spike: Array
    weight: Array


class ThetaDynamics(AbstractDynamics):
    """The theta neuron in time units of $1/ω$ and weight units of q: a point that turns.

    The cotangent of a neuron is that of its angle, which free motion leaves as it is.
    """

    def next_spike(self, state: ThetaState) -> tuple[Int[Array, ""], Float[Array, ""]]:
        c, s = state
        # the largest angle by its cotangent, which near a spike resolves what c alone would not
        first = jnp.argmin(c / s)
        return first, jnp.arctan2(s[first], -c[first])

    def evolve(self, state: ThetaState, dt: Float[Array, "*b"]) -> ThetaState:
        c, s = state
        cosine, sine = jnp.cos(dt), jnp.sin(dt)
        # Rounding must not carry a neuron that is about to spike beyond its spike.
        return ThetaState(c * cosine - s * sine, jnp.maximum(s * cosine + c * sine, 0))

    def kick(self, state: ThetaState, weights: Float[Array, " n"]) -> ThetaState:
        c = state.c - weights * state.s
        scale = lax.rsqrt(c**2 + state.s**2)
        return ThetaState(c * scale, state.s * scale)

    def reset(self, state: ThetaState, fired: Bool[Array, " n"]) -> ThetaState:
        return ThetaState(jnp.where(fired, 1, state.c), jnp.where(fired, 0, state.s))

    def cotangents(self, state: ThetaState, cotangent: ThetaState) -> Array:
        return cotangent.s * state.c - cotangent.c * state.s

    def state_cotangent(self, state: ThetaState, cotangents: Array) -> ThetaState:
        return ThetaState(-cotangents * state.s, cotangents * state.c)

    def end_time_cotangent(self, state: ThetaState, cotangents: Array) -> Float[Array, ""]:
        return jnp.sum(cotangents)

    def linearise(self, before: ThetaState, dt, after: ThetaState, weights, fired):
        c, s = after
        stretch = (c + weights * s) ** 2 + s**2
        once = fired.astype(dt.dtype)
        return Linearised(
            time=stretch - 1 - once, stretch=stretch * (1 - once), spike=-once, weight=s**2
        )

    def pull(self, coefficients: Linearised, cotangents, time):
        k = coefficients
        time = time + jnp.sum(k.time * cotangents)
        return k.stretch * cotangents + k.spike * time, k.weight * cotangents, time


class Theta(AbstractNeuron):
    r"""Theta neurons: oscillating QIF neurons that kick one another.

    $τ V' = V(V-1) + I_0 + τ \sum_i w_i \sum_{t_i} δ(t-t_i)$, $I_0 > 1/4$; the phase φ in
    $(0, πτ/q)$ grows at speed 1.

    **Arguments:** `tau` > 0: time constant (time); `I0` > 1/4: drive (voltage units).

    **Raises:** `ValueError` unless both are such numbers.

    **Reference:** C. Klos, R.-M. Memmesheimer, arXiv 2309.14523 (2025).
    """

    tau: Float[Array, ""] = eqx.field(converter=as_leaf, default=1.0)
    I0: Float[Array, ""] = eqx.field(converter=as_leaf, default=1.25)

    dynamics: ClassVar[ThetaDynamics] = ThetaDynamics()

    def __check_init__(self):
        check_scalar("tau", self.tau)
        check_positive("tau", self.tau)
        check_scalar("I0", self.I0)
        if is_concrete(self.I0):
            check(bool(self.I0 > 0.25), f"I0 = {self.I0:g}: must be above 1/4")

    @property
    def weight_unit(self) -> Float[Array, ""]:
        return jnp.sqrt(self.I0 - 0.25)

    @property
    def time_unit(self) -> Float[Array, ""]:
        return self.tau / self.weight_unit

    def rest(self, num: int) -> tuple[Float[Array, " n"]]:
        """Phases in the middle of the period."""
        return (jnp.full(num, jnp.pi / 2, self.tau.dtype) * self.time_unit,)

    def state(self, initial) -> ThetaState:
        angle = initial[0] / self.time_unit
        return ThetaState(jnp.cos(angle), jnp.sin(angle))

    def values(self, state: ThetaState) -> tuple[Array]:
        """Phases (time)."""
        return (jnp.arctan2(state.s, state.c) * self.time_unit,)
