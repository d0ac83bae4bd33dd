"""What `FluxShift` carries from step to step."""

from __future__ import annotations

from typing import Any

import equinox as eqx
from jaxtyping import Array, Float, Int, PRNGKeyArray

from .._sum import Sum
from ..integrate.log import Event, Log
from ..integrate.result import Result
from .cycle import Alternation
from .walls import Walls


class DensityState(eqx.Module):
    """Density, the rates at its threshold, what is on its way, and how the run is going.

    - `sent`: what a transmission delay remembers; `resting`: what the refractory period does, and
      `refractory`, the mass it holds.
    - `adapted`: the level of adaptation, if there is any.
    - `events`: the record of events; `key`: for what is drawn next.
    - `walls`: what the ends of the grid have taken; `None` in files of older versions.
    - `debt`: the mass that has fired and is not felt yet, of finitely many neurons.
    - `past`: what the scheme in time keeps of earlier steps.
    - `control`: what adaptive steps carry from one step of the run to the next.
    - `alternation`: what is known of rates that jump to and fro, if the coupling may make them.
    """

    density: Float[Array, "v w"]
    rates: Float[Array, " w"]
    rate: Float[Array, "*k"]
    spikes: Sum
    refractory: Float[Array, "*k"]
    sent: Any
    resting: Any
    events: Log[Event] | None
    key: PRNGKeyArray | None
    result: Result
    substeps: Int[Array, ""]
    coupling_evaluations: Int[Array, ""]
    transport_iterations: Int[Array, ""]
    walls: Walls | None = None
    alternation: Alternation | None = None
    debt: Float[Array, ""] | None = None
    adapted: Any = None
    past: Any = None
    control: Any = None
