"""What synapses and refractory periods hold back from one step to the next."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

from ..grid import Grid
from ..model import Network
from ..model.adaptation import Lowering
from .coupling import AbstractCoupling, Coupled, given
from .reentry import AbstractReentry, AtOnce, Later
from .resolution import in_membrane_times
from .state import DensityState
from .voltage import VoltageStep


class Arriving(NamedTuple):
    """What was sent in earlier steps: signals of a delayed synapse, neurons after their rest, and
    what adaptation does."""

    signals: Float[Array, " s"] | None
    reentry: AbstractReentry
    lowering: Lowering | None = None

    @property
    def deciding(self) -> Float[Array, " s"] | None:
        """The signals that arrive where nothing else is felt; neurons that adapt feel rates too."""
        return self.signals if self.lowering is None else None

    def couple(
        self, coupling: AbstractCoupling, step: VoltageStep, previous: Float[Array, " s"]
    ) -> Coupled:
        """The signals that are felt in a step: those that arrive, or those of the coupling."""
        known = self.deciding
        return coupling(step, previous) if known is None else given(known)


def arriving_in(model: Network, dt: Float[Array, ""], state: DensityState) -> Arriving:
    """What arrives in the step of `dt` that begins."""
    synapse, rest = model.connections, model.rest
    signals = synapse.seen(state.sent, dt) if synapse.delayed else None
    lowering = None if model.adaptation is None else model.adaptation.lowers(state.adapted, dt)
    if not rest.rests:
        return Arriving(signals, AtOnce(), lowering)
    # A step counts in membrane times.
    return Arriving(signals, Later(rest.seen(state.resting, dt) * model.membrane_time), lowering)


def recorded(
    grid: Grid,
    model: Network,
    dt: Float[Array, ""],
    rates: Float[Array, " w"],
    state: DensityState,
) -> DensityState:
    """The state with the mean rates of a step on their way."""
    rate, adaptation = grid.network_rate(rates), model.adaptation
    resting = model.rest.record(state.resting, rates, dt)
    held = grid.network_rate(jnp.broadcast_to(model.rest.outstanding(resting, dt), rates.shape))
    return replace(
        state,
        sent=model.connections.record(state.sent, jnp.atleast_1d(rate), dt),
        adapted=None if adaptation is None else adaptation.after(state.adapted, rate, dt),
        resting=resting,
        refractory=held * in_membrane_times(dt, model.epsilon),
    )
