r"""The leaky integrate-and-fire neuron with exponential currents, for contrast.

$$τ V' = -V + I, \quad τ I' = -2 I + τ \sum_i w_i \sum_{t_i} δ(t - t_i),$$

threshold 1, reset 0. In time units of τ, with $u = 1 - e^{-t}$, $V = (1 - u)(V_0 + I_0 u)$, and the
next spike is the smaller root of a quadratic equation in u. Where the two roots meet the potential
only touches the threshold: there the derivative of the spike time diverges, and the spike vanishes
in the middle of the trial.
"""

from __future__ import annotations

from typing import NamedTuple

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from .._check import check_positive, is_concrete
from ..model._leaf import leaf
from . import currents
from .neuron import AbstractDynamics, AbstractNeuron, State, of_each
from .parameters import check_count, check_parameter, part


class LIFState(NamedTuple):
    """Potentials and currents, of one shape."""

    potential: Array
    current: Array


class LIFDynamics(AbstractDynamics):
    """The LIF neuron in time units of τ."""

    def waits(self, state: LIFState) -> Float[Array, "*n"]:
        u = first_passage(*state)
        return jnp.where(u < 1, -jnp.log1p(-jnp.where(u < 1, u, 0)), jnp.inf)

    def next_spike(self, state: LIFState) -> tuple[Int[Array, " b"], Float[Array, " b"]]:
        u = first_passage(*state)
        first = jnp.argmin(u, axis=0)  # of u, so that one logarithm is taken
        return first, -jnp.log1p(-jnp.minimum(of_each(u, first), 1))

    def evolve(self, state: LIFState, dt: Float[Array, "..."]) -> LIFState:
        potential, current = state
        u = -jnp.expm1(-dt)
        return LIFState((1 - u) * (potential + current * u), current * jnp.exp(-2 * dt))

    def kick(self, state: LIFState, weights: Float[Array, "n b"]) -> LIFState:
        return state._replace(current=state.current + weights)

    def reset(self, state: LIFState, fired: Bool[Array, "n b"]) -> LIFState:
        return state._replace(potential=jnp.where(fired, 0, state.potential))

    def cotangents(self, state: LIFState, cotangent: LIFState) -> currents.Cotangents:
        return cotangent.potential, cotangent.current

    def state_cotangent(self, state: LIFState, cotangents: currents.Cotangents) -> LIFState:
        return LIFState(*cotangents)

    def end_time_cotangent(
        self, state: LIFState, cotangents: currents.Cotangents
    ) -> Float[Array, " b"]:
        membrane, current = cotangents
        speed = state.current - state.potential
        return jnp.sum(membrane * speed - 2 * current * state.current, axis=0)

    def linearise(
        self,
        before: LIFState,
        dt: Float[Array, "k 1 b"],
        after: LIFState,
        weights: Float[Array, "k n b"],
        fired: Bool[Array, "k n b"],
    ) -> currents.Linearised:
        decay = jnp.exp(-dt)
        # at the threshold V' = I - 1, after the reset V' = I
        speed = jnp.where(fired, after.current - 1, 1)
        return currents.Linearised(
            time_membrane=-weights - jnp.where(fired, after.current, 0),
            time_current=2 * weights,
            keep=1 - fired.astype(dt.dtype),
            spike=-fired.astype(dt.dtype) / speed,
            membrane=jnp.broadcast_to(decay, weights.shape),
            current=jnp.broadcast_to(-decay * jnp.expm1(-dt), weights.shape),
            decay=decay**2,
        )

    def pull(
        self,
        coefficients: currents.Linearised,
        cotangents: currents.Cotangents,
        time: Float[Array, " b"],
    ) -> tuple[currents.Cotangents, Float[Array, "n b"], Float[Array, " b"]]:
        return currents.pull(coefficients, cotangents, time)


class LIF(AbstractNeuron):
    r"""Leaky integrate-and-fire neurons whose inputs are exponential currents.

    $τ V' = -V + I$ and $τ I' = -2I + τ \sum_i w_i \sum_{t_i} δ(t-t_i)$; threshold 1, reset 0. The
    gradients are exact, yet no guide to learning: spikes vanish in the middle of a trial.

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
    def dynamics(self) -> LIFDynamics:
        return LIFDynamics()

    @property
    def time_unit(self) -> Float[Array, "*n"]:
        return self.tau

    @property
    def weight_unit(self) -> Float[Array, "*n"]:
        return jnp.ones_like(self.tau)

    def check_initial(self, initial: State) -> None:
        potential = initial[0]
        if is_concrete(potential):
            for wrong in np.asarray(potential)[np.asarray(potential) > 1][:1]:
                raise ValueError(
                    f"initial = {wrong:g}: potentials must not be above 1, the threshold"
                )

    def check_number(self, num: int) -> None:
        check_count("tau", self.tau, num)

    def clipped(self) -> LIF:
        least = jnp.maximum(self.tau, jnp.finfo(self.tau.dtype).eps)
        return eqx.tree_at(lambda neuron: neuron.tau, self, least)

    def rest(self, num: int) -> tuple[Float[Array, " n"], Float[Array, " n"]]:
        """Potentials and currents of neurons at rest, $V = I = 0$, shape `(n,)` each (voltage)."""
        return jnp.zeros(num, self.tau.dtype), jnp.zeros(num, self.tau.dtype)

    def state(self, initial: State) -> LIFState:
        return LIFState(*initial)

    def values(self, state: LIFState) -> tuple[Array, Array]:
        """Potentials and currents of a state, shape `(n,)` each (voltage)."""
        return state.potential, state.current

    def of(self, neurons: np.ndarray) -> LIF:
        return eqx.tree_at(lambda neuron: neuron.tau, self, part(self.tau, neurons))


def first_passage(potential: Array, current: Array) -> Array:
    r"""The smallest $u ∈ [0, 1)$ with $(1 - u)(V + I u) = 1$, `inf` where there is none."""
    square = (potential + current) ** 2 - 4 * current
    meets = (current > 0) & (square >= 0)
    root = jnp.sqrt(jnp.where(meets, square, 0))
    # the quotient of the product of the roots and the larger root: nothing cancels
    u = 2 * jnp.maximum(1 - potential, 0) / (current - potential + root)
    return jnp.where(meets & (current > potential) & (u < 1), u, jnp.inf)
