"""`FluxShift`: the density of a network, stepped in time."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import lax
from jax.typing import ArrayLike
from jaxtyping import Array, Float, Int, PRNGKeyArray

from .._check import check
from ..grid import Grid
from ..initial import check_density
from ..model import Network
from ..solve.result import Result
from ..solve.solver import AbstractSolver, Regime, Snapshot
from .blowup import MAX_RATE, blows_up, kick_per_mass
from .coupling import AbstractCoupling, Lagged
from .flux import firing_rates, probe_firing, shift_flux
from .transport import move_weights


class DensityState(eqx.Module):
    """Density, the rates at its threshold, and how the run is going."""

    density: Float[Array, "v w"]
    rates: Float[Array, " w"]
    rate: Float[Array, ""]
    spikes: Float[Array, ""]
    result: Result
    coupling_evaluations: Int[Array, ""]
    transport_iterations: Int[Array, ""]


class FluxShift(AbstractSolver[DensityState]):
    r"""Mass-conservative, unconditionally positive and asymptotic-preserving density solver.

    Each step moves the weights by the learning flow and then solves drift, diffusion, firing and
    re-entry implicitly with the rank-one flux shift. For every time step and every $ε ≥ 0$ the
    density stays non-negative, the mass stays put to round-off, and as ε → 0 the scheme becomes
    the quasi-static one, at the same cost. Order 2 in voltage, 1 in time, 1 in weight.

    **Arguments:**

    - `grid`: the `Grid` of the density; its dtype is that of the run.
    - `coupling`: `Lagged()` (one linear solve per step) or `Implicit()` (the step's own rate, for
      stiff or strongly inhibitory networks).

    **Reference:** He, Hu, Zhou, *SIAM J. Sci. Comput.* 2022, arXiv 2109.04667; the subtraction-free
    elimination, the split learning flux and the implicit coupling are jaxnlif's.
    """

    grid: Grid
    coupling: AbstractCoupling = Lagged()

    def validate(
        self, model: Network, y0: ArrayLike, dt: ArrayLike, key: PRNGKeyArray | None
    ) -> None:
        check(
            (model.weight is None) == (self.grid.w is not None),
            "weight: give the model a weight (unstructured network) or the grid a WeightGrid "
            "(structured network), one of the two",
        )
        check_density(self.grid, y0)
        w = self.weights(model)
        t = jnp.zeros((), self.dtype)
        for name, function, argument in (
            ("drive", lambda w: model.input(t, w, t), w),
            ("learning", lambda w: w if model.learning is None else model.learning.strength(w), w),
        ):
            try:
                jax.eval_shape(function, argument)
            except (ValueError, TypeError) as error:
                raise ValueError(
                    f"{name}: must return values for the {w.shape[0]} weights of the grid ({error})"
                ) from None

    def weights(self, model: Network) -> Float[Array, " w"]:
        """The synaptic weight of each column: cell centres, or the one weight of the model."""
        if self.grid.w is None:
            return jnp.asarray(model.weight, self.dtype)[None]
        return jnp.asarray(self.grid.w.centers, self.dtype)

    def init(
        self, model: Network, t0: Array, y0: ArrayLike, key: PRNGKeyArray | None
    ) -> DensityState:
        density = jnp.asarray(y0, self.dtype)
        rate = jnp.zeros((), self.dtype)
        for _ in range(2):  # the flux through the threshold depends, weakly, on the rate itself
            mu, noise = model.input(t0, self.weights(model), rate), model.diffusion(rate)
            rates = firing_rates(self.grid.v, mu, noise, density[-1])
            rate = self._network_rate(rates)
        zero, none = jnp.zeros((), self.dtype), jnp.zeros((), jnp.int32)
        return DensityState(density, rates, rate, zero, Result.completed, none, none)

    def step(self, model: Network, t: Array, dt: Array, state: DensityState) -> DensityState:
        w = self.weights(model)
        density, moves = state.density, state.transport_iterations
        if model.learning is not None:
            strength = model.learning.strength(w)
            density, new = move_weights(self.grid, density, state.rates, state.rate, strength, dt)
            moves = moves + new

        kappa = model.epsilon / dt
        seen = self.coupling(
            lambda rate: self._network_rate(self._advance(model, t + dt, kappa, density, rate)[1]),
            self._probe(*_frozen((model, t + dt, kappa, density))),
            state.rate,
        )
        # A run ends beyond MAX_RATE; the bound keeps its last state finite.
        felt = jnp.minimum(seen.rate, MAX_RATE)
        density, rates = self._advance(model, t + dt, kappa, density, felt)
        rate = self._network_rate(rates)
        return DensityState(
            density=density,
            rates=rates,
            rate=rate,
            spikes=state.spikes + rate * dt,
            result=self._outcome(*_frozen((model, kappa, density, rate)), seen.found),
            coupling_evaluations=state.coupling_evaluations + seen.evaluations,
            transport_iterations=moves,
        )

    def _advance(self, model, t, kappa, density, rate) -> tuple[Array, Array]:
        """Density and rates after a step in which the neurons see `rate`."""
        v, noise = self.grid.v, model.diffusion(rate)
        mu = model.input(t, self.weights(model), rate)
        density = shift_flux(v, kappa, mu, noise, density)
        return density, firing_rates(v, mu, noise, density[-1])

    def _probe(self, model, t, kappa, density):
        """The network rate after such a step, by the forward sweep alone."""

        def probe(rate):
            mu, noise = model.input(t, self.weights(model), rate), model.diffusion(rate)
            return self._network_rate(probe_firing(self.grid.v, kappa, mu, noise, density))

        return probe

    def _network_rate(self, rates: Array) -> Array:
        return jnp.sum(rates) * self.grid.weight_spacing

    def _outcome(self, model, kappa, density, rate, found) -> Result:
        resolved = kappa > 0
        duration = jnp.where(resolved, 1 / jnp.where(resolved, kappa, 1), jnp.inf)
        kick = kick_per_mass(model.response, self.weights(model))
        finite = jnp.isfinite(rate)
        lost = blows_up(self.grid, density, rate, kick, duration) | ~found
        why = Result.where(resolved, Result.blow_up, Result.no_self_consistent_rate)
        ended = Result.where(finite, why, Result.non_finite)
        return Result.where(finite & ~lost, Result.completed, ended)

    def observe(self, state: DensityState) -> Snapshot:
        return Snapshot(
            rate=state.rate,
            rates=state.rates,
            weights=self.grid.weight_density(state.density),
            density=state.density,
            spikes=state.spikes,
            refractory=jnp.zeros((), self.dtype),
            regime=jnp.asarray(Regime.density, jnp.int32),
        )

    def result(self, state: DensityState) -> Result:
        return state.result

    def iterations(self, state: DensityState) -> dict[str, Array]:
        return {
            "coupling_evaluations": state.coupling_evaluations,
            "transport_iterations": state.transport_iterations,
        }


def _frozen(tree: Any) -> Any:
    """The same values, through which no derivative flows."""
    return jax.tree.map(lambda x: lax.stop_gradient(x) if eqx.is_array(x) else x, tree)
