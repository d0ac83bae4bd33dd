"""`MultiScale`: the density while activity is low, particles while neurons fire together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import lax
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from .._check import check, check_integer
from ..density.blowup import kick_per_mass
from ..density.coupling import Corrected, Lagged
from ..density.interval import frozen
from ..density.solver import DensityState, FluxShift
from ..grid import Grid
from ..model import Network
from ..particles.solver import Particles, ParticlesState
from ..solve.log import Log, Switch
from ..solve.result import Result
from ..solve.solver import AbstractSolver, Regime, Snapshot
from .switch import AbstractSwitch, CascadeSwitch


class MultiScaleState(eqx.Module):
    """Both descriptions, of which one is followed; when the other may take over; the switches."""

    density: DensityState
    particles: ParticlesState
    regime: Int[Array, ""]
    calm_since: Float[Array, ""]
    switches: Log[Switch]
    key: PRNGKeyArray


class MultiScale(AbstractSolver[MultiScaleState]):
    r"""The multi-scale solver of Du, Xie and Zhou (2023, arXiv 2305.05915).

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

    **Raises:** `ValueError` if `macro` has events or neurons of its own.
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
        for name, value, kind in (("macro", macro, FluxShift), ("micro", micro, Particles)):
            check(isinstance(value, kind), f"{name} = {value!r}: must be a {kind.__name__}")
        switch = CascadeSwitch() if switch is None else switch
        check(
            isinstance(switch, AbstractSwitch),
            f"switch = {switch!r}: must be a switch such as CascadeSwitch() or RateSwitch()",
        )
        check(macro.events is None, "macro: has events; particles follow them here, so leave them")
        check(macro.neurons is None, "macro: has neurons; those of micro count here, so leave them")
        coupling = Corrected() if isinstance(macro.coupling, Lagged) else macro.coupling
        neurons = micro.num if finite_size_noise else None
        self.macro = replace(macro, coupling=coupling, neurons=neurons)
        self.micro = replace(micro, grid=macro.grid)
        self.switch = switch
        self.substeps = check_integer("substeps", substeps, at_least=1)
        self.max_switches = check_integer("max_switches", max_switches, at_least=1)

    @property
    def grid(self) -> Grid:
        return self.macro.grid

    def validate(
        self, model: Network, y0: ArrayLike, dt: ArrayLike, key: PRNGKeyArray | None
    ) -> None:
        check(model.delay is None, "delay: delayed networks have no instantaneous events to follow")
        check(model.refractory is None, "refractory: must be None for a multi-scale solver")
        self.macro.validate(model, y0, dt, key)
        self.micro.validate(model, y0, dt, key)
        h, gap = self.grid.v.spacing, self.grid.v.threshold - self.grid.v.reset
        check(
            h <= gap / 15 * (1 + 1e-9),
            f"grid: spacing {h:g} must be at most {gap / 15:g}, a 15th of threshold - reset, "
            "to receive particles near the reset potential",
        )

    def init(
        self, model: Network, t0: Array, y0: ArrayLike, key: PRNGKeyArray | None
    ) -> MultiScaleState:
        assert key is not None
        key, macro_key, micro_key = jax.random.split(key, 3)
        zero, none = jnp.zeros((), self.dtype), jnp.zeros((), jnp.int32)
        return MultiScaleState(
            density=self.macro.init(model, t0, y0, macro_key),
            particles=self.micro.init(*frozen((model, t0, y0)), micro_key),
            regime=jnp.asarray(Regime.density, jnp.int32),
            calm_since=jnp.asarray(t0, self.dtype),
            switches=Log.empty(Switch(zero, none, zero), self.max_switches),
            key=key,
        )

    def step(self, model: Network, t: Array, dt: Array, state: MultiScaleState) -> MultiScaleState:
        end, (frozen_model, before) = t + dt, frozen((model, state.density))
        quiet = state.regime == Regime.density
        gain = self._gain_of_density(frozen_model, before)
        wake = quiet & (gain >= self.switch.up)
        density = _once(
            quiet & ~wake, lambda old: self.macro.step(model, t, dt, old), state.density
        )
        # A density that blows up is left to particles, from before the step.
        blown_up = quiet & ~wake & (self.macro.result(density) == Result.blow_up)
        fresh = wake | blown_up
        active = fresh | ~quiet

        key, draw = jax.random.split(state.key)
        particles = _once_in_place(
            fresh, lambda old: self._draw(frozen_model, t, dt, before, old, draw), state.particles
        )
        particles = _once_in_place(
            active, lambda old: self._follow(frozen_model, t, dt, old), particles
        )
        calmness = lax.cond(
            active, lambda: self._gain_of_particles(frozen_model, particles), lambda: gain
        )
        restless = active & (fresh | (calmness > self.switch.down))
        calm_since = jnp.where(restless, end, state.calm_since)
        sleep = active & ~restless & (end - calm_since >= self.switch.dwell)
        density = _once(
            sleep, lambda old: self._deposit(frozen_model, end, particles, old), density
        )
        switches = state.switches.append(fresh, Switch(t, Regime.particles, gain))
        return MultiScaleState(
            density=density,
            particles=particles,
            regime=jnp.where(active & ~sleep, Regime.particles, Regime.density).astype(jnp.int32),
            calm_since=calm_since,
            switches=switches.append(sleep, Switch(end, Regime.density, calmness)),
            key=key,
        )

    def _gain_of_density(self, model: Network, state: DensityState) -> Array:
        kick = kick_per_mass(model.response, self.macro.weights(model))
        return self.switch.of_density(self.grid, state.density, state.rate, kick)

    def _gain_of_particles(self, model: Network, state: ParticlesState) -> Array:
        weights = jnp.reshape(model.weight, 1) if state.weights is None else state.weights
        kick = kick_per_mass(model.response, weights)
        return self.switch.of_particles(self.grid, state.potentials, state.rate, kick)

    def _draw(
        self, model, t, dt, density: DensityState, old: ParticlesState, key
    ) -> ParticlesState:
        """Particles from the density; records and counts go on."""
        new = self.micro.init(model, t, density.density, key)
        return replace(
            new,
            expected=density.rate * dt / (model.epsilon * self.substeps),
            rate=density.rate,
            spikes=density.spikes,
            cascade_rounds=old.cascade_rounds,
            events=old.events,
            raster=old.raster,
        )

    def _follow(self, model, t, dt, particles: ParticlesState) -> ParticlesState:
        """The particles after a step of the density, in steps of their own."""
        step = dt / self.substeps
        return lax.fori_loop(
            0,
            self.substeps,
            lambda n, state: self.micro.step(model, t + n * step, step, state),
            particles,
        )

    def _deposit(self, model, t, particles: ParticlesState, old: DensityState) -> DensityState:
        """The density of the particles; records and counts go on."""
        key = None if old.key is None else jax.random.fold_in(old.key, 0)
        new = self.macro.init(model, t, self.micro.observe(particles).density, key)
        return replace(
            new,
            spikes=particles.spikes,
            substeps=old.substeps,
            coupling_evaluations=old.coupling_evaluations,
            transport_iterations=old.transport_iterations,
        )

    def observe(self, state: MultiScaleState) -> Snapshot:
        return lax.cond(
            state.regime == Regime.density,
            lambda: self.macro.observe(state.density),
            lambda: self.micro.observe(state.particles),
        )

    def result(self, state: MultiScaleState) -> Result:
        quiet = state.regime == Regime.density
        return Result.where(
            quiet, self.macro.result(state.density), self.micro.result(state.particles)
        )

    def iterations(self, state: MultiScaleState) -> dict[str, Array]:
        return self.macro.iterations(state.density) | self.micro.iterations(state.particles)

    def logs(self, state: MultiScaleState) -> dict[str, Log]:
        return self.micro.logs(state.particles) | {"switches": state.switches}

    def differentiable_from(self, state: MultiScaleState) -> Array:
        times = state.switches.rows.time
        used = jnp.arange(times.shape[0]) < state.switches.count
        last = jnp.max(jnp.where(used, times, -jnp.inf))
        return jnp.maximum(last, self.macro.differentiable_from(state.density))


def _once(when: Bool[Array, ""], change: Callable[[Any], Any], state: Any) -> Any:
    """`change(state)` where `when` holds, else `state`."""
    return lax.cond(when, change, lambda same: same, state)


def _once_in_place(when: Bool[Array, ""], change: Callable[[Any], Any], state: Any) -> Any:
    """The same for a large state that is never differentiated.

    A loop of at most one turn leaves the state where it is; a branch would copy it, which costs
    more than a step of the density.
    """
    arrays, rest = eqx.partition(state, eqx.is_array)

    def turn(carry):
        _, arrays = carry
        return jnp.zeros((), bool), eqx.filter(change(eqx.combine(arrays, rest)), eqx.is_array)

    return eqx.combine(lax.while_loop(lambda carry: carry[0], turn, (when, arrays))[1], rest)
