"""What synapses and refractory periods hold back from one step to the next."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ..grid import Grid
from ..model import Network
from ..model.adaptation import Lowering
from ..model.course import Course
from .coupling import AbstractCoupling, Coupled, given
from .reentry import AbstractReentry, AtOnce, Later
from .resolution import in_membrane_times
from .scheme import AbstractScheme
from .state import DensityState
from .voltage import VoltageStep


class Arriving(NamedTuple):
    """What was sent in earlier steps: signals of a delayed synapse, neurons after their rest, and
    what adaptation does.

    - `before`: the signals at the beginning of the step, where `signals` are those at the end.
    """

    signals: Float[Array, " s"] | None
    reentry: AbstractReentry
    lowering: Lowering | None = None
    before: Float[Array, " s"] | None = None

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

    def at(self, part: Float[Array, ""]) -> Arriving:
        """What arrives in a step that ends after a `part` of this one."""
        if self.signals is None or self.before is None:
            return self
        return self._replace(signals=self.before + part * (self.signals - self.before))


class Sent(NamedTuple):
    """What a scheme of second order in time remembers: that of the synapse, and what was felt."""

    memory: Any
    felt: Float[Array, " s"] | None


def nothing_sent(model: Network, order: int, signals: Float[Array, " s"]) -> Any:
    """The memory of the synapse before time 0, for a scheme of this order in time."""
    synapse = model.connections
    if order == 1:
        return synapse.start(signals)
    memory = synapse.start_course(signals)
    if not synapse.delayed:
        return Sent(memory, None)
    straight = Course.straight(signals, signals)
    felt = jax.eval_shape(synapse.at_end, memory, straight, jnp.ones((), signals.dtype))
    return Sent(memory, jnp.zeros(felt.shape, felt.dtype))


def arriving_in(
    model: Network, scheme: AbstractScheme, dt: Float[Array, ""], state: DensityState
) -> Arriving:
    """What arrives in the step of `dt` that begins: its mean, or for a scheme of second order in
    time that at its end."""
    synapse, rest, adaptation = model.connections, model.rest, model.adaptation
    signals, before, lowering = None, None, None
    if scheme.order == 1:
        signals = synapse.seen(state.sent, dt) if synapse.delayed else None
        lowering = None if adaptation is None else adaptation.lowers(state.adapted, dt)
    else:
        if synapse.delayed:
            now = jnp.atleast_1d(state.rate)
            ahead = Course.straight(now, scheme.ahead(state, dt))
            signals, before = synapse.at_end(state.sent.memory, ahead, dt), state.sent.felt
        if adaptation is not None:
            lowering = adaptation.lowers_at_end(state.adapted, state.rate, dt)
    reentry = AtOnce()
    if rest.rests:  # a step counts in membrane times
        reentry = Later(rest.seen(state.resting, dt) * model.membrane_time)
    return Arriving(signals, reentry, lowering, before)


def entered(
    reentry: AbstractReentry, weights: Float[Array, " w"], model: Network, dt: Float[Array, ""]
) -> Float[Array, " w"]:
    """The mass of each weight that re-enters by itself in a part `dt` of a step (1 / weight)."""
    return reentry.inflow(weights) * in_membrane_times(dt, model.epsilon) / model.membrane_time


def recorded(
    grid: Grid,
    model: Network,
    scheme: AbstractScheme,
    dt: Float[Array, ""],
    rates: Float[Array, " w"],
    before: Float[Array, "*k"],
    arriving: Arriving,
    state: DensityState,
) -> DensityState:
    """The state with the mean `rates` of a step on their way, `before` which the network rate was
    another."""
    rate, adaptation, synapse = grid.network_rate(rates), model.adaptation, model.connections
    course = Course(rate, before, state.rate)
    if scheme.order == 1:
        sent = synapse.record(state.sent, jnp.atleast_1d(rate), dt)
        adapted = None if adaptation is None else adaptation.after(state.adapted, rate, dt)
    else:
        signals = Course(*(jnp.atleast_1d(x) for x in course))
        memory = synapse.record_course(state.sent.memory, signals, dt)
        sent = Sent(memory, arriving.signals)
        adapted = None if adaptation is None else adaptation.after_course(state.adapted, course, dt)
    resting = model.rest.record(state.resting, rates, dt)
    held = grid.network_rate(jnp.broadcast_to(model.rest.outstanding(resting, dt), rates.shape))
    return replace(
        state,
        sent=sent,
        adapted=adapted,
        resting=resting,
        refractory=held * in_membrane_times(dt, model.epsilon),
    )
