r"""The theta neuron: a quadratic integrate-and-fire neuron that oscillates, with pulse coupling.

In time units of $1/ω$ and weight units of q the point $(c, s) = (\cos ωφ, \sin ωφ)$ turns at
speed 1, and an input is the shear $c ← c - w s$.
"""

from __future__ import annotations

from typing import NamedTuple

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Float, Int

from .._check import check, check_finite, check_positive, is_concrete
from ..model._leaf import leaf
from . import pseudospikes
from .neuron import AbstractDynamics, AbstractSmoothNeuron, State, of_each
from .parameters import aligned, check_count, check_parameter, part
from .pseudorates import theta_pseudorates


class ThetaState(NamedTuple):
    """Points `(c, s)`, s ≥ 0, of the unit circle; of one shape."""

    c: Array
    s: Array


class Linearised(NamedTuple):
    """Coefficients of the adjoint of an event, shape `(…, n, b)`.

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

    def waits(self, state: ThetaState) -> Float[Array, "*n"]:
        return jnp.arctan2(state.s, -state.c)

    def next_spike(self, state: ThetaState) -> tuple[Int[Array, " b"], Float[Array, " b"]]:
        c, s = state
        # the largest angle by its cotangent, which near a spike resolves what c alone would not
        first = jnp.argmin(c / s, axis=0)
        return first, jnp.arctan2(of_each(s, first), -of_each(c, first))

    def evolve(self, state: ThetaState, dt: Float[Array, "..."]) -> ThetaState:
        c, s = state
        cosine, sine = jnp.cos(dt), jnp.sin(dt)
        # Rounding must not carry a neuron that is about to spike beyond its spike.
        later = s * cosine + c * sine
        return ThetaState(c * cosine - s * sine, jnp.where(later < 0, 0, later))

    def kick(self, state: ThetaState, weights: Float[Array, "n b"]) -> ThetaState:
        c = state.c - weights * state.s
        scale = lax.rsqrt(c**2 + state.s**2)
        return ThetaState(c * scale, state.s * scale)

    def reset(self, state: ThetaState, fired: Bool[Array, "n b"]) -> ThetaState:
        return ThetaState(jnp.where(fired, 1, state.c), jnp.where(fired, 0, state.s))

    def cotangents(self, state: ThetaState, cotangent: ThetaState) -> Array:
        return cotangent.s * state.c - cotangent.c * state.s

    def state_cotangent(self, state: ThetaState, cotangents: Array) -> ThetaState:
        return ThetaState(-cotangents * state.s, cotangents * state.c)

    def end_time_cotangent(self, state: ThetaState, cotangents: Array) -> Float[Array, " b"]:
        return jnp.sum(cotangents, axis=0)

    def linearise(
        self,
        before: ThetaState,
        dt: Float[Array, "k 1 b"],
        after: ThetaState,
        weights: Float[Array, "k n b"],
        fired: Bool[Array, "k n b"],
    ) -> Linearised:
        c, s = after
        stretch = (c + weights * s) ** 2 + s**2
        once = fired.astype(dt.dtype)
        return Linearised(
            time=stretch - 1 - once, stretch=stretch * (1 - once), spike=-once, weight=s**2
        )

    def pull(
        self, coefficients: Linearised, cotangents: Array, time: Float[Array, " b"]
    ) -> tuple[Array, Float[Array, "n b"], Float[Array, " b"]]:
        k = coefficients
        time = time + jnp.sum(k.time * cotangents, axis=0)
        return k.stretch * cotangents + k.spike * time[None], k.weight * cotangents, time


class Theta(AbstractSmoothNeuron):
    r"""The theta neuron, or oscillating quadratic integrate-and-fire neuron.

    $$τ \dot V = V (V - 1) + I_0 + τ \sum_i w_i \sum_{t_i} δ(t - t_i)$$

    With $q = \sqrt{I_0 - 1/4}$ and $ω = q/τ$, the phase $φ ∈ (0, Θ)$, $Θ = π/ω$, with
    $V - 1/2 = -q \cot ωφ$ grows at speed 1 between inputs. The neuron spikes at $φ = Θ$, where V
    reaches infinity, and starts again at $φ = 0$; an input adds its weight to V.

    **Arguments:** `tau`: time constant $τ > 0$, shape `()` or `(n,)` (time); `I0`: drive
    $I_0 > 1/4$, shape `()` or `(n,)` (voltage). Only a `Recurrent` takes one for each neuron.

    **Raises:** `ValueError` unless both are in these ranges.

    **Reference:** C. Klos, R.-M. Memmesheimer, Smooth exact gradient descent learning in spiking
    neural networks, arXiv 2309.14523 (2025).
    """

    tau: Float[Array, "*n"] = eqx.field(converter=leaf("tau"), default=1.0)
    I0: Float[Array, "*n"] = eqx.field(converter=leaf("I0"), default=1.25)

    def __check_init__(self):
        check_parameter("tau", self.tau)
        check_positive("tau", self.tau)
        check_parameter("I0", self.I0)
        check_finite("I0", self.I0)
        if is_concrete(self.I0):
            lowest = float(np.min(np.asarray(self.I0), initial=np.inf))
            check(lowest > 0.25, f"I0 = {lowest:g}: must be greater than 1/4")

    @property
    def dynamics(self) -> ThetaDynamics:
        return ThetaDynamics()

    @property
    def q(self) -> Float[Array, "*n"]:
        r"""$q = \sqrt{I_0 - 1/4}$, of the shape `()` or `(n,)` (voltage)."""
        return jnp.sqrt(self.I0 - 0.25)

    @property
    def omega(self) -> Float[Array, "*n"]:
        """$ω = q/τ$, of the shape `()` or `(n,)` (1 / time)."""
        return self.q / self.tau

    @property
    def period(self) -> Float[Array, "*n"]:
        """$Θ = π/ω$: the time between spikes without input, shape `()` or `(n,)` (time)."""
        return jnp.pi / self.omega

    def voltage(self, phase: Float[Array, "*n"]) -> Float[Array, "*n"]:
        """V at a phase strictly between 0 and Θ.

        **Arguments:** `phase`: any shape (time). **Returns:** the same shape (voltage).
        """
        return 0.5 - self.q / jnp.tan(self.omega * phase)

    def phase(self, voltage: Float[Array, "*n"]) -> Float[Array, "*n"]:
        """φ at a voltage; from 0 to Θ for voltages from −∞ to ∞.

        **Arguments:** `voltage`: any shape (voltage). **Returns:** the same shape (time).
        """
        return (jnp.arctan((voltage - 0.5) / self.q) + jnp.pi / 2) / self.omega

    def shifted(self, phase: Float[Array, "*n"], weight: Float[Array, "*n"]) -> Float[Array, "*n"]:
        r"""The phase $H_w(φ) = φ(V(φ) + w)$ after an input, smooth on all of [0, Θ].

        **Arguments:** of the same shape: `phase` in [0, Θ] (time); `weight` (voltage).
        **Returns:** that shape (time).
        """
        angle = self.omega * phase
        shifted = pseudospikes.shifted_angle(jnp.cos(angle), jnp.sin(angle), weight / self.q)
        return shifted / self.omega

    @property
    def time_unit(self) -> Float[Array, "*n"]:
        return 1 / self.omega

    @property
    def weight_unit(self) -> Float[Array, "*n"]:
        return self.q

    def rest(self, num: int) -> tuple[Float[Array, " n"]]:
        """Phases of neurons in the middle of their period, shape `(n,)` (time)."""
        return (jnp.broadcast_to(self.period / 2, num),)

    def check_initial(self, initial: State) -> None:
        check_phases("initial", initial[0], self)

    def check_number(self, num: int) -> None:
        check_count("tau", self.tau, num)
        check_count("I0", self.I0, num)

    def clipped(self) -> Theta:
        least = jnp.finfo(self.tau.dtype).eps
        return self._with(jnp.maximum(self.tau, least), jnp.maximum(self.I0, 0.25 + least))

    def clipped_initial(self, initial: State) -> State:
        return (jnp.clip(initial[0], 0, self.period),)

    def state(self, initial: State) -> ThetaState:
        angle = self.omega * initial[0]
        # the sine of the rounded π may be negative
        return ThetaState(jnp.cos(angle), jnp.maximum(jnp.sin(angle), 0))

    def values(self, state: ThetaState) -> tuple[Array]:
        """Phases of a state, shape `(n,)` (time)."""
        return (jnp.arctan2(state.s, state.c) / aligned(self.omega, state.c.ndim, -1),)

    def rates(
        self, state: ThetaState, weights: Float[Array, "n n"]
    ) -> tuple[Float[Array, "b n"], Bool[Array, " b"]]:
        scaled = weights / aligned(self.q, 2, 0)  # one row for each neuron that hears
        rates = theta_pseudorates(state.c, state.s, scaled)
        found = ~jnp.any(jnp.isnan(rates), axis=-1)
        alone = pseudospikes.theta_pseudorate(state.c, state.s, jnp.zeros_like(state.c))
        return jnp.where(found[..., None], rates, alone), found

    def pseudospikes(
        self, state: ThetaState, drive: Float[Array, "b o"], numbers: Int[Array, "b o k"]
    ) -> Float[Array, "b o k"]:
        c, s, total = (x[..., None] for x in (state.c, state.s, drive / aligned(self.q, 2, 1)))
        later = pseudospikes.theta_pseudospikes(c, s, total, numbers)
        return later / aligned(self.omega, 3, 1)

    def of(self, neurons: np.ndarray) -> Theta:
        return self._with(part(self.tau, neurons), part(self.I0, neurons))

    def _with(self, tau: Array, current: Array) -> Theta:
        return eqx.tree_at(lambda neuron: (neuron.tau, neuron.I0), self, (tau, current))


def check_phases(name: str, phases: ArrayLike, neuron: Theta) -> None:
    """Requires phases in [0, Θ]; traced values pass."""
    check_positive(name, phases, allow_zero=True)
    if is_concrete(phases, neuron):
        values, periods = np.broadcast_arrays(np.asarray(phases), np.asarray(neuron.period))
        for k in np.argwhere(values > periods * (1 + 1e-6))[:1]:
            raise ValueError(
                f"{name} = {values[tuple(k)]:g}: phases must not exceed the period, "
                f"{periods[tuple(k)]:g}"
            )
