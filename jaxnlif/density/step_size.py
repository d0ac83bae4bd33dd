"""How a step of a run is divided into steps of the density."""

from __future__ import annotations

import abc
from typing import Any, ClassVar, NamedTuple

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from .._check import check, check_integer
from .._module import Module
from .._sum import Sum
from ..grid import Grid
from ..integrate.loop import MAX_ITERATIONS, bounded_while
from ..integrate.result import Result
from ..model import Network
from ..model.synapse import visible_jump
from ..stretched import kicks
from .state import DensityState
from .substep import lookup_time, next_substep, nothing_done

_LONGEST = 0.02  # membrane times


class Situation(NamedTuple):
    """Where a step of the density begins.

    - `grid`, `model`; `weights` of the columns, shape `(w,)` (weight).
    - `density`: shape `(v, w)` (1 / voltage / weight).
    - `rate`: the network rate (spikes / neuron / membrane time).
    - `dt`: the step of the run (learning time).
    """

    grid: Grid
    model: Network
    weights: Float[Array, " w"]
    density: Float[Array, "v w"]
    rate: Float[Array, "*k"]
    dt: Float[Array, ""]


class AbstractStepSize(Module):
    """Divides the steps of a run: a subclass says how long the next part may be.

    Parts end with the step of the run, and at the jumps of the drive.

    - `max_substeps`: the most parts of a step, no more than 10 000; a run that needs more ends as
      `Result.event_budget_exceeded`.
    - `divides`: whether a save between two steps of the run is that of a shorter step; if not,
      what is saved there is linear in time.

    **Arguments** of the methods:

    - `situation`: where a part begins, a `Situation`.
    - `solver`, `model`: a `FluxShift`, and what it solves.
    - `t`, `dt`: where the step of the run begins, and its length (learning time).
    - `arriving`: what earlier steps have sent; `state`: that at the beginning.
    """

    max_substeps: eqx.AbstractVar[int]
    divides: ClassVar[bool] = False

    def validate(self, solver: Any, model: Network) -> None:
        """Checks what it is to divide the steps of.

        **Raises:** `ValueError`, in one clear line, for what it cannot.
        """
        return None

    def first(self, model: Network, dt: Float[Array, ""]) -> Float[Array, ""]:
        """The longest first part of a run.

        **Arguments:** `model`: what is solved; `dt`: the step of the run (learning time).

        **Returns:** a time that is positive (learning time).
        """
        return dt

    def started(self, state: DensityState, t: Array, longest: Array) -> DensityState:
        """The state at the beginning of a run, with what steps carry from one to the next.

        **Arguments:** `state`: without it; `t`: when the run begins; `longest`: the longest first
        part (learning time).
        """
        return state

    @abc.abstractmethod
    def longest(self, situation: Situation) -> Float[Array, ""]:
        """The longest next part, which is positive (learning time)."""

    def usual(self, situation: Situation) -> Float[Array, "..."]:
        """The length of parts by which long steps are warned of, shape `(…)` (learning time)."""
        return situation.dt

    def cover(
        self, solver: Any, model: Network, t: Array, dt: Array, arriving: Any, state: DensityState
    ) -> tuple[DensityState, Float[Array, " w"]]:
        r"""The state after the step from `t` to `t + dt`, and $∫N(w)\,dt$ meanwhile.

        **Returns:** the state; the integral, shape `(w,)` (spikes / neuron × learning time /
        membrane time / weight).
        """
        nothing = nothing_done(t, dt, model.jumps().astype(dt.dtype)), Sum.zero(state.rates)
        begin = _Progress(state, *nothing, jnp.zeros((), jnp.int32))
        arguments = self, solver, model, t, dt, arriving
        end = bounded_while(arguments, begin, unfinished=_unfinished, body=_part)
        state = end.state
        exhausted = (end.done.total < dt) & (state.result == Result.completed)
        result = Result.where(exhausted, Result.event_budget_exceeded, state.result)
        return eqx.tree_at(lambda s: s.result, state, result), end.fired.total


class FixedStep(AbstractStepSize):
    """Steps of the density are those of the run; `max_substeps` is 1."""

    max_substeps: int = eqx.field(static=True, default=1)

    def longest(self, situation: Situation) -> Float[Array, ""]:
        return situation.dt

    def cover(
        self, solver: Any, model: Network, t: Array, dt: Array, arriving: Any, state: DensityState
    ) -> tuple[DensityState, Float[Array, " w"]]:
        time = lookup_time(t, dt, model.jumps().astype(dt.dtype))
        return solver.part(model, time, dt, arriving, state)


class JumpStep(AbstractStepSize):
    """Steps of the density are those of the run, divided at the jumps that the drive declares.

    **Arguments:** `max_substeps`: the most parts of a step.

    **Raises:** `ValueError` unless it is an integer from 1 to 10 000.
    """

    divides: ClassVar[bool] = True
    max_substeps: int = eqx.field(static=True, default=10_000)

    def __check_init__(self):
        check_max_substeps(self.max_substeps)

    def longest(self, situation: Situation) -> Float[Array, ""]:
        return situation.dt


def check_max_substeps(most: int) -> None:
    """Requires a number of parts that can be differentiated."""
    check_integer("max_substeps", most, at_least=1)
    check(most <= MAX_ITERATIONS, f"max_substeps = {most}: must not exceed {MAX_ITERATIONS}")


class MassStep(AbstractStepSize):
    r"""No more than a mass $δm$ fires in a part, so that none misses an event.

    Parts take $Δt = ε\,δm/\bar N$; where neurons that fire nearly carry others along, no more than
    0.02 membrane times, a fraction of the time from one event to the next: a longer part would calm
    down neurons that fire together again and again.

    **Arguments:** as `Cascade`.
    """

    mass_step: Float[Array, ""] | None = None
    max_substeps: int = eqx.field(static=True, default=10_000)

    def __check_init__(self):
        check_max_substeps(self.max_substeps)

    def longest(self, situation: Situation) -> Float[Array, ""]:
        grid, model, weights, density, _, dt = situation
        kick = jnp.maximum(kicks(grid.v, model, weights), 0)
        brief = model.epsilon * _LONGEST * jnp.min(jnp.asarray(model.membrane_time, dt.dtype))
        gain = _gain(grid, density, kick)
        return jnp.minimum(self.usual(situation), jnp.where(gain > 0.5, jnp.minimum(brief, dt), dt))

    def usual(self, situation: Situation) -> Float[Array, "..."]:
        rate = situation.rate
        if situation.grid.populations is not None:
            rate = jnp.max(rate, axis=-1)
        spikes = self._spikes(situation)
        return spikes / jnp.maximum(rate, spikes / situation.dt)

    def _spikes(self, situation: Situation) -> Float[Array, ""]:
        r"""$ε\,δm$, the $∫ \bar N\,dt$ of a part."""
        grid, model, weights, *_, dt = situation
        if self.mass_step is not None:
            return model.epsilon * self.mass_step.astype(dt.dtype)
        visible = visible_jump(grid.v.threshold - grid.v.reset, grid.v.spacing)
        kick = kicks(grid.v, model, weights)
        strongest = jnp.max(kick if kick.ndim == 1 else jnp.sum(jnp.maximum(kick, 0), axis=1))
        outer = dt / jnp.max(jnp.asarray(model.membrane_time, dt.dtype))
        return jnp.minimum(outer, model.epsilon * visible / jnp.maximum(strongest, visible))


def _gain(grid: Grid, density: Float[Array, "v w"], kick: Float[Array, "*k w"]) -> Float[Array, ""]:
    """A bound of the mass that unit mass carries along, by kicks that are not negative."""
    if grid.populations is not None:
        return jnp.max(jnp.max(density, axis=0) * jnp.sum(kick, axis=1))
    return jnp.max(jnp.sum(density * kick[None], 1)) * grid.weight_spacing


class _Progress(NamedTuple):
    r"""How far a step is: the state, the time that is over, $∫N(w)\,dt$ in it, parts made."""

    state: DensityState
    done: Sum
    fired: Sum
    turns: Array


def _unfinished(arguments: Any, progress: _Progress) -> Array:
    size, _, _, _, dt, _ = arguments
    within = (progress.done.total < dt) & (progress.turns < size.max_substeps)
    return within & (progress.state.result == Result.completed)


def _part(arguments: Any, progress: _Progress) -> _Progress:
    size, solver, model, t, dt, arriving = arguments
    state, done, fired, turns = progress
    weights = solver.weights(model)
    longest = size.longest(Situation(solver.grid, model, weights, state.density, state.rate, dt))
    jumps = model.jumps().astype(dt.dtype)
    substep = next_substep(t, dt, done, longest, jumps, evenly=solver.scheme.order > 1)
    now = arriving.at(substep.done.total / dt)
    state, new = solver.part(model, substep.time, substep.length, now, state)
    return _Progress(state, substep.done, fired.plus(new), turns + 1)
