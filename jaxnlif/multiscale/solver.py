"""`MultiScale`: the density while activity is low, particles while neurons fire together."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import lax
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from .._check import check_integer
from ..density.coupling import Corrected, Lagged
from ..density.solver import DensityState, FluxShift
from ..density.voltage import frozen
from ..grid import Grid
from ..integrate.log import Log, Switch
from ..integrate.result import Result
from ..integrate.solver import AbstractSolver, Regime, Snapshot
from ..integrate.warning import WarningFlag
from ..machine.layout import Sharded
from ..model import Network
from ..particles.expectation import next_expected
from ..particles.solver import Particles, ParticlesState
from .branch import choose, once, once_in_place
from .switch import AbstractSwitch, CascadeSwitch
from .validate import check_arguments, check_network, check_spacing


class Watch(eqx.Module):
    """Everything but the density: the particles, which description is followed, the switches.

    - `calm_since`: since when activity has been below the lower threshold (learning time).
    - `sleeps`: whether the density takes over in this step.
    """

    particles: ParticlesState
    regime: Int[Array, ""]
    calm_since: Float[Array, ""]
    sleeps: Bool[Array, ""]
    switches: Log[Switch]
    key: PRNGKeyArray


class MultiScaleState(eqx.Module):
    """Both descriptions, of which one is followed."""

    density: DensityState
    watch: Watch


class MultiScale(AbstractSolver[MultiScaleState]):
    r"""The density while activity is low, particles while neurons fire together.

    The density is followed while activity is low. When the switch says so, or when the density
    blows up, particles are drawn from it by stratified sampling and take over; when activity has
    calmed down they are deposited on the grid again. Mass, mean and variance pass from one to the
    other up to $O(1/M + h^2)$, spikes are counted throughout.

    A density is noiseless where M neurons are not, which would suppress the jitter of the times
    at which they synchronise: the density carries the noise of M neurons in its place.

    **Arguments:**

    - `macro`: a `FluxShift` for the quiet times, without events of its own. A lagged rate is
      `Corrected()`: events would be late by several steps otherwise.
    - `micro`: `Particles` for the others; they take the grid of `macro`.
    - `switch`: an `AbstractSwitch`: `CascadeSwitch()` or `RateSwitch()`.
    - `substeps`: how many steps particles make in a step `dt` of the density.
    - `finite_size_noise`: whether the density carries the noise of M neurons. Without it the run
      may be differentiated.
    - `max_switches`: how many switches are recorded.

    **Raises:** `ValueError` if an argument is of another kind, `substeps` or `max_switches` no
    positive integer, or `macro` has events or neurons of its own.

    **Reference:** Z. Du, Y. Xie, Z. Zhou, arXiv 2305.05915 (2023); the stratified sampling, the
    gain of `CascadeSwitch` and the noise of the density are jaxnlif's.
    """

    macro: FluxShift
    micro: Particles
    switch: AbstractSwitch
    substeps: int = eqx.field(static=True)
    max_switches: int = eqx.field(static=True)

    def __init__(
        self,
        macro: FluxShift,
        micro: Particles,
        switch: AbstractSwitch | None = None,
        *,
        substeps: int = 1,
        finite_size_noise: bool = True,
        max_switches: int = 4096,
    ):
        switch = CascadeSwitch() if switch is None else switch
        check_arguments(macro, micro, switch, finite_size_noise)
        coupling = Corrected() if isinstance(macro.coupling, Lagged) else macro.coupling
        neurons = micro.num if finite_size_noise else None
        self.macro = replace(macro, coupling=coupling, neurons=neurons)
        self.micro = replace(micro, grid=macro.grid)
        self.switch = switch
        self.substeps = check_integer("substeps", substeps, at_least=1)
        self.max_switches = check_integer("max_switches", max_switches, at_least=1)

    @property
    def grid(self) -> Grid:  # pyright: ignore[reportIncompatibleVariableOverride]: abstract
        """The `Grid` of the density, which the particles share."""
        return self.macro.grid

    def validate(
        self, model: Network, y0: ArrayLike, dt: ArrayLike, key: PRNGKeyArray | None
    ) -> None:
        check_network(model)
        self.macro.validate(model, y0, dt, key)
        self.micro.validate(model, y0, dt, key)
        check_spacing(self.grid.v)

    def sharded(self, layout: Sharded) -> MultiScale:
        """This solver with its neurons and, along a weight axis, its density split over devices.

        **Raises:** `ValueError` if the devices do not divide them.
        """
        macro = self.macro if self.grid.w is None else self.macro.sharded(layout)
        micro = self.micro.sharded(layout)
        return eqx.tree_at(lambda solver: (solver.macro, solver.micro), self, (macro, micro))

    def init(
        self, model: Network, t0: Array, y0: ArrayLike, key: PRNGKeyArray | None
    ) -> MultiScaleState:
        assert key is not None
        own_key, macro_key, micro_key = jax.random.split(key, 3)
        zero, none = jnp.zeros((), self.dtype), jnp.zeros((), jnp.int32)
        watch = Watch(
            particles=self._unused_particles(frozen(model), frozen(t0), micro_key),
            regime=jnp.asarray(Regime.density, jnp.int32),
            calm_since=jnp.asarray(t0, self.dtype),
            sleeps=jnp.zeros((), bool),
            switches=Log.empty(Switch(zero, none, zero), self.max_switches),
            key=own_key,
        )
        return MultiScaleState(self.macro.init(model, t0, y0, macro_key), watch)

    def start(
        self, model: Network, t0: Array, dt: Array, state: MultiScaleState
    ) -> MultiScaleState:
        return replace(state, density=self.macro.start(model, t0, dt, state.density))

    def _unused_particles(self, model: Network, t0: Array, key: PRNGKeyArray) -> ParticlesState:
        """Particles before any are drawn, all at the reset potential."""
        at_reset = jnp.full(self.micro.num, self.grid.v.reset, self.dtype)
        y0 = at_reset if self.grid.w is None else (at_reset, jnp.zeros_like(at_reset))
        return self.micro.init(model, t0, y0, key)

    def step(self, model: Network, t: Array, dt: Array, state: MultiScaleState) -> MultiScaleState:
        density, calm = self._calm_step(model, t, dt, state.density, state.watch.regime)
        return self._restless_step(model, t, dt, MultiScaleState(density, state.watch), ~calm)

    def advance(
        self, model: Network, t0: Array, dt: Array, state: MultiScaleState, n: Array, stop: Array
    ) -> tuple[MultiScaleState, Array]:
        """As `AbstractSolver.advance`, from `t0` and step `n` to `stop`.

        Calm steps run in a loop of their own, which costs what the density alone costs.
        """

        def calm_steps(state: MultiScaleState, n: Array) -> tuple[MultiScaleState, Array, Array]:
            def step(carry: tuple[DensityState, Array, Array]) -> tuple[DensityState, Array, Array]:
                density, n, _ = carry
                density, calm = self._calm_step(model, t0 + n * dt, dt, density, state.watch.regime)
                return density, n + calm, calm

            def unfinished(carry: tuple[DensityState, Array, Array]) -> Bool[Array, ""]:
                density, n, calm = carry
                return calm & (n < stop) & (self.macro.result(density) == Result.completed)

            quiet = state.watch.regime == Regime.density
            density, n, calm = lax.while_loop(unfinished, step, (state.density, n, quiet))
            return MultiScaleState(density, state.watch), n, ~calm

        def steps(carry: tuple[MultiScaleState, Array]) -> tuple[MultiScaleState, Array]:
            state, n, restless = calm_steps(*carry)
            return self._restless_step(model, t0 + n * dt, dt, state, restless), n + restless

        def unfinished(carry: tuple[MultiScaleState, Array]) -> Bool[Array, ""]:
            state, n = carry
            return (n < stop) & (self.result(state) == Result.completed)

        return lax.while_loop(unfinished, steps, (state, n))

    def _calm_step(
        self, model: Network, t: Array, dt: Array, state: DensityState, regime: Array
    ) -> tuple[DensityState, Bool[Array, ""]]:
        """The density after a step, where it is followed, calm, and does not blow up in it; and
        whether that is so. If not, it is that from before the step."""
        quiet = regime == Regime.density
        calm = quiet & (self._gain_of_density(*frozen((model, state))) < self.switch.up)
        density = once(calm, lambda old: self.macro.step(model, t, dt, old), state)
        calm = calm & (self.macro.result(density) != Result.blow_up)
        return choose(calm, density, state), calm

    def _restless_step(
        self, model: Network, t: Array, dt: Array, state: MultiScaleState, restless: Array
    ) -> MultiScaleState:
        """The state after a step of the particles, which are deposited if they have calmed down."""
        model, density = frozen((model, state.density))

        def follow(watch: Watch) -> Watch:
            return self._follow(model, t, dt, self._wake(model, t, dt, density, watch))

        watch = once_in_place(restless, follow, state.watch)
        density = once(
            restless & watch.sleeps,
            lambda old: self._deposit(model, t + dt, dt, watch.particles, old),
            state.density,
        )
        return MultiScaleState(density, watch)

    def _wake(
        self, model: Network, t: Array, dt: Array, density: DensityState, watch: Watch
    ) -> Watch:
        """The watch with particles, which are drawn from the density where none were followed."""
        fresh, regime = watch.regime == Regime.density, jnp.asarray(Regime.particles, jnp.int32)
        gain = self._gain_of_density(model, density)
        key, draw = jax.random.split(watch.key)
        return replace(
            watch,
            particles=once_in_place(
                fresh, lambda old: self._draw(model, t, dt, density, old, draw), watch.particles
            ),
            calm_since=jnp.where(fresh, t, watch.calm_since),
            switches=watch.switches.append(fresh, Switch(t, regime, gain)),
            key=key,
        )

    def _follow(self, model: Network, t: Array, dt: Array, watch: Watch) -> Watch:
        """The watch after a step of the density, which the particles make in steps of their own."""
        step, end = dt / self.substeps, t + dt
        particles = lax.fori_loop(
            0,
            self.substeps,
            lambda n, state: self.micro.step(model, t + n * step, step, state),
            watch.particles,
        )
        gain = self._gain_of_particles(model, particles)
        restless = gain > self.switch.down
        calm_since = jnp.where(restless, end, watch.calm_since)
        # Particles that ended stay, for the result to say why.
        going = self.micro.result(particles) == Result.completed
        sleeps = ~restless & (end - calm_since >= self.switch.dwell) & going
        regime = jnp.where(sleeps, Regime.density, Regime.particles).astype(jnp.int32)
        switches = watch.switches.append(sleeps, Switch(end, regime, gain))
        return Watch(particles, regime, calm_since, sleeps, switches, watch.key)

    def _gain_of_density(self, model: Network, state: DensityState) -> Array:
        kick = model.connections.kick(self.macro.weights(model))
        return self.switch.of_density(self.grid, state.density, state.rate, kick)

    def _gain_of_particles(self, model: Network, state: ParticlesState) -> Array:
        kick = model.connections.kick(self.micro.weights(model, state))
        return self.switch.of_particles(self.grid, state.potentials, state.rate, kick)

    def _draw(
        self,
        model: Network,
        t: Array,
        dt: Array,
        density: DensityState,
        old: ParticlesState,
        key: PRNGKeyArray,
    ) -> ParticlesState:
        """Particles from the density; records and counts go on."""
        new = self.micro.init(model, t, density.density, key)
        share = density.rate * dt / (model.epsilon * self.substeps)
        kick = jnp.max(model.connections.kick(self.macro.weights(model)))
        jump = kick * share / (self.grid.v.threshold - self.grid.v.reset)
        return replace(
            new,
            expected=next_expected(share, jump),
            rate=density.rate,
            spikes=density.spikes,
            cascade_rounds=old.cascade_rounds,
            events=old.events,
            raster=old.raster,
            long_step=old.long_step,
        )

    def _deposit(
        self, model: Network, t: Array, dt: Array, particles: ParticlesState, old: DensityState
    ) -> DensityState:
        """The density of the particles; records and counts go on."""
        key = None if old.key is None else jax.random.fold_in(old.key, 0)
        new = self.macro.init(model, t, self.micro.observe(particles).density, key)
        new = self.macro.start(model, t, dt, new)
        return replace(
            new,
            spikes=particles.spikes,
            substeps=old.substeps,
            coupling_evaluations=old.coupling_evaluations,
            transport_iterations=old.transport_iterations,
            walls=old.walls,
        )

    def observe(self, state: MultiScaleState) -> Snapshot:
        return lax.cond(
            state.watch.regime == Regime.density,
            lambda: self.macro.observe(state.density),
            lambda: self.micro.observe(state.watch.particles),
        )

    def result(self, state: MultiScaleState) -> Result:
        quiet = state.watch.regime == Regime.density
        return Result.where(
            quiet, self.macro.result(state.density), self.micro.result(state.watch.particles)
        )

    def unresolved(
        self,
        model: Network,
        dt: Array,
        state: MultiScaleState,
        ts: Array,
        rate: Array,
        rates: Array,
    ) -> Bool[Array, " flags"]:
        return self.macro.unresolved(model, dt, state.density, ts, rate, rates)

    def advice(self, flag: WarningFlag, solution: Any) -> str:
        return self.macro.advice(flag, solution)

    def warnings(self, state: MultiScaleState) -> Bool[Array, " flags"]:
        return self.macro.warnings(state.density) | self.micro.warnings(state.watch.particles)

    def iterations(self, state: MultiScaleState) -> dict[str, Array]:
        return self.macro.iterations(state.density) | self.micro.iterations(state.watch.particles)

    def logs(self, state: MultiScaleState) -> dict[str, Log]:
        return self.micro.logs(state.watch.particles) | {"switches": state.watch.switches}

    def differentiable_from(self, state: MultiScaleState) -> Array:
        never = jnp.asarray(-jnp.inf, self.dtype)
        switches = state.watch.switches
        last = jnp.where(switches.count > 0, switches.last().time, never)
        unknown = switches.overflowed | (state.watch.regime == Regime.particles)
        last = jnp.where(unknown, jnp.inf, last)
        return jnp.maximum(last, self.macro.differentiable_from(state.density))
