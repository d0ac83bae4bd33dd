"""What `Particles` carries from step to step."""

from __future__ import annotations

from typing import Any, NamedTuple

import equinox as eqx
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from .._sum import Sum
from ..integrate.log import Event, Log, Spike
from ..integrate.result import Result


class InARow(NamedTuple):
    """How many steps up to the last had an event, in how many nearly everybody fired, and in how
    many more fired by themselves than a step tells apart."""

    events: Int[Array, ""]
    bursts: Int[Array, "*k"]
    crowded: Int[Array, "*k"] | int = 0


class ParticlesState(eqx.Module):
    """The neurons, what they have sent, and how the run is going.

    - `potentials` `(m,)` (voltage); `weights` `(m,)`, `None` in an unstructured network.
    - `fired` `(m,)`: who fired in the last step, `None` in an unstructured network.
    - `resting` `(m,)`: how long each neuron still rests (steps), `None` without a
      refractory period.
    - `key`: of the random numbers to come.
    - `expected`: the fraction of the neurons, of each population, that the last step gives reason
      to expect, `()` or `(k,)`.
    - `rate`: network rate of the last step, `()` or `(k,)` (spikes / neuron / membrane time).
    - `memory`: what the delay remembers, `None` without one.
    - `in_a_row`: for how many steps it has fired together.
    - `long_step`: whether steps were too long for the rate.
    """

    potentials: Float[Array, " m"]
    weights: Float[Array, " m"] | None
    fired: Bool[Array, " m"] | None
    resting: Float[Array, " m"] | None
    key: PRNGKeyArray
    expected: Float[Array, "*k"]
    rate: Float[Array, "*k"]
    memory: Any
    spikes: Sum
    result: Result
    in_a_row: InARow
    cascade_rounds: Int[Array, ""]
    events: Log[Event]
    raster: Log[Spike] | None
    long_step: Bool[Array, ""] | bool = False
