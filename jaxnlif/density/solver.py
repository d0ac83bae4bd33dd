"""`FluxShift`: the density of a network, stepped in time."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from .._check import check, check_integer
from .._sum import Sum
from ..execution import AUTOMATIC, AbstractExecution
from ..grid import Grid
from ..integrate.log import Log
from ..integrate.result import Result
from ..integrate.solver import AbstractSolver, Regime, Snapshot
from ..integrate.warning import WarningFlag, no_warnings
from ..machine.layout import ONE_DEVICE, AbstractLayout, Sharded, with_layout
from ..machine.machine import Machine
from ..model import Network
from ..stretched import stretched
from .advice import advice
from .blowup import MAX_RATE
from .coupling import AbstractCoupling, Implicit, Lagged, not_lagged
from .cycle import watch, watched
from .events import AbstractEvents, Cascade, NoEvents, Together
from .finite import AbstractSize, Finite, Infinite
from .held import Arriving, arriving_in, nothing_sent, recorded
from .outcome import outcome
from .part import begun_part, with_first_rates
from .reentry import AtOnce
from .resolution import discretisation_errors, neurons_at, warnings
from .scheme import AbstractScheme, Euler
from .start import crossing_rates
from .state import DensityState
from .step_size import AbstractStepSize, Situation
from .substep import lookup_time
from .transport import AbstractTransport
from .upwind import Upwind
from .validate import check_arguments, check_kinds, check_network
from .voltage import VoltageStep
from .walls import Walls

_INFINITE = Infinite()


def _as_count(neurons: Any) -> Int[Array, ""] | None:
    return None if neurons is None else jnp.asarray(check_integer("neurons", neurons, at_least=1))


class FluxShift(AbstractSolver[DensityState]):
    r"""Mass-conservative, unconditionally positive and asymptotic-preserving density solver.

    Each step moves the weights by the learning flow and then solves drift, diffusion, firing and
    re-entry implicitly with the rank-one flux shift. For every time step and every $ε ≥ 0$ the
    density stays non-negative, the mass stays put to round-off, and as ε → 0 the scheme becomes
    the quasi-static one, at the same cost. With a refractory period density and resting neurons
    together keep the mass. Order 2 in voltage, and 1 in time and weight, or 2 if asked for.

    **Arguments:**

    - `grid`: the `Grid` of the density; its dtype is that of the run.
    - `coupling`: `Lagged()`, one linear solve per step, or `Implicit()`, the rate of the step
      itself, for stiff or strongly inhibitory networks. With `events` a lagged rate is
      `Corrected()`.
    - `events`: `None` ends a run that blows up; `Cascade()` lets neurons fire together and goes on.
    - `neurons`: the number M of neurons whose finite size is felt: the rate that neurons see in a
      step is that of Poisson($M \bar N Δt/ε$) spikes of M neurons; needs a key. Density, rates and
      spike counts remain those of the expected flux. It carries the noise of these kicks only, as
      if neurons were Poisson processes (`Particles` are regular or burst). `None` for the limit of
      many. Derivatives are those with the spikes held as they were drawn.
    - `transport`: the scheme by which weights move, `Upwind()` or, of order 2, `Limited()`.
    - `scheme`: the scheme in time, `Euler()` or, of order 2, `BDF2()`.
    - `step_size`: how steps of the run are divided, an `AbstractStepSize`; by default as events ask
      for, and not at all without.
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
    transport: AbstractTransport = eqx.field(default=Upwind(), kw_only=True)
    scheme: AbstractScheme = eqx.field(default=Euler(), kw_only=True)
    step_size: AbstractStepSize | None = eqx.field(default=None, kw_only=True)
    execution: AbstractExecution = eqx.field(default=AUTOMATIC, kw_only=True)
    layout: AbstractLayout = eqx.field(default=ONE_DEVICE, kw_only=True)

    def __check_init__(self):
        check_kinds(
            self,
            grid=(Grid, "a Grid"),
            coupling=(AbstractCoupling, "a coupling such as Lagged()"),
            events=(Cascade | None, "Cascade(...) or None"),
            execution=(AbstractExecution, "an execution such as execution.LogDepth()"),
            transport=(AbstractTransport, "a transport such as Upwind()"),
            scheme=(AbstractScheme, "a scheme such as BDF2()"),
            step_size=(AbstractStepSize | None, "a step size such as FixedStep(), or None"),
        )
        check(
            self.events is None or not isinstance(self.coupling, Implicit),
            "coupling = Implicit(): finds no rate where neurons fire together; with events, "
            "leave it Lagged()",
        )

    def validate(
        self, model: Network, y0: ArrayLike, dt: ArrayLike, key: PRNGKeyArray | None
    ) -> None:
        self.execution.validate()
        check_arguments(self.grid, model, y0, dt)
        check_network(self, model, dt)
        if self.step_size is not None:
            self.step_size.validate(self, model)
        self._size.validate(key)

    def sharded(self, layout: Sharded) -> FluxShift:
        check(
            self.grid.w is not None,
            "sharding: a density without a weight axis has one column, or one for each population, "
            "which stay on one device",
        )
        layout.check_divides("num of the WeightGrid", self.grid.shape[1])
        return with_layout(self, layout)

    def weights(self, model: Network) -> Float[Array, " w"]:
        """The synaptic weight of each column, shape `(w,)` (weight).

        They are the cell centres, or the one weight of the model; 0 of populations, whose weights
        are between them.
        """
        if self.grid.populations is not None:
            return jnp.zeros(self.grid.populations, self.dtype)
        if self.grid.w is None:
            return jnp.asarray(model.connections.weight, self.dtype)[None]
        return jnp.asarray(self.grid.w.centers, self.dtype)

    def init(
        self, model: Network, t0: Array, y0: ArrayLike, key: PRNGKeyArray | None
    ) -> DensityState:
        density = self.machine.layout.split(jnp.asarray(y0, self.dtype))
        synapse = model.connections
        zero, none = jnp.zeros((), self.dtype), jnp.zeros((), jnp.int32)
        nothing = Arriving(None, AtOnce())
        step = replace(self.voltage_step(model, t0, zero + 1, nothing, density), kappa=zero)

        rate, rates = crossing_rates(step, known=synapse.delayed)
        silent = jnp.zeros_like(rate)
        state = DensityState(
            density=density,
            rates=rates,
            rate=rate,
            spikes=Sum.zero(silent),
            refractory=silent,
            sent=nothing_sent(model, self.scheme.order, jnp.atleast_1d(rate)),
            resting=model.rest.start(rates),
            events=self._events.log(self.grid),
            key=self._size.key(key),
            result=Result.completed,
            substeps=none,
            coupling_evaluations=none,
            transport_iterations=none,
            walls=Walls.untouched(self.grid),
            alternation=watch(self._coupling(model), model, rate),
            debt=self._size.debt(self._coupling(model), synapse.delayed, self.dtype),
            adapted=None if model.adaptation is None else model.adaptation.start(silent),
            past=self.scheme.start(self.grid, density, silent, learns=model.plasticity.moves),
        )
        return self._split(self._steps(model).started(state, t0, zero))

    def start(self, model: Network, t0: Array, dt: Array, state: DensityState) -> DensityState:
        steps = self._steps(model)
        dt = steps.first(model, dt)
        arriving = arriving_in(model, self.scheme, dt, state)
        time = lookup_time(t0, dt, model.jumps().astype(dt.dtype))
        state = with_first_rates(self, model, time, dt, arriving, state)
        return self._split(steps.started(state, t0, dt))

    def step(self, model: Network, t: Array, dt: Array, state: DensityState) -> DensityState:
        arriving = arriving_in(model, self.scheme, dt, state)
        before = state.rate
        state, fired = self._steps(model).cover(self, model, t, dt, arriving, state)
        past = before, arriving
        return self._split(recorded(self.grid, model, self.scheme, dt, fired / dt, *past, state))

    def divides(self, model: Network) -> bool:
        return self._steps(model).divides

    def within(
        self, model: Network, t: Array, dt: Array, part: Array, state: DensityState
    ) -> DensityState:
        arriving = arriving_in(model, self.scheme, dt, state).at(part)
        new, _ = self._steps(model).cover(self, model, t, part * dt, arriving, state)
        if model.rest.rests:
            left = self.grid.weight_density(state.density - new.density)
            new = replace(new, refractory=state.refractory + self.grid.network_rate(left))
        return self._split(new)

    def part(
        self, model: Network, time: Array, dt: Array, arriving: Arriving, state: DensityState
    ) -> tuple[DensityState, Float[Array, " w"]]:
        r"""The state after a part of a step, and $∫N(w)\,dt$ meanwhile.

        **Arguments:** `model`; `time`, at which the drive is looked up, and `dt`, the length
        (learning time); what is `arriving` in the step; the `state` at its beginning.

        **Returns:** the state; the integral, shape `(w,)` (spikes / neuron × learning time /
        membrane time / weight).
        """
        part, state = begun_part(self, model, time, dt, arriving, state)
        begin = self.weights(model), state.density, state.rates, state.rate
        walls = state.walls or Walls.untouched(self.grid)  # none were written by older versions
        walls = walls.after_weight_step(self.grid, model.plasticity, *begin, dt)
        begun = self.scheme.begin(part, state)

        step = self.voltage_step(model, time, begun.length, arriving, begun.moved.density)
        step = replace(step, reentry=begun.reentry, fresh=begun.fresh, mass=begun.mass)
        step = self._size.owing(step, state.debt)
        seen = arriving.couple(self._coupling(model), step, begun.previous)
        # A run ends beyond MAX_RATE; the bound keeps its last state finite.
        felt = jnp.minimum(seen.signals, MAX_RATE)
        step, key = self._size.drawn(step, felt, state.key)
        fired = self._events.fire(step, felt, seen.own and self._size.infinite)
        rate = step.network_rate(fired.rates)
        spikes = fired.rates * begun.length + fired.mass * model.epsilon + begun.fired
        inputs = step.inputs(felt)
        new = DensityState(
            density=fired.density,
            rates=fired.rates,
            rate=rate,
            spikes=state.spikes.plus(step.network_rate(spikes)),
            refractory=state.refractory,
            sent=state.sent,
            resting=state.resting,
            adapted=state.adapted,
            events=self._events.logged(state.events, step, fired),
            key=key,
            result=state.result,
            substeps=state.substeps + 1,
            coupling_evaluations=state.coupling_evaluations + seen.evaluations,
            transport_iterations=state.transport_iterations + begun.moved.iterations,
            walls=walls.after_voltage_step(self.grid, model, inputs, fired.density),
            debt=self._size.debt_after(state.debt, step, felt, rate, fired.together),
            alternation=watched(state.alternation, state.rate, rate, felt, step, dt),
            past=self.scheme.after(part, begun, state, fired, spikes),
        )
        result = outcome(self._events, step, new, seen, begun.moved.converged)
        return eqx.tree_at(lambda s: s.result, new, result), spikes

    def voltage_step(
        self, model: Network, time: Array, dt: Array, arriving: Arriving, density: Array
    ) -> VoltageStep:
        """The voltage step of a time.

        **Arguments:** `model`; `time`, at which the drive is looked up, and `dt`, the length, a
        number or one for each column, shape `(w,)` (learning time); what is `arriving`; the
        `density` at the beginning, shape `(v, w)` (1 / voltage / weight).
        """
        w, kappa = self.weights(model), model.epsilon / dt
        held = {"reentry": arriving.reentry, "lowering": arriving.lowering}
        held["known"] = arriving.signals if arriving.deciding is None else None
        return VoltageStep(self.grid, model, w, time, kappa, density, machine=self.machine, **held)

    def _split(self, state: DensityState) -> DensityState:
        """The state with every column where it belongs."""
        density, rates, resting = self.layout.split((state.density, state.rates, state.resting))
        return replace(state, density=density, rates=rates, resting=resting)

    @property
    def machine(self) -> Machine:
        """How and where this solver computes."""
        return Machine(self.execution, self.layout)

    @property
    def _events(self) -> AbstractEvents:
        return NoEvents() if self.events is None else Together(self.events)

    @property
    def _size(self) -> AbstractSize:
        return _INFINITE if self.neurons is None else Finite(self.neurons)

    def _coupling(self, model: Network) -> AbstractCoupling:
        """The coupling, which with events and of neurons that adapt is not lagged."""
        coupling = self._events.coupling(self.coupling)
        coupling = coupling if model.adaptation is None else not_lagged(coupling)
        return coupling if self.events is not None else self.scheme.coupling(coupling)

    def _steps(self, model: Network) -> AbstractStepSize:
        """How the steps of a run are divided."""
        if self.step_size is not None:
            return self.step_size
        usual = self.scheme.step_size(jumps=model.jumps().size > 0)
        return self._events.step_size(usual)

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

    def reached(self, state: DensityState, t: Array) -> Array:
        if state.control is None:
            return t
        return jnp.where(state.result == Result.completed, t, state.control.end)

    def warnings(self, state: DensityState) -> Bool[Array, " flags"]:
        often = state.control is not None and state.control.place.often
        return no_warnings().at[WarningFlag.rejected_steps].set(often)

    def unresolved(
        self,
        model: Network,
        dt: Array,
        state: DensityState,
        ts: Float[Array, " k"],
        rate: Float[Array, "k *p"],
        rates: Float[Array, "k w"],
    ) -> Bool[Array, " flags"]:
        if state.walls is None:  # written by an older version
            return no_warnings()
        w = self.weights(model)
        step = self._steps(model).usual(Situation(self.grid, model, w, state.density, rate, dt))
        neurons = neurons_at(self.grid, model, w, step, ts, rate, rates)
        membrane, _ = stretched(self.grid.v, model)
        errors = discretisation_errors(self.grid, membrane, neurons, self.scheme.order)
        return warnings(errors, state.walls)

    def advice(self, flag: WarningFlag, solution: Any) -> str:
        return advice(flag, solution, self.weights(solution.model), self.scheme.order)

    def iterations(self, state: DensityState) -> dict[str, Array]:
        counts = {
            "substeps": state.substeps,
            "coupling_evaluations": state.coupling_evaluations,
            "transport_iterations": state.transport_iterations,
        }
        return counts if state.control is None else counts | state.control.counts

    def logs(self, state: DensityState) -> dict[str, Log]:
        return {} if state.events is None else {"events": state.events}

    def differentiable_from(self, state: DensityState) -> Float[Array, ""]:
        never = jnp.asarray(-jnp.inf, self.dtype)
        if state.events is None:
            return never
        return jnp.where(state.events.count > 0, state.events.last().time, never)
