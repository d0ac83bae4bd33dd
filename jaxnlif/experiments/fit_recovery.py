r"""A learning rule and an input, recovered from what they have made of a network.

A network of known learning strength $K(w)$ and input $I(w)$ learns for a while. From its weight
density $H(w)$ and response $N(w)$ at the end, as counts of synapses and of spikes would show them,
the strength at every knot and the height of the input are found again.
"""

from __future__ import annotations

from typing import Any

import equinox as eqx
import numpy as np
from jaxtyping import Array, Float

from ..density.solver import FluxShift
from ..grid import Grid, VoltageGrid, WeightGrid
from ..initial import gaussian
from ..losses import Rates, Weights
from ..model import Bump, Hebbian, Network, Saturating, Table
from ..solve.saveat import SaveAt
from ..solve.solution import Solution
from ..solve.solve import solve

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

    def __call__(self, model: Network) -> Solution:
        v = VoltageGrid(-4.0, 2.0, reset=1.0, num=self.num, dtype=self.dtype)
        grid = Grid(v=v, w=WeightGrid(0.0, 1.0, num=self.num))
        return solve(
            model,
            FluxShift(grid),
            y0=gaussian(grid, v=(-1.0, 0.5), w=(0.5, 0.08)),
            t1=self.duration,
            dt=self.dt,
            saveat=SaveAt(num=2, fn=None),
            throw=False,
        )


class Learned(eqx.Module):
    """The loss: how far a run ends from the weights and the response that were observed."""

    weights: Weights
    rates: Rates

    def __call__(self, sol: Solution) -> tuple[Array, Array]:
        return self.weights(sol), self.rates(sol)


def observe(sol: Solution, *, noise: float, seed: int) -> Learned:
    """The end of a run as counts would show it, with this relative error at the peaks."""
    rng = np.random.default_rng(seed)
    weights, weights_std = _counted(np.asarray(sol.weights[-1], float), noise, rng)
    rates, rates_std = _counted(np.asarray(sol.rates[-1], float), noise, rng)
    return Learned(
        Weights(weights, std=weights_std), Rates(sol.ts[-1:], rates[None], std=rates_std[None])
    )


def _counted(
    values: Float[np.ndarray, " w"], noise: float, rng: np.random.Generator
) -> tuple[Float[np.ndarray, " w"], Float[np.ndarray, " w"]]:
    """Values measured by Poisson counts, `1/noise²` at the peak, and their standard deviations."""
    per_count = values.max() * (noise or _ASSUMED_NOISE) ** 2
    counts = values / per_count
    if noise > 0:
        counts = rng.poisson(counts)
    return counts * per_count, np.sqrt(np.maximum(counts, 1)) * per_count
