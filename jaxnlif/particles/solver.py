"""`Particles`: every neuron of a network, stepped in time."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Float, PRNGKeyArray

from .._check import check, check_integer, check_key
from .._sum import Sum
from ..grid import Grid
from ..integrate.log import Event, Log, Spike
from ..integrate.result import Result
from ..integrate.solver import AbstractSolver, Regime, Snapshot
from ..integrate.warning import WarningFlag, no_warnings
from ..machine.layout import ONE_DEVICE, AbstractLayout, Sharded, with_layout
from ..model import Network
from ..model.synapse import is_event, visible_jump
from .alike import AbstractNeurons, Alike
from .arguments import check_beginning, check_network, check_num
from .draws import normal_and_uniform
from .expectation import next_expected
from .histogram import deposit, weight_counts
from .motion import Draws, motion_of
from .rest import Spikes, nobody_rests, resting_in
from .restart import AbstractReset, Hold, kicked
from .sampling import sampled
from .several import Several
from .state import InARow, ParticlesState

# Time stands still when so many steps on end have an event, or make nearly everybody fire.
_CONSECUTIVE_EVENTS = 50
_CONSECUTIVE_BURSTS = 4
_EVERYBODY = 0.9
# The most of the neurons that may fire by themselves in a step, two steps on end: spikes of one
# neuron and kicks between them within a step are not told apart.
_MOST = 0.3


class Particles(AbstractSolver[ParticlesState]):
    r"""The neurons themselves, with their noise and the events in which they fire together.

    $$dX_i = (-X_i + I(w_i, t))\,dt + \sqrt{2a}\,dB_i + \frac{w_i}{M} \sum_{j,k} δ(t - τ_j^k)$$

    in membrane time; a neuron fires at $V_F$ and restarts at $V_R$. Each step is an exact
    Ornstein–Uhlenbeck transition of a leaky neuron (of others, the part of the drift that is no
    leak is split off), finds spikes inside the step by a Brownian bridge, and lets neurons that
    fired live the rest of it. Where σ grows in proportion to N and there is no delay, spikes kick
    at once: the spikes expected from the last step act as a drift, the difference from those that
    come acts at the end, and whoever it carries over the threshold fires in the same step. With any
    other σ, or a delay, the coupling is the drift $w_i\,σ(\bar N)$ of the last step's (delayed)
    rate, and there are no events. First order in time; a run in which more than three tenths of the
    neurons fire by themselves in a step, two steps on end, is warned of as `long_step`.

    Of populations, a spike of one of the $M_l$ neurons of population l moves those of k by
    $b_{kl}/(τ_k M_l)$ at once, where there is neither delay nor filter; otherwise neurons feel the
    (delayed, filtered) rates as the density does. In a cascade $m_k$, the part of each population
    that fires, grows to $\max(m_k, m_{0,k} + \#\{i ∈ k: X_i + \sum_l b_{kl} m_l/τ_k ≥ V_F\}/M_k)$
    until no more neurons reach the threshold: excitatory kicks carry the event, inhibitory ones act
    in it. It is an event if it is one for any of the populations.

    **Arguments:**

    - `num`: number of neurons $M ≥ 2$; of k populations one for each, a tuple such as
      `Circuit.sizes`. Neurons are numbered through, population after population.
    - `grid`: the `Grid` whose threshold, reset and dtype are those of the run, and on which the
      density of the neurons is observed; `MultiScale` fills in its own.
    - `reset`: where neurons restart that fire together, `Hold()` or `Shift()`.
    - `raster`: how many neurons, evenly spread over their numbers, have their spikes recorded.
    - `max_events`: room for so many multiple firing events; the run ends beyond it.
    - `raster_capacity`: room for so many recorded spikes; later ones are lost.
    - `layout`: where the neurons lie, which `solve(..., sharding=)` fills in.

    `y0` may be a density on the grid, sampled by `stratified`; the potentials `(m,)`; or, in a
    structured network, potentials and weights, two arrays `(m,)`. Neurons sampled from a density
    are in the order of their weights, then of their potentials. Potentials of populations with
    thresholds of their own are in units of the grid. No derivative flows through spikes.

    **Raises:** `ValueError` if a number is not an integer in its range, `raster` exceeds `num`, or
    `reset` is of another kind.

    **Reference:** Z. Du, Y. Xie, Z. Zhou, arXiv 2305.05915 (2023); the exact transition, the
    bridge, the expected kicks and the coupled re-entry are jaxnlif's.
    """

    num: int | tuple[int, ...] = eqx.field(static=True)
    grid: Grid
    reset: AbstractReset
    raster: int = eqx.field(static=True)
    max_events: int = eqx.field(static=True)
    raster_capacity: int = eqx.field(static=True)
    layout: AbstractLayout

    def __init__(
        self,
        num: int | tuple[int, ...],
        grid: Grid | None = None,
        *,
        reset: AbstractReset | None = None,
        raster: int = 0,
        max_events: int = 4096,
        raster_capacity: int = 100_000,
        layout: AbstractLayout = ONE_DEVICE,
    ):
        self.num = check_num(num)
        self.grid = cast(Grid, grid)  # `validate` requires one, `MultiScale` fills it in
        self.reset = Hold() if reset is None else reset
        check(
            isinstance(self.reset, AbstractReset),
            f"reset = {reset!r}: must be Hold() or Shift()",
        )
        self.raster = check_integer("raster", raster, at_least=0)
        check(
            self.raster <= self.neurons.num,
            f"raster = {raster}: must not exceed num = {self.neurons.num}",
        )
        self.max_events = check_integer("max_events", max_events, at_least=1)
        self.raster_capacity = check_integer("raster_capacity", raster_capacity, at_least=1)
        self.layout = layout

    def validate(self, model: Network, y0: Any, dt: ArrayLike, key: PRNGKeyArray | None) -> None:
        check(
            isinstance(self.grid, Grid),
            "grid: Particles(num, grid) needs one, for its threshold, reset and dtype",
        )
        check_key(key)
        check_network(self.grid, self.num, model, dt)
        check_beginning(self.grid, self.neurons.num, y0)

    @property
    def neurons(self) -> AbstractNeurons:
        """Of which population each neuron is."""
        return Several(self.num) if isinstance(self.num, tuple) else Alike(self.num)

    def sharded(self, layout: Sharded) -> Particles:
        if isinstance(self.num, tuple):
            raise ValueError("sharding: Particles of several populations stay on one device")
        layout.check_divides("num of Particles", self.num)
        return with_layout(self, layout)

    def init(self, model: Network, t0: Array, y0: Any, key: PRNGKeyArray | None) -> ParticlesState:
        assert key is not None
        draw, later = jax.random.split(key)
        if isinstance(y0, tuple):
            potentials, weights = (jnp.asarray(values, self.dtype) for values in y0)
        elif jnp.ndim(y0) == 1:
            potentials, weights = jnp.asarray(y0, self.dtype), None
        else:
            density = jnp.asarray(y0, self.dtype)
            potentials, weights = sampled(self.grid, density, self.num, draw, self.layout)
        zero, none = jnp.zeros((), self.dtype), jnp.zeros((), jnp.int32)
        silent = self.neurons.zeros(self.dtype)
        never = self.neurons.count(jnp.zeros(self.neurons.num, bool))
        raster = Log.empty(Spike(zero, none), self.raster_capacity) if self.raster else None
        state = ParticlesState(
            potentials=potentials,
            weights=weights,
            fired=None if weights is None else jnp.zeros(self.neurons.num, bool),
            resting=nobody_rests(model, potentials),
            key=later,
            expected=silent,
            rate=silent,
            memory=model.connections.start(jnp.atleast_1d(silent)),
            spikes=Sum.zero(silent),
            result=Result.completed,
            in_a_row=InARow(none, never, never),
            cascade_rounds=none,
            events=Log.empty(Event(zero, silent), self.max_events),
            raster=raster,
            long_step=jnp.zeros((), bool),
        )
        return self._split(state)

    def _split(self, state: ParticlesState) -> ParticlesState:
        """The state with every neuron where it belongs."""
        neurons = state.potentials, state.weights, state.fired, state.resting
        potentials, weights, fired, resting = self.layout.split(neurons)
        return replace(state, potentials=potentials, weights=weights, fired=fired, resting=resting)

    def step(self, model: Network, t: Array, dt: Array, state: ParticlesState) -> ParticlesState:
        v, neurons, synapse = self.grid.v, self.neurons, model.connections
        key, draw = jax.random.split(state.key)
        duration = dt / model.epsilon
        weights = self.weights(model, state)
        kick = neurons.kick(v, model, weights)
        signals = self._felt(model, dt, duration, kick, state)
        # Spikes that kick are expected below, and no part of the input.
        membrane, drive, noise = neurons.given(v, model, t + dt / 2, weights, signals)

        step, period = (neurons.membrane_times(model, x) for x in (dt, model.rest.duration))
        resting = resting_in(step, period, state.resting)
        draws = self._draws(model, draw, duration)
        motion = motion_of(v, membrane, drive, noise, resting.awake, draws)
        moved = motion.move(state.potentials)
        gain = motion.lift / step
        expected = neurons.expected(moved.margin, kick, gain, state.expected)
        lift = neurons.moved(kick, expected, gain)
        fired = moved.margin + lift > 0
        spikes = Spikes(moved, moved.potentials + lift, lift, fired)
        potentials = resting.restarted(motion, spikes)

        free = resting.free(fired)
        together = neurons.together(potentials, fired, free, kick, expected, v.threshold)
        share = neurons.share(together.count, self.dtype)
        unexpected = neurons.moved(kick, share - expected)
        potentials = kicked(v, self.reset, potentials, fired, together.carried, unexpected)
        jump, gap = neurons.jump(kick, share), v.threshold - v.reset
        # Whether the spikes carried themselves, by the rule of the density.
        alone = neurons.count(fired)
        event = jnp.any(is_event(together.count, alone, jump, visible_jump(gap)))
        potentials, left = resting.after(motion, spikes, together.carried, potentials)

        events = state.events.append(event, Event(t + dt, share))
        in_a_row = InARow(
            events=jnp.where(event, state.in_a_row.events + 1, 0),
            bursts=jnp.where(share > _EVERYBODY, state.in_a_row.bursts + 1, 0),
            crowded=jnp.where(
                neurons.share(alone, self.dtype) > _MOST, state.in_a_row.crowded + 1, 0
            ),
        )
        rate = share / duration
        fired = fired | together.carried
        new = ParticlesState(
            potentials=potentials,
            weights=state.weights,
            fired=None if state.weights is None else fired,
            resting=left,
            key=key,
            expected=jnp.where(event, 0, next_expected(share, jnp.max(jump) / gap)),
            rate=rate,
            memory=synapse.record(state.memory, jnp.atleast_1d(rate), dt),
            spikes=state.spikes.plus(rate * dt),
            result=_outcome(potentials, events, in_a_row),
            in_a_row=in_a_row,
            cascade_rounds=state.cascade_rounds + together.rounds,
            events=events,
            raster=self._record(state.raster, fired, t + dt),
            long_step=state.long_step | jnp.any(in_a_row.crowded >= 2),
        )
        return self._split(new)

    def _draws(self, model: Network, key: PRNGKeyArray, duration: Float[Array, ""]) -> Draws:
        """The random numbers of a step, where it has a length."""
        normal, uniform = self.layout.split(normal_and_uniform(key, self.neurons.num, duration > 0))
        if model.membrane.linear:
            return Draws(normal, uniform)
        more = normal_and_uniform(jax.random.fold_in(key, 1), self.neurons.num, duration > 0)
        return Draws(normal, uniform, self.layout.split(more[0]))

    def weights(self, model: Network, state: ParticlesState) -> Float[Array, " w"]:
        """The weight of every neuron, shape `(m,)`, or the one weight of all, `(1,)` (weight).

        0 of populations, whose weights are between them, `(k,)`.
        """
        if isinstance(self.num, tuple):
            return self.neurons.zeros(self.dtype)
        if state.weights is None:
            return jnp.asarray(model.connections.weight, self.dtype)[None]
        return state.weights

    def _felt(
        self, model: Network, dt: Array, duration: Array, kick: Any, state: ParticlesState
    ) -> Float[Array, " s"]:
        """The signals that are felt during the step, by coupling and noise.

        Those of kicks are what is expected.
        """
        if kick is None or model.connections.delayed:
            return model.connections.seen(state.memory, dt)
        kicks = jnp.any(kick != 0)
        return jnp.atleast_1d(jnp.where(kicks, state.expected / duration, state.rate))

    def _record(
        self, raster: Log[Spike] | None, fired: Bool[Array, " m"], time: Float[Array, ""]
    ) -> Log[Spike] | None:
        if raster is None:
            return None
        chosen = (2 * np.arange(self.raster) + 1) * self.neurons.num // (2 * self.raster)
        rows = Spike(jnp.full(self.raster, time), jnp.arange(self.raster, dtype=jnp.int32))
        return raster.extend(fired[chosen], rows)

    def observe(self, state: ParticlesState) -> Snapshot:
        neurons, silent = self.neurons, self.neurons.zeros(self.dtype)
        awake = None if state.resting is None else state.resting <= 0
        rates = jnp.atleast_1d(state.rate)
        weights = jnp.ones_like(rates)
        if state.weights is not None and state.fired is not None:
            everybody = jnp.ones(neurons.num, bool)
            sent = weight_counts(self.grid, state.weights, state.fired)
            share = sent / jnp.maximum(jnp.sum(sent), 1)
            rates = state.rate * (share / self.grid.weight_spacing).astype(self.dtype)
            weights = weight_counts(self.grid, state.weights, everybody)
            weights = weights.astype(self.dtype) / (neurons.num * self.grid.weight_spacing)
        rest = silent if awake is None else neurons.share(neurons.count(~awake), self.dtype)
        return Snapshot(
            rate=state.rate,
            rates=rates,
            weights=weights,
            density=deposit(self.grid, state.potentials, state.weights, awake, neurons),
            spikes=state.spikes.total,
            refractory=rest,
            regime=jnp.asarray(Regime.particles, jnp.int32),
        )

    def result(self, state: ParticlesState) -> Result:
        return state.result

    def warnings(self, state: ParticlesState) -> Bool[Array, " flags"]:
        return no_warnings().at[WarningFlag.long_step].set(state.long_step)

    def iterations(self, state: ParticlesState) -> dict[str, Array]:
        return {"cascade_rounds": state.cascade_rounds}

    def logs(self, state: ParticlesState) -> dict[str, Log]:
        raster = {} if state.raster is None else {"raster": state.raster}
        return {"events": state.events, **raster}

    def differentiable_from(self, state: ParticlesState) -> Float[Array, ""]:
        return jnp.asarray(jnp.inf, self.dtype)


def _outcome(potentials: Float[Array, " m"], events: Log[Event], in_a_row: InARow) -> Result:
    stands_still = (in_a_row.events >= _CONSECUTIVE_EVENTS) | (
        jnp.any(in_a_row.bursts >= _CONSECUTIVE_BURSTS)
    )
    exceeded = events.overflowed | stands_still
    finite = jnp.isfinite(jnp.sum(potentials))
    ended = Result.where(finite, Result.event_budget_exceeded, Result.non_finite)
    return Result.where(finite & ~exceeded, Result.completed, ended)
