r"""A learning rule and an input, recovered from what they have made of a network.

A network of known learning strength $K(w)$ and input $I(w)$ learns for a while. From its weight
density $H(w)$ and response $N(w)$ at the end, as counts of synapses and of spikes would show them,
the strength at every knot and the height of the input are found again.
"""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from .. import _deviance
from ..density.solver import FluxShift
from ..grid import Grid, VoltageGrid, WeightGrid
from ..initial import gaussian
from ..integrate.saveat import SaveAt
from ..integrate.solution import Solution
from ..integrate.solve import solve
from ..model import Bump, Hebbian, Network, Saturating, Table

_ASSUMED_NOISE = 0.02  # by which data without noise are weighed


def where(model: Any) -> tuple[Any, Any]:
    """What is fitted: the learning strength, at its knots if it has any, and the input's height."""
    gain = model.learning.gain
    return gain.values if isinstance(gain, Table) else gain, model.drive.height


def truth(knots: int) -> Network:
    """The network that is to be found."""
    w = np.linspace(0, 1, knots)
    return network(Table(w, 0.3 + 0.15 * np.sin(2 * np.pi * w)), height=3.0)


def begin(knots: int) -> Network:
    """The start of the fit: the same learning strength everywhere, and a weaker input."""
    return network(Table(np.linspace(0, 1, knots), np.full(knots, 0.2)), height=2.0)


def network(gain: Table | float, *, height: float) -> Network:
    """A network that learns with this strength from an input of this height."""
    return Network(
        drive=Bump(base=1.0, height=height, center=0.4, width=0.2),
        response=Saturating(),
        learning=Hebbian(gain),
        epsilon=1e-2,
    )


class Run(eqx.Module):
    """Learning from a broad distribution of weights, of which the end is kept.

    **Arguments:** `dt`, `duration` (learning time); `num` of voltages, and of weights; `dtype`.
    """

    dt: float = eqx.field(static=True)
    duration: float = eqx.field(static=True, default=1.0)
    num: int = eqx.field(static=True, default=60)
    dtype: Any = eqx.field(static=True, default=None)

    @property
    def voltages(self) -> VoltageGrid:
        """The voltage grid."""
        return VoltageGrid(-4.0, 2.0, reset=1.0, num=self.num, dtype=self.dtype)

    def __call__(self, model: Network) -> Solution:
        grid = Grid(v=self.voltages, w=WeightGrid(0.0, 1.0, num=self.num))
        return solve(
            model,
            FluxShift(grid),
            y0=gaussian(grid, v=(-1.0, 0.5), w=(0.5, 0.08)),
            t1=self.duration,
            dt=self.dt,
            saveat=SaveAt(num=2, fn=None),
            throw=False,
        )


class Counted(eqx.Module):
    """Something seen by Poisson counts, of which each stands for `per_count`."""

    counts: Float[np.ndarray, " w"]
    per_count: Float[np.ndarray, ""]

    @property
    def values(self) -> Float[np.ndarray, " w"]:
        return self.counts * self.per_count

    @property
    def std(self) -> Float[np.ndarray, " w"]:
        """The standard deviations of the values, by their counts."""
        return np.sqrt(np.maximum(self.counts, 1)) * self.per_count

    def expected(self, values: Float[Array, " w"]) -> Float[Array, " w"]:
        """The counts that such values make one expect, positive."""
        counts = values / jnp.asarray(self.per_count, values.dtype)
        return jnp.maximum(counts, float(jnp.finfo(counts.dtype).tiny) ** 0.5)

    def residuals(self, values: Float[Array, " w"]) -> Float[Array, " w"]:
        return _deviance.residuals(self.expected(values), self.counts)

    def in_deviations(self, values: Float[Array, " w"]) -> Float[Array, " w"]:
        return 2 * jnp.sqrt(self.expected(values))


class Learned(eqx.Module):
    """The loss: how far a run ends from the weights and the response that were observed."""

    weights: Counted
    rates: Counted

    def __call__(self, sol: Solution) -> tuple[Array, Array]:
        return self.weights.residuals(sol.weights[-1]), self.rates.residuals(sol.rates[-1])

    def in_deviations(self, sol: Solution) -> tuple[Array, Array]:
        """What standard errors come from, as in `jn.losses.SpikeCounts`."""
        return self.weights.in_deviations(sol.weights[-1]), self.rates.in_deviations(sol.rates[-1])


def observe(sol: Solution, *, noise: float, seed: int) -> Learned:
    """The end of a run as counts would show it, with this relative error at the peaks."""
    rng = np.random.default_rng(seed)
    weights = _counted(np.asarray(sol.weights[-1], float), noise, rng)
    return Learned(weights, _counted(np.asarray(sol.rates[-1], float), noise, rng))


def _counted(values: Float[np.ndarray, " w"], noise: float, rng: np.random.Generator) -> Counted:
    """Values measured by Poisson counts, `1/noise²` at the peak."""
    per_count = values.max() * (noise or _ASSUMED_NOISE) ** 2
    counts = values / per_count
    return Counted(
        rng.poisson(counts).astype(float) if noise > 0 else counts, np.asarray(per_count)
    )
