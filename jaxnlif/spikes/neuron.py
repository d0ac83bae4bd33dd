r"""What the event loop asks of a neuron: its dynamics in natural units, and their adjoint.

Between events every neuron moves freely; at an event one of them, or an input, kicks the others.
An `AbstractDynamics` has no parameters: times are in units of `AbstractNeuron.time_unit`, weights
in units of `weight_unit`, so that gradients in parameters follow from those in times and weights.

The adjoint of a trial is linear. With $g$ the cotangents of the state just after an event at
$t_k$, $f$ the vector field and $κ$ the kick (or the reset),

$$\bar t_k = \partial L/\partial t_k + g·(Dκ\,f(x^-) - f(x^+)), \quad g^- = Dκ^T g,$$

where the cotangent of the neuron that fired is replaced by $\bar t_k\,\partial t_k/\partial x^-$,
and $g$ before the interval is the transposed flow of $g^-$. All coefficients are known from the
states of the forward pass; `linearise` computes them for many events at once and `pull` applies
those of one. `AutodiffDynamics` has all of that by automatic differentiation, for a type of neuron
that only says how it moves.

**Reference:** C. Klos, R.-M. Memmesheimer, Smooth exact gradient descent learning in spiking neural
networks, Phys. Rev. Lett. 2025, arXiv 2309.14523.
"""

from __future__ import annotations

import abc
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from .._module import Module

State = Any
"""The state of n neurons: a tuple of arrays of shape `(n,)`, or `(n, b)` in b trials."""


def of_each(values: Float[Array, "n b"], which: Int[Array, " b"]) -> Float[Array, " b"]:
    """The value of one neuron in each trial."""
    return jnp.take_along_axis(values, which[None], axis=0)[0]


class AbstractDynamics(Module):
    """Motion, kick, spike and adjoint of one type of neuron, in its natural units.

    **Arguments** of the methods, for n neurons in b trials:

    - `state`: a tuple of arrays of shape `(n, b)` (dimensionless).
    - `dt`: a time for each trial, shape `(1, b)` (dimensionless).
    - `weights`: of what arrives, shape `(n, b)` (dimensionless).
    - `fired`: which neuron spiked, shape `(n, b)`.
    - `cotangent`: of the arrays of a state, shape `(n, b)` each (dimensionless).
    - `cotangents`: the same as they are transported, shape `(n, b)` each (dimensionless).

    **Reference:** C. Klos, R.-M. Memmesheimer, arXiv 2309.14523 (2025).
    """

    @abc.abstractmethod
    def waits(self, state: State) -> Float[Array, "*n"]:
        """The time until each neuron spikes if nothing arrives; `inf` if it does not.

        **Returns:** shape `(n, b)` (dimensionless).
        """

    @abc.abstractmethod
    def next_spike(self, state: State) -> tuple[Int[Array, " b"], Float[Array, " b"]]:
        """Which neuron spikes first if nothing arrives, and after what time.

        **Returns:** its number, and the time, `inf` if there is none, of shape `(b,)` each
        (dimensionless).
        """

    @abc.abstractmethod
    def evolve(self, state: State, dt: Float[Array, "..."]) -> State:
        """The state a time `dt` later, if nothing spikes or arrives before."""

    @abc.abstractmethod
    def kick(self, state: State, weights: Float[Array, "n b"]) -> State:
        """The state after a spike has arrived with these weights."""

    @abc.abstractmethod
    def reset(self, state: State, fired: Bool[Array, "n b"]) -> State:
        """The state after those who `fired` were reset."""

    @abc.abstractmethod
    def cotangents(self, state: State, cotangent: State) -> Any:
        """The cotangents that are transported, from those of the state's arrays."""

    @abc.abstractmethod
    def state_cotangent(self, state: State, cotangents: Any) -> State:
        """The inverse of `cotangents`."""

    @abc.abstractmethod
    def end_time_cotangent(self, state: State, cotangents: Any) -> Float[Array, " b"]:
        """The derivative in the time until which the state has moved freely.

        **Returns:** shape `(b,)` (dimensionless).
        """

    @abc.abstractmethod
    def linearise(
        self,
        before: State,
        dt: Float[Array, "k 1 b"],
        after: State,
        weights: Float[Array, "k n b"],
        fired: Bool[Array, "k n b"],
    ) -> Any:
        """Coefficients of the adjoint for k events at once.

        **Arguments:** `before`: states at the begin of the intervals that end with the events, each
        array of shape `(k, n, b)`; `dt`: their lengths, shape `(k, 1, b)` (dimensionless); `after`:
        states after the events, `(k, n, b)` each; `weights`: of the kicks, shape `(k, n, b)`
        (dimensionless); `fired`: which neuron spiked, shape `(k, n, b)`.
        """

    @abc.abstractmethod
    def pull(
        self, coefficients: Any, cotangents: Any, time: Float[Array, " b"]
    ) -> tuple[Any, Float[Array, "n b"], Float[Array, " b"]]:
        """Takes cotangents from after an event to after the event before.

        **Arguments:** `coefficients`: of the event; `cotangents`: after it, shape `(n, b)` each;
        `time`: the direct derivative of the loss in its time, shape `(b,)` (dimensionless).

        **Returns:** the cotangents at the begin of the interval, those of the weights, shape
        `(n, b)`, and the whole derivative in the time of the event, `(b,)` (dimensionless).
        """


class AbstractNeuron(Module):
    """A type of neuron: its parameters, and what turns them into natural units.

    A subclass needs `dynamics`, `time_unit` and `rest`; all other methods have defaults.

    **Arguments** of the methods, for n neurons:

    - `initial`: what a user writes, a tuple of arrays of shape `(n,)`: potentials and currents, or
      the phases of `Theta`.
    - `state`: what the dynamics move in natural units, a tuple of arrays of shape `(n,)`.
    - `num`: n.
    - `neurons`: the numbers of some of them, shape `(o,)`.
    """

    @property
    @abc.abstractmethod
    def dynamics(self) -> AbstractDynamics:
        """How a state moves in natural units: a module without arrays."""

    @property
    @abc.abstractmethod
    def time_unit(self) -> Float[Array, "*n"]:
        """The natural unit of time, of all neurons or, with shape `(n,)`, of each (time)."""

    @property
    def weight_unit(self) -> Float[Array, "*n"]:
        """The natural unit of weights, of all neurons or, with shape `(n,)`, of each (voltage).

        1 unless a subclass says otherwise.
        """
        return jnp.ones_like(self.time_unit)

    @abc.abstractmethod
    def rest(self, num: int) -> State:
        """Initial values of neurons at rest, each of shape `(n,)`."""

    def check_initial(self, initial: State) -> None:
        """Checks that finite initial values are some of this neuron.

        **Raises:** `ValueError` if they are not.
        """

    def check_number(self, num: int) -> None:
        """Checks that parameters are numbers, or one for each of `num` neurons.

        **Raises:** `ValueError` if they are not.
        """

    def clipped(self) -> AbstractNeuron:
        """The neuron with every parameter in its range, after a step of an optimiser."""
        return self

    def clipped_initial(self, initial: State) -> State:
        """Initial values within their ranges, after a step of an optimiser."""
        return initial

    def state(self, initial: State) -> State:
        """The state that the dynamics move, from initial values: the same, unless overridden."""
        return initial

    def values(self, state: State) -> State:
        """Potentials and currents, or phases, of a state: the same, unless overridden."""
        return state

    def of(self, neurons: np.ndarray) -> AbstractNeuron:
        """The parameters of some neurons: the same, unless there is one for each neuron."""
        return self


class AbstractSmoothNeuron(AbstractNeuron):
    """A neuron whose spikes appear and vanish at the end of the trial only: it has pseudospikes."""

    @abc.abstractmethod
    def rates(
        self, state: State, weights: Float[Array, "n n"]
    ) -> tuple[Float[Array, "b n"], Bool[Array, " b"]]:
        """The pseudorates: what each neuron sends to the others after the end of the trial.

        **Arguments:** `state`, at the end of b trials, shape `(b, n)` each; `weights`, from neuron
        j to neuron i at `[i, j]`, shape `(n, n)` (voltage).

        **Returns:** shape `(b, n)`, from 0 just after a spike to 1 just before (dimensionless); and
        whether those of each trial agree with one another, shape `(b,)`.
        """

    @abc.abstractmethod
    def pseudospikes(
        self, state: State, drive: Float[Array, "b o"], numbers: Int[Array, "b o k"]
    ) -> Float[Array, "b o k"]:
        """Times of pseudospikes after the end of the trial.

        Called on the neuron of the outputs alone, see `of`.

        **Arguments:** `state` of the neurons at the end, shape `(b, o)` each; `drive`: the summed
        input $\\sum_j w_{ij} r_j$, shape `(b, o)` (voltage); `numbers`: 1 for the first spike
        beyond the end, 0 for the last before it, and so on, shape `(b, o, k)`.

        **Returns:** shape `(b, o, k)` (time).
        """
