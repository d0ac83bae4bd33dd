r"""What the ends of the grid take away: mass below the lowest voltage, weights beyond the last.

No flux passes the ends of the grid. Where the density reaches one, mass that belongs beyond it
stays inside, and rates are wrong: in the stationary state of constant input by the factor
$1/(1 - m)$, with m the mass that the unbounded density has beyond the end.
"""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float

from ..grid import Grid, WeightGrid
from ..model import AbstractLearning, Network
from ..stretched import stretched
from .cells import Inputs
from .passage import tail_length
from .voltage import frozen


class Walls(NamedTuple):
    """What the ends have taken so far, as fractions of all neurons (dimensionless).

    - `voltage`: the largest mass that was missing below the lowest voltage at one time.
    - `weight`: the mass that would have left the weight grid, summed over time.
    """

    voltage: Float[Array, ""]
    weight: Float[Array, ""]

    @classmethod
    def untouched(cls, grid: Grid) -> Walls:
        """At the beginning of a run."""
        none = jnp.zeros((), grid.dtype)
        return cls(none, none)

    def after_voltage_step(
        self,
        grid: Grid,
        model: Network,
        inputs: Inputs,
        density: Float[Array, "v w"],
    ) -> Walls:
        """With the `density` at the end of a step of such inputs; of populations, that of which
        most is missing."""
        model, inputs = frozen((model, inputs))
        lowest = lax.stop_gradient(density[0])
        membrane, _ = stretched(grid.v, model)
        tail = tail_length(grid.v, membrane, inputs.drive, inputs.noise)
        missing = jnp.max(grid.network_rate(lowest * tail))
        return Walls(jnp.maximum(self.voltage, missing), self.weight)

    def after_weight_step(
        self,
        grid: Grid,
        learning: AbstractLearning,
        weights: Float[Array, " w"],
        density: Float[Array, "v w"],
        rates: Float[Array, " w"],
        rate: Float[Array, "..."],
        dt: Float[Array, ""],
    ) -> Walls:
        """With the learning flow of a step `dt` that the ends of the weight grid hold back.

        **Arguments:** the learning rule; weights of the columns, density, rates $N(w)$ and network
        rate at the beginning of the step.
        """
        if grid.w is None or not learning.moves:
            return self
        first_and_last = np.array([0, -1])
        given = lax.stop_gradient((learning.strength(weights), density, rates))
        strength, density, rates = (x[..., first_and_last] for x in given)
        rate, dt = lax.stop_gradient((rate, learning.speed * dt))
        beyond = flow_beyond(grid.w, strength, density, rates, rate)
        held = dt * grid.v.spacing * jnp.sum(beyond)
        return Walls(self.voltage, self.weight + held)


def flow_beyond(
    grid: WeightGrid,
    strength: Float[Array, " 2"],
    density: Float[Array, "v 2"],
    rates: Float[Array, " 2"],
    rate: Float[Array, ""],
) -> Float[Array, "v 2"]:
    r"""The flow $p\,(K N \bar N - w)$ outwards at both ends of the weights.

    **Arguments:** learning strength K, density p and rates $N(w)$ of the first and the last cell;
    network rate $\bar N$. **Returns:** flows `(v, 2)` (1 / voltage / learning time).
    """
    ends = jnp.asarray([grid.minimum, grid.maximum], rates.dtype)
    outwards = jnp.asarray([-1, 1], rates.dtype) * (strength * rates * rate - ends)
    return density * jnp.maximum(outwards, 0)[None]
