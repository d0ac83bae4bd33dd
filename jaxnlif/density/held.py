"""What delays and refractory periods hold back from one step to the next."""

from __future__ import annotations

from typing import NamedTuple

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from ..grid import Grid
from ..model import Network
from .state import DensityState


class Arriving(NamedTuple):
    """What was sent in earlier steps: the rate after a delay, neurons after their rest."""

    rate: Array | None
    neurons: Array | None


def arriving_in(model: Network, dt: Float[Array, ""], state: DensityState) -> Arriving:
    """What arrives in the step of `dt` that begins."""
    return Arriving(
        None if model.delay is None else model.delay.seen(state.sent, dt),
        None if model.refractory is None else model.refractory.seen(state.resting, dt),
    )


def recorded(
    grid: Grid,
    model: Network,
    dt: Float[Array, ""],
    rates: Float[Array, " w"],
    state: DensityState,
) -> DensityState:
    """The state with the mean rates of a step on their way."""
    if model.delay is not None:
        sent = model.delay.record(state.sent, jnp.sum(rates) * grid.weight_spacing, dt)
        state = eqx.tree_at(lambda s: s.sent, state, sent)
    if model.refractory is not None:
        resting = model.refractory.record(state.resting, rates, dt)
        held = jnp.sum(model.refractory.outstanding(resting, dt)) * grid.weight_spacing
        refractory = held * dt / model.epsilon
        state = eqx.tree_at(lambda s: (s.resting, s.refractory), state, (resting, refractory))
    return state
