"""`FluxShift`: the density of a network, stepped in time."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import lax
from jax.typing import ArrayLike
from jaxtyping import Array, Float, Int, PRNGKeyArray

from .._check import check, check_integer, check_key
from .._sum import Sum
from ..execution import AUTOMATIC, AbstractExecution
from ..grid import Grid
from ..integrate.log import Event, Log
from ..integrate.loop import bounded_while
from ..integrate.result import Result
from ..integrate.solver import AbstractSolver, Regime, Snapshot
from ..integrate.warning import no_warnings
from ..machine.layout import ONE_DEVICE, AbstractLayout, Sharded, with_layout
from ..model import Network
from .advice import advice
from .blowup import MAX_RATE
from .cells import firing_rates
from .coupling import AbstractCoupling, Corrected, Coupled, Implicit, Lagged, given
from .cycle import watch, watched
from .events import Cascade, fire
from .finite import debt_after, no_debt, with_debt, with_draw
from .held import Arriving, arriving_in, recorded
from .interval import Interval
from .outcome import outcome
from .own_rate import own_step
from .resolution import discretisation_errors, neurons_at, warnings
from .start import first_rates
from .state import DensityState
from .substep import lookup_time, next_substep, nothing_done
from .transport import Moved, move_weights
from .validate import check_arguments, check_times
from .walls import Walls

_KINDS = {
    "grid": Grid,
    "coupling": AbstractCoupling,
    "events": Cascade | None,
    "execution": AbstractExecution,
}


def _as_count(neurons: Any) -> Int[Array, ""] | None:
    return None if neurons is None else jnp.asarray(check_integer("neurons", neurons, at_least=1))


class FluxShift(AbstractSolver[DensityState]):
    r"""Mass-conservative, unconditionally positive and asymptotic-preserving density solver.

    Each step moves the weights by the learning flow and then solves drift, diffusion, firing and
    re-entry implicitly with the rank-one flux shift. For every time step and every $ε ≥ 0$ the
    density stays non-negative, the mass stays put to round-off, and as ε → 0 the scheme becomes
    the quasi-static one, at the same cost. Order 2 in voltage, 1 in time, 1 in weight.

    With a refractory period those who fire rest, and re-enter when it is over: density and resting
    neurons together keep the mass. With a transmission delay the rate that arrives is known.

    **Arguments:**

    - `grid`: the `Grid` of the density; its dtype is that of the run.
    - `coupling`: `Lagged()`, one linear solve per step, or `Implicit()`, the rate of the step
      itself, for stiff or strongly inhibitory networks. With `events` a lagged rate is
      `Corrected()`.
    - `events`: `None` ends a run that blows up; `Cascade()` lets neurons fire together and goes on.
    - `neurons`: the number M of neurons whose finite size is felt: the rate that neurons see in a
      step is that of Poisson($M \bar N Δt/ε$) spikes of M neurons; needs a key. Density, rates and
      spike counts remain those of the expected flux. It carries the noise of these kicks only, as
      if neurons were Poisson processes: that of regular neurons is smaller, of bursting ones larger
      (`Particles` have either). `None` for the limit of many. Derivatives are
      those with the numbers of spikes held as they were drawn, not of a mean over draws.
    - `execution`: loops over rows, logarithmic depth or kernels; `Automatic()` takes what is fast.
    - `layout`: where the columns of the density lie, which `solve(..., sharding=)` fills in.

    **Raises:** `ValueError` if an argument is of another kind, `neurons` is not a positive integer,
    or `events` come with `Implicit()`, which finds no rate where neurons fire together.

    **Reference:** J. Hu, J.-G. Liu, Y. Xie, Z. Zhou, arXiv 1911.07619 (2019); Q. He, J. Hu,
    Z. Zhou, *SIAM J. Sci. Comput.* (2022), arXiv 2109.04667; the subtraction-free elimination, the
    split learning flux and the implicit coupling are jaxnlif's.
    """

    grid: Grid
    coupling: AbstractCoupling = Lagged()
    events: Cascade | None = eqx.field(default=None, kw_only=True)
    neurons: Int[Array, ""] | None = eqx.field(default=None, kw_only=True, converter=_as_count)
    execution: AbstractExecution = eqx.field(default=AUTOMATIC, kw_only=True)
    layout: AbstractLayout = eqx.field(default=ONE_DEVICE, kw_only=True)

    def __check_init__(self):
        for name, value, kind in (
            ("grid", self.grid, "a Grid"),
            ("coupling", self.coupling, "a coupling such as Lagged()"),
            ("events", self.events, "Cascade(...) or None"),
            ("execution", self.execution, "an execution such as execution.LogDepth()"),
        ):
            check(isinstance(value, _KINDS[name]), f"{name} = {value!r}: must be {kind}")
        check(
            self.events is None or not isinstance(self.coupling, Implicit),
            "coupling = Implicit(): finds no rate where neurons fire together; with events, "
            "leave it Lagged()",
        )

    def validate(
        self, model: Network, y0: ArrayLike, dt: ArrayLike, key: PRNGKeyArray | None
    ) -> None:
        self.execution.validate()
        check_arguments(self.grid, self.weights, model, y0)
        check_times(model, dt, events=self.events, neurons=self.neurons)
        if self.neurons is not None:
            check_key(key)

    def sharded(self, layout: Sharded) -> FluxShift:
        check(
            self.grid.w is not None,
            "sharding: a density without a weight axis has one column, which stays on one device",
        )
        layout.check_divides("num of the WeightGrid", self.grid.shape[1])
        return with_layout(self, layout)

    def weights(self, model: Network) -> Float[Array, " w"]:
        """The synaptic weight of each column, shape `(w,)` (weight).

        They are the cell centres, or the one weight of the model.
        """
        if self.grid.w is None:
            return jnp.asarray(model.weight, self.dtype)[None]
        return jnp.asarray(self.grid.w.centers, self.dtype)

    def init(
        self, model: Network, t0: Array, y0: ArrayLike, key: PRNGKeyArray | None
    ) -> DensityState:
        density = self.layout.split(jnp.asarray(y0, self.dtype))
        rate = jnp.zeros((), self.dtype)
        for _ in range(2):  # the flux through the threshold depends, weakly, on the rate itself
            seen = rate if model.delay is None else jnp.zeros_like(rate)
            mu, noise = model.input(t0, self.weights(model), seen), model.diffusion(seen)
            rates = firing_rates(self.grid.v, mu, noise, density[-1])
            rate = jnp.sum(rates) * self.grid.weight_spacing
        zero, none = jnp.zeros((), self.dtype), jnp.zeros((), jnp.int32)
        state = DensityState(
            density=density,
            rates=rates,
            rate=rate,
            spikes=Sum.zero(zero),
            refractory=zero,
            sent=None if model.delay is None else model.delay.start(rate),
            resting=None if model.refractory is None else model.refractory.start(rates),
            events=None if self.events is None else self.events.log(self.dtype),
            key=None if self.neurons is None else key,
            result=Result.completed,
            substeps=none,
            coupling_evaluations=none,
            transport_iterations=none,
            walls=Walls.untouched(self.grid),
            alternation=watch(self._coupling, model, self.dtype),
            debt=None if self.neurons is None else no_debt(self._coupling, model, self.dtype),
        )
        return self._split(state)

    def start(self, model: Network, t0: Array, dt: Array, state: DensityState) -> DensityState:
        arriving = arriving_in(model, dt, state)
        time = lookup_time(t0, dt, model.jumps().astype(dt.dtype))
        interval = self._interval(model, time, dt, arriving, state.density)
        rate, rates = first_rates(interval, arriving.rate)
        return self._split(replace(state, rate=rate, rates=rates))

    def step(self, model: Network, t: Array, dt: Array, state: DensityState) -> DensityState:
        jumps = model.jumps().astype(dt.dtype)
        arriving = arriving_in(model, dt, state)
        if self.events is None:
            time = lookup_time(t, dt, jumps)
            state, fired = self._advance(model, time, dt, arriving, state)
        else:
            nothing = nothing_done(t, dt, jumps), Sum.zero(state.rates)
            begin = _Progress(state, *nothing, jnp.zeros((), jnp.int32))
            end = bounded_while(
                (self, model, t, dt, arriving), begin, unfinished=_unfinished, body=_substep
            )
            state, fired = end.state, end.fired.total
            exhausted = (end.done.total < dt) & (state.result == Result.completed)
            result = Result.where(exhausted, Result.event_budget_exceeded, state.result)
            state = eqx.tree_at(lambda s: s.result, state, result)
        return self._split(recorded(self.grid, model, dt, fired / dt, state))

    def _interval(self, model: Network, time, dt, arriving: Arriving, density) -> Interval:
        """The voltage step of `dt` with the drive of `time`."""
        w, kappa, inflow = self.weights(model), model.epsilon / dt, arriving.neurons
        return Interval(
            self.grid, model, w, time, kappa, density, inflow, self.layout, self.execution
        )

    def _split(self, state: DensityState) -> DensityState:
        """The state with every column where it belongs."""
        density, rates, resting = self.layout.split((state.density, state.rates, state.resting))
        return replace(state, density=density, rates=rates, resting=resting)

    def _advance(self, model, time, dt, arriving, state) -> tuple[DensityState, Array]:
        r"""The state after `dt` with the drive of `time`, and $∫N(w)\,dt$ meanwhile."""
        density, moves, walls = state.density, state.transport_iterations, state.walls
        settled = jnp.ones((), bool)
        if model.learning is not None:
            density, new, settled = self._learn(model, time, dt, arriving, state)
            moves = moves + new
            begin = self.weights(model), state.density, state.rates, state.rate
            walls = walls.after_weight_step(self.grid, model.learning, *begin, dt)

        interval = with_debt(self._interval(model, time, dt, arriving, density), state.debt)
        seen = self._couple(interval, arriving.rate, state.rate)
        # A run ends beyond MAX_RATE; the bound keeps its last state finite.
        felt, key = jnp.minimum(seen.rate, MAX_RATE), state.key
        if self.neurons is not None:
            key, draw = jax.random.split(key)
            interval = with_draw(interval, felt, self.neurons, draw)
        events, happened = state.events, False
        if self.events is None:
            after = own_step if seen.own and self.neurons is None else Interval.after
            density, rates = after(interval, felt)
            fired = rates * dt
        else:
            density, rates, together, happened = fire(interval, felt)
            fired = rates * dt + together * model.epsilon
            size = interval.network_rate(together)
            events = state.events.append(happened, lax.stop_gradient(Event(time, size)))
        rate = interval.network_rate(rates)
        new = DensityState(
            density=density,
            rates=rates,
            rate=rate,
            spikes=state.spikes.plus(interval.network_rate(fired)),
            refractory=state.refractory,
            sent=state.sent,
            resting=state.resting,
            events=events,
            key=key,
            result=state.result,
            substeps=state.substeps + 1,
            coupling_evaluations=state.coupling_evaluations + seen.evaluations,
            transport_iterations=moves,
            walls=walls.after_voltage_step(self.grid, *interval.input(felt), density),
            debt=debt_after(state.debt, interval, felt, rate, happened),
            alternation=watched(state.alternation, state.rate, rate, felt, interval, dt),
        )
        return eqx.tree_at(lambda s: s.result, new, outcome(interval, new, seen, settled)), fired

    def _learn(self, model, time, dt, arriving, state) -> Moved:
        """The density after the weights have moved, Newton's iterations, and whether they ended."""
        seen = state.rate if arriving.rate is None else arriving.rate
        none = None if model.refractory is None else jnp.zeros_like(state.rates)

        def firing(columns):
            return self._interval(model, time, dt, Arriving(seen, none), columns).rates(seen)

        strength = model.learning.strength(self.weights(model))
        rates, step = (state.rates, state.rate), model.learning.speed * dt
        return move_weights(
            self.grid, state.density, *rates, strength, step, firing, self.layout, self.execution
        )

    def _couple(self, interval: Interval, arriving: Array | None, previous: Array) -> Coupled:
        """The rate that neurons see: what arrives after a delay, or what the coupling chooses."""
        return self._coupling(interval, previous) if arriving is None else given(arriving)

    @property
    def _coupling(self) -> AbstractCoupling:
        """The coupling, which with events is not lagged."""
        corrected = self.events is not None and isinstance(self.coupling, Lagged)
        return Corrected() if corrected else self.coupling

    def observe(self, state: DensityState) -> Snapshot:
        return Snapshot(
            rate=state.rate,
            rates=state.rates,
            weights=self.grid.weight_density(state.density),
            density=state.density,
            spikes=state.spikes.total,
            refractory=state.refractory,
            regime=jnp.asarray(Regime.density, jnp.int32),
        )

    def result(self, state: DensityState) -> Result:
        return state.result

    def unresolved(self, model, dt, state, ts, rate, rates):
        if state.walls is None:  # written by an older version
            return no_warnings()
        step = dt
        if self.events is not None:
            spikes = self.events.spikes(self.grid.v, model, self.weights(model), dt)
            step = spikes / jnp.maximum(rate, spikes / dt)
        neurons = neurons_at(model, self.weights(model), step, ts, rate, rates)
        return warnings(discretisation_errors(self.grid, neurons), state.walls)

    def advice(self, flag, solution):
        return advice(flag, solution, self.weights(solution.model))

    def iterations(self, state: DensityState) -> dict[str, Array]:
        return {
            "substeps": state.substeps,
            "coupling_evaluations": state.coupling_evaluations,
            "transport_iterations": state.transport_iterations,
        }

    def logs(self, state: DensityState) -> dict[str, Log]:
        return {} if state.events is None else {"events": state.events}

    def differentiable_from(self, state: DensityState) -> Float[Array, ""]:
        never = jnp.asarray(-jnp.inf, self.dtype)
        if state.events is None:
            return never
        return jnp.where(state.events.count > 0, state.events.last().time, never)


class _Progress(NamedTuple):
    r"""How far a step is: the state, the time that is over, $∫N(w)\,dt$ in it, substeps made."""

    state: DensityState
    done: Sum
    fired: Sum
    turns: Array


def _unfinished(arguments, progress: _Progress) -> Array:
    solver, _, _, dt, _ = arguments
    within = (progress.done.total < dt) & (progress.turns < solver.events.max_substeps)
    return within & (progress.state.result == Result.completed)


def _substep(arguments, progress: _Progress) -> _Progress:
    solver, model, t, dt, arriving = arguments
    state, done, fired, turns = progress
    spikes = solver.events.spikes(solver.grid.v, model, solver.weights(model), dt)
    longest = solver.events.longest(solver.grid, model, solver.weights(model), state.density, dt)
    jumps = model.jumps().astype(dt.dtype)
    substep = next_substep(t, dt, done, state.rate, spikes, longest, jumps)
    state, new = solver._advance(model, substep.time, substep.length, arriving, state)
    return _Progress(state, substep.done, fired.plus(new), turns + 1)
