r"""The quadratic integrate-and-fire neuron with exponential currents.

$$τ V' = V (V - 1) + I, \quad τ I' = -2 I + τ \sum_i w_i \sum_{t_i} δ(t - t_i),$$

which spikes when $V$ reaches $∞$ and restarts from $-∞$. In time units of τ, with $u = 1 - e^{-t}$
and $V = e^{-t} W$, it is $dW/du = W^2 + I_0$: a rotation of $(N, D)$, $W = N/D$, by the entire
functions $C = \cos\sqrt x$, $S = \sin\sqrt x/\sqrt x$ of $x = I_0 u^2$ (hyperbolic for $x < 0$):

$$N = N_0 C + I_0 u S D_0, \quad D = D_0 C - u S N_0.$$

The state is the point $(n, d)$ of the upper half circle with $V = n/d$, so that no potential is
infinite: a spike is $(1, 0)$, the reset $(-1, 0)$, and nothing has to be cut off.
"""

from __future__ import annotations

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Float, Int

from .._check import check_positive
from ..model._leaf import as_leaf, leaf
from . import currents, pseudospikes
from .neuron import AbstractDynamics, AbstractSmoothNeuron, State, of_each
from .parameters import aligned, check_count, check_parameter, part
from .qif_flow import QIFState, first_passage, flow, next_spike, speed, turn, variation


class QIFDynamics(AbstractDynamics):
    """The QIF neuron in time units of τ.

    The cotangent of its membrane is that of $η = d\\,δn - n\\,δd = -δ\\arg(n, d)$, which the flow
    multiplies by $e^{-Δt}$ and the rescaling to the circle by its square.
    """

    def waits(self, state: QIFState) -> Float[Array, "*n"]:
        u = first_passage(*state)
        return jnp.where(u < 1, -jnp.log1p(-jnp.where(u < 1, u, 0)), jnp.inf)

    def next_spike(self, state: QIFState) -> tuple[Int[Array, " b"], Float[Array, " b"]]:
        u = first_passage(*state)
        first = jnp.argmin(u, axis=0)  # of u, so that one logarithm is taken
        return first, -jnp.log1p(-jnp.minimum(of_each(u, first), 1))

    def evolve(self, state: QIFState, dt: Float[Array, "..."]) -> QIFState:
        numerator, denominator, u = turn(state, dt)[:3]
        # Rounding must not carry a neuron that is about to spike beyond its spike.
        denominator = jnp.where(denominator < 0, 0, denominator)
        scale = lax.rsqrt(numerator**2 + denominator**2)
        return QIFState(numerator * scale, denominator * scale, state.current * (1 - u) ** 2)

    def kick(self, state: QIFState, weights: Float[Array, "n b"]) -> QIFState:
        return state._replace(current=state.current + weights)

    def reset(self, state: QIFState, fired: Bool[Array, "n b"]) -> QIFState:
        return QIFState(jnp.where(fired, -1, state.n), jnp.where(fired, 0, state.d), state.current)

    def cotangents(self, state: QIFState, cotangent: QIFState) -> currents.Cotangents:
        return cotangent.n * state.d - cotangent.d * state.n, cotangent.current

    def state_cotangent(self, state: QIFState, cotangents: currents.Cotangents) -> QIFState:
        membrane, current = cotangents
        return QIFState(membrane * state.d, -membrane * state.n, current)

    def end_time_cotangent(
        self, state: QIFState, cotangents: currents.Cotangents
    ) -> Float[Array, " b"]:
        membrane, current = cotangents
        return jnp.sum(membrane * speed(state) - 2 * current * state.current, axis=0)

    def linearise(
        self,
        before: QIFState,
        dt: Float[Array, "k 1 b"],
        after: QIFState,
        weights: Float[Array, "k n b"],
        fired: Bool[Array, "k n b"],
    ) -> currents.Linearised:
        membrane, current = variation(before, dt)
        return currents.Linearised(
            # the neuron that fired leaves its reset at speed 1, the others are kicked
            time_membrane=-weights * after.d**2 - fired,
            time_current=2 * weights,
            keep=1 - fired.astype(dt.dtype),
            spike=-fired.astype(dt.dtype),
            membrane=membrane,
            current=current,
            decay=jnp.exp(-2 * dt),
        )

    def pull(
        self,
        coefficients: currents.Linearised,
        cotangents: currents.Cotangents,
        time: Float[Array, " b"],
    ) -> tuple[currents.Cotangents, Float[Array, "n b"], Float[Array, " b"]]:
        return currents.pull(coefficients, cotangents, time)


class QIF(AbstractSmoothNeuron):
    r"""Quadratic integrate-and-fire neurons whose inputs are exponential currents.

    $τ V' = V(V-1) + I$ and $τ I' = -2I + τ \sum_i w_i \sum_{t_i} δ(t-t_i)$; a spike is $V = ∞$, the
    reset $V = -∞$. Spikes appear and vanish at the end of a trial only, and all their times are
    smooth in weights, input times and initial values.

    **Arguments:** `tau`: $τ > 0$, the membrane time constant, twice the synaptic one (time): a
    number, or one for each neuron, shape `(n,)`.

    **Raises:** `ValueError` unless `tau` is positive.

    **Reference:** C. Klos, R.-M. Memmesheimer, arXiv 2309.14523 (2025).
    """

    tau: Float[Array, "*n"] = eqx.field(converter=leaf("tau"), default=1.0)

    def __check_init__(self):
        check_parameter("tau", self.tau)
        check_positive("tau", self.tau)

    @property
    def dynamics(self) -> QIFDynamics:
        return QIFDynamics()

    @property
    def time_unit(self) -> Float[Array, "*n"]:
        return self.tau

    @property
    def weight_unit(self) -> Float[Array, "*n"]:
        return jnp.ones_like(self.tau)

    def check_number(self, num: int) -> None:
        check_count("tau", self.tau, num)

    def clipped(self) -> QIF:
        least = jnp.maximum(self.tau, jnp.finfo(self.tau.dtype).eps)
        return eqx.tree_at(lambda neuron: neuron.tau, self, least)

    def rest(self, num: int) -> tuple[Float[Array, " n"], Float[Array, " n"]]:
        """Potentials and currents of neurons at rest, $V = I = 0$, shape `(n,)` each (voltage)."""
        return jnp.zeros(num, self.tau.dtype), jnp.zeros(num, self.tau.dtype)

    def state(self, initial: State) -> QIFState:
        potential, current = initial
        scale = lax.rsqrt(1 + potential**2)
        return QIFState(potential * scale, scale, current)

    def values(self, state: QIFState) -> tuple[Array, Array]:
        """Potentials, infinite at spike and reset, and currents, shape `(n,)` each (voltage)."""
        return state.n / state.d, state.current

    def rates(
        self, state: QIFState, weights: Float[Array, "n n"]
    ) -> tuple[Float[Array, "b n"], Bool[Array, " b"]]:
        rates = pseudospikes.qif_pseudorate(state.n, state.d)
        return rates, jnp.ones(rates.shape[:-1], bool)

    def pseudospikes(
        self, state: QIFState, drive: Float[Array, "b o"], numbers: Int[Array, "b o k"]
    ) -> Float[Array, "b o k"]:
        n, d, current = (x[..., None] for x in state)
        later = pseudospikes.qif_pseudospikes(n, d, current + drive[..., None], numbers)
        return aligned(self.tau, 3, 1) * later

    def of(self, neurons: np.ndarray) -> QIF:
        return eqx.tree_at(lambda neuron: neuron.tau, self, part(self.tau, neurons))

    def flow(
        self, potential: ArrayLike, current: ArrayLike, dt: ArrayLike
    ) -> tuple[Float[Array, "..."], Float[Array, "..."]]:
        """Potential and current a time later; the potential passes through ∞ at a spike.

        Differentiable everywhere, also where the current is 0.

        **Arguments:** of shapes that broadcast: `potential`, `current` (voltage); `dt` (time).

        **Returns:** both in the broadcast shape (voltage).
        """
        scaled = as_leaf("dt", dt) / self.tau
        start = as_leaf("potential", potential), as_leaf("current", current)
        return flow(*jnp.broadcast_arrays(*start, scaled))

    def next_spike(self, potential: ArrayLike, current: ArrayLike) -> Float[Array, "..."]:
        """The time until $V = ∞$ if nothing arrives before; `inf` if there is no spike.

        Differentiable everywhere, also where the current is 0; the derivative is 0 where there is
        no spike.

        **Arguments:** of shapes that broadcast: `potential`, `current` (voltage).

        **Returns:** the broadcast shape (time).
        """
        state = as_leaf("potential", potential), as_leaf("current", current)
        return self.tau * next_spike(*jnp.broadcast_arrays(*state))
