"""What synapses and refractory periods hold back from one step to the next."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

from ..grid import Grid
from ..model import Network
from .coupling import AbstractCoupling, Coupled, given
from .reentry import AbstractReentry, AtOnce, Later
from .resolution import in_membrane_times
from .state import DensityState
from .voltage import VoltageStep


class Arriving(NamedTuple):
    """What was sent in earlier steps: signals of a delayed synapse, neurons after their rest."""

    signals: Float[Array, " s"] | None
    reentry: AbstractReentry

    def couple(
        self, coupling: AbstractCoupling, step: VoltageStep, previous: Float[Array, " s"]
    ) -> Coupled:
        """The signals that are felt in a step: those that arrive, or those of the coupling."""
        return coupling(step, previous) if self.signals is None else given(self.signals)


def arriving_in(model: Network, dt: Float[Array, ""], state: DensityState) -> Arriving:
    """What arrives in the step of `dt` that begins."""
    synapse, rest = model.connections, model.rest
    signals = synapse.seen(state.sent, dt) if synapse.delayed else None
    if not rest.rests:
        return Arriving(signals, AtOnce())
    # A step counts in membrane times.
    return Arriving(signals, Later(rest.seen(state.resting, dt) * model.membrane_time))


def recorded(
    grid: Grid,
    model: Network,
    dt: Float[Array, ""],
    rates: Float[Array, " w"],
    state: DensityState,
) -> DensityState:
    """The state with the mean rates of a step on their way."""
    signals = jnp.atleast_1d(grid.network_rate(rates))
    resting = model.rest.record(state.resting, rates, dt)
    held = grid.network_rate(jnp.broadcast_to(model.rest.outstanding(resting, dt), rates.shape))
    return replace(
        state,
        sent=model.connections.record(state.sent, signals, dt),
        resting=resting,
        refractory=held * in_membrane_times(dt, model.epsilon),
    )
