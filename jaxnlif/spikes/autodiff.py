"""The adjoint of a trial by automatic differentiation, for neurons that say only how they move.

It costs a few times more than one that is written by hand.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from .neuron import AbstractDynamics, State, of_each

Coefficients = tuple[State, Array, Array, Array]
"""Of an event: the state at the begin of its interval, its length, the weights, who spiked."""


class AutodiffDynamics(AbstractDynamics):
    """Dynamics of a type of neuron of one's own, from `waits`, `evolve`, `kick` and `reset`.

    These four must be differentiable by JAX, and `waits` and `evolve` exact: spikes are taken for
    those of the equation of motion. The adjoint costs a few times more than one by hand.

    **Arguments** of the methods: as those of `AbstractDynamics`, for n neurons in b trials; what
    those four do to a neuron must not depend on the others:

    - `state`: a tuple of arrays of shape `(n, b)` (dimensionless).
    - `dt`: a time for each trial, shape `(1, b)` (dimensionless).
    - `weights`: of what arrives, shape `(n, b)` (dimensionless).
    - `fired`: which neuron spiked, shape `(n, b)`.
    - `cotangent`: of the arrays of a state, shape `(n, b)` each (dimensionless).
    - `cotangents`: the same, shape `(n, b)` each (dimensionless).

    **Reference:** jaxnlif's.
    """

    def next_spike(self, state: State) -> tuple[Int[Array, " b"], Float[Array, " b"]]:
        waits = self.waits(state)
        first = jnp.argmin(waits, axis=0)
        return first, of_each(waits, first)

    def cotangents(self, state: State, cotangent: State) -> State:
        return cotangent

    def state_cotangent(self, state: State, cotangents: State) -> State:
        return cotangents

    def end_time_cotangent(self, state: State, cotangents: State) -> Float[Array, " b"]:
        return _product(cotangents, self._velocity(state))

    def linearise(
        self,
        before: State,
        dt: Float[Array, "k 1 b"],
        after: State,
        weights: Float[Array, "k n b"],
        fired: Bool[Array, "k n b"],
    ) -> Coefficients:
        return before, dt, weights, fired

    def pull(
        self, coefficients: Coefficients, cotangents: State, time: Float[Array, " b"]
    ) -> tuple[State, Float[Array, "n b"], Float[Array, " b"]]:
        before, dt, weights, fired = coefficients
        arrived, moved = jax.vjp(lambda state: self.evolve(state, dt), before)
        after, jumped = jax.vjp(
            lambda state, weights: self.reset(self.kick(state, weights), fired), arrived, weights
        )
        early, weight = jumped(cotangents)
        time = time + _product(early, self._velocity(arrived))
        time = time - _product(cotangents, self._velocity(after))
        (begin,) = moved(early)
        return (
            jax.tree.map(jnp.add, begin, self._spike_cotangent(before, fired, time)),
            weight,
            time,
        )

    def _velocity(self, state: State) -> State:
        """How fast a state moves."""
        zero = jnp.zeros_like(jax.tree.leaves(state)[0][:1])
        return jax.jvp(lambda dt: self.evolve(state, dt), (zero,), (jnp.ones_like(zero),))[1]

    def _spike_cotangent(self, before: State, fired: Array, time: Array) -> State:
        """What the time of a spike adds to the state of the neuron that fired."""
        first = jnp.argmax(fired, axis=0)
        alone = jax.tree.map(lambda x: of_each(x, first)[None], before)
        wait, back = jax.vjp(self.waits, alone)
        spiked = jnp.any(fired, axis=0)[None]
        # who did not fire may never, and would make NaN of the derivative
        (slope,) = back(jnp.where(spiked & jnp.isfinite(wait), time[None], 0))
        return jax.tree.map(lambda s: jnp.where(fired, s, 0), slope)


def _product(one: State, other: State) -> Float[Array, " b"]:
    products = jax.tree.map(lambda x, y: jnp.sum(x * y, axis=0), one, other)
    return jnp.sum(jnp.stack(jax.tree.leaves(products)), axis=0)


class PerNeuron(AutodiffDynamics):
    """A type of neuron whose members have units of their own: part of the state, and constant.

    The state is that of `dynamics`, then rates, the inverse of the unit of time of each neuron, and
    gains, the inverse of its unit of weights.
    """

    dynamics: AbstractDynamics

    def waits(self, state: Any) -> Float[Array, "*n"]:
        inner, rates, _ = state
        return self.dynamics.waits(inner) / rates

    def evolve(self, state: Any, dt: Float[Array, "..."]) -> Any:
        inner, rates, gains = state
        return self.dynamics.evolve(inner, dt * rates), rates, gains

    def kick(self, state: Any, weights: Float[Array, "n b"]) -> Any:
        inner, rates, gains = state
        return self.dynamics.kick(inner, weights * gains), rates, gains

    def reset(self, state: Any, fired: Bool[Array, "n b"]) -> Any:
        inner, rates, gains = state
        return self.dynamics.reset(inner, fired), rates, gains
