r"""Multiple firing events on the density: a part of the network fires together in an instant.

Where the spikes of a step start a cascade that carries itself, the mean-field equation has no
classical solution; it goes on with the *physical* one, in which the smallest self-consistent mass
m jumps over the threshold at once (Delarue, Inglis, Rubenthaler, Tanré 2015; Dou, Tao, Xue, Zhou,
arXiv 2603.18475).
"""

from __future__ import annotations

import abc
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float

from .._check import check_integer, check_positive, check_scalar
from .._module import Module
from ..grid import Grid
from ..integrate.log import Event, Log
from ..integrate.result import Result
from ..model._leaf import as_leaf
from .blowup import MAX_RATE, CascadeMass, blows_up, cascade, jumps_of, reached
from .coupling import AbstractCoupling, Coupled, not_lagged
from .own_rate import own_step
from .state import DensityState
from .step_size import AbstractStepSize, MassStep
from .voltage import VoltageStep, frozen


class AbstractEvents(Module):
    """What becomes of neurons that fire together on the density."""

    @abc.abstractmethod
    def coupling(self, coupling: AbstractCoupling) -> AbstractCoupling:
        """The coupling of the run, of the one that is given."""

    @abc.abstractmethod
    def step_size(self, usual: AbstractStepSize) -> AbstractStepSize:
        """How steps are divided unless that is given; `usual`, how they are without events."""

    @abc.abstractmethod
    def log(self, grid: Grid) -> Log[Event] | None:
        """An empty record of events on a grid, if there is one."""

    @abc.abstractmethod
    def fire(self, step: VoltageStep, signals: Float[Array, " s"], own: bool) -> Fired:
        """The voltage step in which these signals are felt.

        **Arguments:** `own`, whether the signals are those that result in the step.
        """

    @abc.abstractmethod
    def logged(self, log: Log[Event] | None, step: VoltageStep, fired: Fired) -> Log[Event] | None:
        """The record after a voltage step."""

    @abc.abstractmethod
    def lost(
        self, step: VoltageStep, state: DensityState, seen: Coupled
    ) -> tuple[Bool[Array, ""], Result]:
        """Whether a run that is in this state after a step cannot go on, and why."""


class NoEvents(AbstractEvents):
    """A run in which neurons would fire together ends as a blow-up."""

    def coupling(self, coupling: AbstractCoupling) -> AbstractCoupling:
        return coupling

    def step_size(self, usual: AbstractStepSize) -> AbstractStepSize:
        return usual

    def log(self, grid: Grid) -> None:
        return None

    def fire(self, step: VoltageStep, signals: Float[Array, " s"], own: bool) -> Fired:
        root = signals[0] if step.grid.populations is None else signals
        after = own_step(step, root) if own else step.after(signals)
        return Fired.alone(*after)

    def logged(self, log: Log[Event] | None, step: VoltageStep, fired: Fired) -> Log[Event] | None:
        return log

    def lost(
        self, step: VoltageStep, state: DensityState, seen: Coupled
    ) -> tuple[Bool[Array, ""], Result]:
        kappa = jnp.min(step.kappa)
        resolved = kappa > 0
        duration = jnp.where(resolved, 1 / jnp.where(resolved, kappa, 1), jnp.inf)
        kick, edge = step.kick(), step.edge(jnp.atleast_1d(state.rate))
        course = step.grid, state.density, state.rate
        lost = blows_up(*course, kick, duration, edge)
        lost = lost | ~(seen.found | seen.exhausted)
        return lost, Result.where(resolved, Result.blow_up, Result.no_self_consistent_rate)


class Cascade(Module):
    r"""Lets neurons fire together on the density, and the run go on through every blow-up.

    Between populations excitatory kicks carry an event and inhibitory ones act in it, among those
    who have not fired; events then have a size for each population.

    Steps are shortened to $Δt = ε\,δm/\bar N$, so that no more than $δm$ fires in one, and land on
    the jumps of the drive; where an event is near they are no longer than 0.02 membrane times. A
    run takes about (number of steps) + (fired mass)/δm + (jumps) of these substeps.

    **Arguments:**

    - `mass_step`: $δm$, the mass that fires in one substep, of populations that of any
      (dimensionless); by default the outer
      step in membrane times, that is, steps are shortened where $\bar N > 1$, but no more than what
      makes the strongest weight jump by a tenth of $V_F - V_R$ (or by five cells).
    - `max_events`: how many events are recorded.
    - `max_substeps`: the most substeps of an outer step, no more than 10 000.

    More events or substeps end the run as `Result.event_budget_exceeded`.

    **Raises:** `ValueError` unless all are positive and the last two integers.

    **Reference:** F. Delarue, J. Inglis, S. Rubenthaler, E. Tanré, *Ann. Appl. Probab.* (2015);
    X. Dou, L. Tao, Z. Xue, Z. Zhou, arXiv 2603.18475 (2026); the criterion and the bounded substeps
    are jaxnlif's.
    """

    mass_step: Float[Array, ""] | None
    max_events: int = eqx.field(static=True)
    max_substeps: int = eqx.field(static=True)

    def __init__(
        self, mass_step: Any = None, *, max_events: int = 4096, max_substeps: int = 10_000
    ):
        if mass_step is not None:
            check_scalar("mass_step", mass_step)
            check_positive("mass_step", mass_step)
        self.mass_step = None if mass_step is None else as_leaf("mass_step", mass_step)
        self.max_events = check_integer("max_events", max_events, at_least=1)
        self.max_substeps = check_integer("max_substeps", max_substeps, at_least=1)
        self.step_size()  # which has a rule for it

    def step_size(self) -> MassStep:
        """How steps are divided, so that no event is missed.

        **Raises:** `ValueError` if `max_substeps` is out of its range.
        """
        return MassStep(mass_step=self.mass_step, max_substeps=self.max_substeps)

    def log(self, grid: Grid) -> Log[Event]:
        """An empty record of events on a `grid`, in which populations have a size each."""
        num = grid.populations
        size = jnp.zeros(() if num is None else (num,), grid.dtype)
        return Log.empty(Event(jnp.zeros((), grid.dtype), size), self.max_events)


class Together(AbstractEvents):
    """Neurons fire together, and the run goes on.

    **Arguments:** `cascade`: how that is followed, and recorded.
    """

    cascade: Cascade

    def coupling(self, coupling: AbstractCoupling) -> AbstractCoupling:
        return not_lagged(coupling)

    def step_size(self, usual: AbstractStepSize) -> AbstractStepSize:
        return self.cascade.step_size()

    def log(self, grid: Grid) -> Log[Event]:
        return self.cascade.log(grid)

    def fire(self, step: VoltageStep, signals: Float[Array, " s"], own: bool) -> Fired:
        return fire(step, signals)

    def logged(self, log: Log[Event] | None, step: VoltageStep, fired: Fired) -> Log[Event] | None:
        assert log is not None
        size = step.network_rate(fired.mass)
        event = lax.stop_gradient(Event(step.time, size))
        return log.append(fired.together, event)

    def lost(
        self, step: VoltageStep, state: DensityState, seen: Coupled
    ) -> tuple[Bool[Array, ""], Result]:
        assert state.events is not None
        # An unbounded rate in spite of events is a step too long for them.
        lost = state.events.overflowed | ~jnp.all(state.rate < MAX_RATE)
        return lost, Result.event_budget_exceeded


class Fired(NamedTuple):
    """Density and rates after a voltage step; the mass that fired together, if any did."""

    density: Float[Array, "v w"]
    rates: Float[Array, " w"]
    mass: Float[Array, " w"]
    together: Bool[Array, ""]

    @classmethod
    def alone(cls, density: Float[Array, "v w"], rates: Float[Array, " w"]) -> Fired:
        """Where every neuron fired by itself."""
        return cls(density, rates, jnp.zeros_like(rates), jnp.zeros((), bool))


def fire(step: VoltageStep, signals: Float[Array, " s"]) -> Fired:
    r"""The voltage step in which neurons feel these signals, with the event it ends in, if any.

    If a cascade carries itself, the step is repeated without re-entry; at its end those who fire
    together leave, the others jump, and the rate is zero. No derivative flows through that.
    """
    usual = Fired.alone(*step.after(signals))
    still, signals, usual_still = frozen((step, signals, usual))
    grid, kick, edge = still.grid, still.kick(), still.edge(signals)

    def cascade_after(density: Array, rates: Array) -> CascadeMass:
        fired = still.network_rate(rates / still.kappa)
        return cascade(grid, density, fired, kick, edge)

    def together() -> Fired:
        rest, rates = still.absorbed(signals)
        event = cascade_after(rest, rates)
        jump = jumps_of(kick, event.mass)
        carried = reached(grid, rest, jump, edge)
        if grid.populations is not None:  # kicks that inhibit act on who is left
            carried = jnp.maximum(event.mass - still.network_rate(rates / still.kappa), 0)
        moved = move_up(grid, without_top(rest, carried / grid.cell_area), jump)
        fired = jnp.maximum(still.mass_given() - grid.weight_density(moved), 0)
        moved = still.reentry.returned(grid, moved, fired)
        new = Fired(moved, jnp.zeros_like(rates), fired, event.is_event)
        return jax.tree.map(partial(jnp.where, event.is_event), new, usual_still)

    happens = cascade_after(usual_still.density, usual_still.rates).is_event
    return lax.cond(happens, together, lambda: usual)


def without_top(density: Float[Array, "v w"], removed: Float[Array, " w"]) -> Float[Array, "v w"]:
    """The density without the highest nodes of each column, up to a sum `removed`; not negative."""
    down_to_here = jnp.cumsum(density[::-1], 0)[::-1]
    return jnp.minimum(density, jnp.maximum(down_to_here - removed[None], 0))


def move_up(
    grid: Grid, density: Float[Array, "v w"], jump: Float[Array, " w"]
) -> Float[Array, "v w"]:
    """The density moved by a jump of each column (voltage): every node's mass goes to the two
    nodes next to its goal and keeps its mean; at the ends of the grid it stays on the last node."""
    whole = jnp.floor(jump / grid.v.spacing)
    part = jump / grid.v.spacing - whole
    whole = whole.astype(jnp.int32)
    rows, last = jnp.arange(grid.v.num)[:, None], grid.v.num - 1

    def of_both(shares: Callable[[int, Array], Array]) -> Array:
        return shares(0, 1 - part) + shares(1, part)

    # Gathered by the goal: XLA compiles loops around a scatter to slower code on a CPU.
    def reaching(more: int, share: Array) -> Array:
        origin = rows - (whole + more)[None]
        mass = jnp.take_along_axis(density, jnp.clip(origin, 0, last), 0)
        return jnp.where((origin >= 0) & (origin <= last), share[None] * mass, 0)

    def passing(beyond: Callable[[Array], Array]) -> Array:
        def shares(more: int, share: Array) -> Array:
            goal = rows + (whole + more)[None]
            return jnp.sum(jnp.where(beyond(goal), share[None] * density, 0), 0)

        return of_both(shares)

    inner, bottom, top = (
        of_both(reaching),
        passing(lambda goal: goal <= 0),
        passing(lambda goal: goal >= last),
    )
    return jnp.where(rows == 0, bottom[None], jnp.where(rows == last, top[None], inner))
