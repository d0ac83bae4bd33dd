"""One interval of time: what the density becomes in it, for a rate that the neurons see."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from ..execution import AUTOMATIC, AbstractExecution
from ..grid import Grid
from ..machine.layout import ONE_DEVICE, AbstractLayout
from ..model import Network
from .blowup import edge_weight, kick_per_mass
from .cells import firing_rates
from .flux import absorb_flux, probe_firing, shift_flux


class Interval(eqx.Module):
    r"""The voltage step of one interval, as functions of the network rate $\bar N$ that is seen.

    - `weights`: synaptic weights of the columns, `(w,)`.
    - `time`: when the drive is looked up; `kappa`: $ε/Δt$ (1 / membrane time).
    - `density`: $p^*$ at the beginning, `(v, w)`.
    - `inflow`: rates at which neurons return from their refractory period, `(w,)`, or `None` where
      who fires re-enters at once.
    - `extra`: what is felt besides the rate that is seen, of either sign, if anything (spikes /
      neuron / membrane time).
    - `layout`: on which devices the columns are stepped; `execution`: how.
    """

    grid: Grid
    model: Network
    weights: Float[Array, " w"]
    time: Float[Array, ""]
    kappa: Float[Array, ""]
    density: Float[Array, "v w"]
    inflow: Float[Array, " w"] | None
    layout: AbstractLayout = ONE_DEVICE
    execution: AbstractExecution = AUTOMATIC
    extra: Float[Array, ""] | None = None

    def after(
        self, rate: Array, known: Float[Array, "v w"] | None = None
    ) -> tuple[Float[Array, "v w"], Float[Array, " w"]]:
        """Density and firing rates at the end; `known`, that density if it has been found before,
        and only derivatives are missing."""
        if self.inflow is not None:
            return self._absorbed(rate, self.inflow, known)
        mu, noise = self.input(rate)
        shift = self._by_part(shift_flux, rank=2)
        density = shift(self.kappa, mu, noise, self.density, known)
        return density, firing_rates(self.grid.v, mu, noise, density[-1])

    def absorbed(self, rate: Array) -> tuple[Float[Array, "v w"], Float[Array, " w"]]:
        """The same if nobody who fires in the interval re-enters in it."""
        none = jnp.zeros_like(self.weights)
        return self._absorbed(rate, none if self.inflow is None else self.inflow)

    def firing(self, rate: Array) -> Float[Array, ""]:
        """The network rate at the end, by the upward sweep alone."""
        return self.network_rate(self.rates(rate))

    def rates(self, rate: Array) -> Float[Array, " w"]:
        """The firing rates at the end, by the upward sweep alone."""
        mu, noise = self.input(rate)
        arguments = self.kappa, mu, noise, self.density, self.inflow
        return self._by_part(probe_firing, rank=1)(*arguments)

    def input(self, rate: Array) -> tuple[Float[Array, " w"], Float[Array, ""]]:
        """Total input μ and noise a."""
        felt = rate if self.extra is None else rate + self.extra
        mu = self.model.input(self.time, self.weights, felt)
        # Kicks may be negative; noise is not.
        return mu, self.model.diffusion(jnp.where(felt < 0, 0, felt))

    def network_rate(self, rates: Array) -> Float[Array, ""]:
        r"""$\bar N = ∫N(w)\\,dw$."""
        return jnp.sum(rates) * self.grid.weight_spacing

    def mass_given(self) -> Float[Array, " w"]:
        """Mass at the beginning and what enters by itself (1 / weight)."""
        mass = self.grid.weight_density(self.density)
        return mass if self.inflow is None else mass + self.inflow / self.kappa

    def kick(self) -> Float[Array, " w"]:
        """The jump of each weight when unit mass fires at once."""
        return instantaneous_kick(self.model, self.weights)

    def edge(self, rate: Array) -> Float[Array, " w"]:
        """The weight of the layer below the threshold."""
        return edge_weight(self.grid.v, *self.input(rate))

    def _by_part(self, function: Callable[..., Array], *, rank: int) -> Callable[..., Array]:
        step = partial(function, self.grid.v, execution=self.execution)
        return self.layout.by_part(step, rank=rank)

    def _absorbed(self, rate, inflow, known=None):
        mu, noise = self.input(rate)
        absorb = self._by_part(absorb_flux, rank=2)
        density = absorb(self.kappa, mu, noise, self.density, inflow, known)
        return density, firing_rates(self.grid.v, mu, noise, density[-1])


def instantaneous_kick(model: Network, weights: Float[Array, " w"]) -> Float[Array, " w"]:
    """The jump of each weight when unit mass fires at once; none if it arrives later (voltage)."""
    if model.delay is not None:
        return jnp.zeros_like(weights)
    return kick_per_mass(model.response, weights)


def frozen(tree: Any) -> Any:
    """The same values, through which no derivative flows."""
    return jax.tree.map(lambda x: lax.stop_gradient(x) if eqx.is_array(x) else x, tree)
