r"""The adjoint shared by neurons with exponential synaptic currents, $I' = -2I$ (time unit τ).

The membrane coordinate of a neuron has one cotangent $A$, its current one, $J$. A kick changes the
current alone, and the free flow is

$$A ← a\,A, \quad J ← e^{-2Δt} J + b\,A$$

backwards, with $a$, $b$ from the type of neuron.
"""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float


class Linearised(NamedTuple):
    """Coefficients of the adjoint of an event and of the interval that it ends, shape `(…, n, b)`.

    - `time_membrane`, `time_current`: derivatives in the time of the event.
    - `keep`: 0 for the neuron that fired, 1 for the others; `spike`: the derivative of the time of
      the spike in the membrane coordinate of the neuron that fired, 0 for the others.
    - `membrane`, `current`: $a$ and $b$. `decay`: $e^{-2Δt}$.
    """

    time_membrane: Array
    time_current: Array
    keep: Array
    spike: Array
    membrane: Array
    current: Array
    decay: Array


Cotangents = tuple[Array, Array]


def pull(
    c: Linearised, cotangents: Cotangents, time: Float[Array, " b"]
) -> tuple[Cotangents, Float[Array, "n b"], Float[Array, " b"]]:
    """`AbstractDynamics.pull` of a neuron with an exponential current."""
    membrane, current = cotangents
    time = time + jnp.sum(c.time_membrane * membrane + c.time_current * current, axis=0)
    membrane = c.keep * membrane + c.spike * time[None]
    return (c.membrane * membrane, c.decay * current + c.current * membrane), current, time
