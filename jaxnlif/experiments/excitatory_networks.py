"""Networks that differ in weight and drive alone, their stationary rates, and runs of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from ..density import stationary
from ..density.solver import FluxShift
from ..grid import Grid, VoltageGrid, WeightGrid
from ..initial import gaussian
from ..integrate.result import Result, SolveError
from ..integrate.saveat import SaveAt
from ..integrate.solve import solve
from ..integrate.warning import no_warnings
from ..model import Identity, Network, Saturating, Tabulated

_SAVES = 201
WEIGHTS = (-3.0, 12.0)
"""The ends of the weight axis."""

Arrays = dict[str, np.ndarray]


class Ramp(NamedTuple):
    """A drive that moves from the first value to the second and on to the third.

    - `drives`: the values (voltage).
    - `times`: when they are reached (membrane time).
    """

    drives: tuple[float, float, float]
    times: tuple[float, float, float]


@dataclass(frozen=True)
class Family:
    r"""Networks that differ in their mean weight and drive only.

    - `response`: σ.
    - `weights`: the weight axis, or `None` for networks in which all neurons share one weight.
    - `variance`: that of the weights, which are normally distributed on the axis (weight²).
    - `noise`: diffusion coefficient $a$ (voltage² / membrane time).
    - `nodes`: of the voltage grid, a multiple of 8.
    """

    response: Callable[[Array], Array]
    weights: WeightGrid | None = None
    variance: float = 1.0
    noise: float = 1.0
    nodes: int = 320

    @property
    def grid(self) -> Grid:
        """Voltages from -6 to the threshold 2, with reset to 1, and the weight axis."""
        return Grid(VoltageGrid(-6.0, 2.0, reset=1.0, num=self.nodes), self.weights)

    def network(self, mean: float, *, ramp: Ramp, epsilon: float = 1.0) -> Network:
        """The network of this mean weight (voltage × membrane time)."""
        return Network(
            # Tabulated even where it is constant, so that runs of all kinds share a compilation.
            drive=Tabulated(ramp.drives, t=ramp.times),
            response=self.response,
            weight=mean if self.weights is None else None,
            epsilon=epsilon,
            noise=self.noise,
        )

    def start(self, mean: float, voltages: tuple[float, float]) -> Float[Array, "v w"]:
        """An initial density: normal in voltage, of this (mean, variance), and in weight."""
        w = None if self.weights is None else (mean, self.variance)
        return gaussian(self.grid, v=voltages, w=w)

    def excess(
        self,
        rate: Float[np.ndarray, " k"],
        mean: Float[np.ndarray, " k"] | float,
        drive: Float[np.ndarray, " k"] | float = 0.0,
    ) -> Float[np.ndarray, " k"]:
        r"""$∑_j H_j\,r(I + w_j σ(\bar N))\,Δw - \bar N$, zero at stationary rates.

        **Returns:** (spikes / neuron / membrane time).
        """
        rate, mean, drive = (x[:, None] for x in np.broadcast_arrays(rate, mean, drive))
        if self.weights is None:
            w, share = mean, np.ones_like(mean)
        else:
            w = self.weights.centers[None]
            share = np.exp(-((w - mean) ** 2) / (2 * self.variance))
            share /= share.sum(axis=1, keepdims=True)
        inputs = drive + w * np.asarray(self.response(jnp.asarray(rate)))
        rates = stationary.firing_rate(inputs, self.noise)
        return np.sum(share * np.asarray(rates), axis=1) - rate[:, 0]

    def stationary_rates(self, mean: float, drive: float = 0.0) -> Float[np.ndarray, " roots"]:
        r"""All stationary rates $\bar N$ between 1e-8 and 100, in ascending order.

        **Returns:** (spikes / neuron / membrane time).
        """

        def excess(rate: np.ndarray) -> np.ndarray:
            return self.excess(rate, mean, drive)

        rate = np.geomspace(1e-8, 100, 400)
        positive = excess(rate) > 0
        changes = np.flatnonzero(positive[1:] != positive[:-1])
        return bisect(excess, rate[changes], rate[changes + 1])

    def mean_at(self, rate: Float[np.ndarray, " k"], drive: float = 0.0) -> Float[np.ndarray, " k"]:
        """The mean weight, between -2 and 11, that makes these rates stationary."""
        ends = np.full_like(rate, -2.0), np.full_like(rate, 11.0)
        return bisect(lambda mean: self.excess(rate, mean, drive), *ends)

    def drive_at(self, rate: Float[np.ndarray, " k"], mean: float) -> Float[np.ndarray, " k"]:
        """The drive, between -20 and 10, that makes these rates stationary."""
        ends = np.full_like(rate, -20.0), np.full_like(rate, 10.0)
        return bisect(lambda drive: self.excess(rate, mean, drive), *ends)


def bisect(
    function: Callable[[np.ndarray], np.ndarray], low: np.ndarray, high: np.ndarray
) -> np.ndarray:
    """Roots of an elementwise function in intervals; NaN where its sign does not change.

    The function is one of NumPy, which `optimistix.Bisection` cannot trace.
    """
    falling, crosses = function(low) > 0, function(low) * function(high) < 0
    for _ in range(45):
        middle = 0.5 * (low + high)
        left = (function(middle) > 0) == falling
        low, high = np.where(left, middle, low), np.where(left, high, middle)
    return np.where(crosses, low, np.nan)


@dataclass(frozen=True)
class Course:
    """The rate in the course of a run, and when it blew up.

    - `time`, `rate`: network rate at equally spaced times, NaN after a blow-up.
    - `blow_up`: when it blew up, infinite if it did not.
    - `last_rate`: the rate at its end.
    - `warnings`: `Solution.warnings`, of a run that was completed.
    """

    time: Float[np.ndarray, " k"]
    rate: Float[np.ndarray, " k"]
    blow_up: float
    last_rate: float
    warnings: Bool[np.ndarray, " flags"]

    @classmethod
    def follow(cls, network: Network, grid: Grid, y0: Array, *, t1: float, dt: float) -> Course:
        """Solves a network and keeps its rate.

        **Raises:** `SolveError` if the run ends otherwise than by completion or blow-up.
        """
        saveat = SaveAt(num=_SAVES, fn=None)
        sol = solve(network, FluxShift(grid), y0=y0, t1=t1, dt=dt, saveat=saveat)
        if sol.result not in (Result.completed, Result.blow_up):
            raise SolveError(f"t = {float(sol.t_end):g}: {sol.message}")
        rate = np.full(_SAVES, np.nan)
        rate[: sol.rate.size] = sol.rate
        ended = sol.result == Result.blow_up
        end = float(sol.t_end) if ended else np.inf
        doubts = np.asarray(no_warnings() if ended else sol.warnings)
        return cls(np.linspace(0, t1, _SAVES), rate, end, float(sol.state.rate), doubts)


def together(name: str, runs: list[Course]) -> Arrays:
    """Courses at the same times as arrays called by `name`."""
    return {
        f"{name}_time": runs[0].time,
        f"{name}_rate": np.stack([run.rate for run in runs]),
        f"{name}_end": np.array([run.blow_up for run in runs]),
        f"{name}_last_rate": np.array([run.last_rate for run in runs]),
        f"{name}_warnings": np.stack([run.warnings for run in runs]),
    }


@dataclass(frozen=True)
class Setting:
    """What the networks have in common, and how strongly they are coupled.

    - `drive`: the input of all networks, to which ramps are added (voltage).
    - `noise`: diffusion coefficient $a$ (voltage² / membrane time).
    - `variance`: of the weights where they are distributed (weight²).
    - `couplings`: mean weights of networks that may blow up, `coupling`: the weight of one that has
      two stationary rates (voltage × membrane time).
    - `nodes`, `cells`: of voltage and weight.
    """

    drive: float = 0.0
    noise: float = 1.0
    variance: float = 1.0
    couplings: tuple[float, ...] = (0.5, 1.5, 2.0, 2.2, 2.5, 3.0, 4.0, 6.0, 8.0)
    coupling: float = 2.0
    nodes: int = 320
    cells: int = 20

    @property
    def one_weight(self) -> Family:
        """Networks in which all neurons share a weight."""
        return Family(Identity(), noise=self.noise, nodes=self.nodes)

    @property
    def many_weights(self) -> Family:
        """Networks with a distribution of weights."""
        return self._distributed(Identity())

    @property
    def bounded(self) -> Family:
        """Those whose response has a bound."""
        return self._distributed(Saturating())

    def _distributed(self, response: Callable[[Array], Array]) -> Family:
        weights = WeightGrid(*WEIGHTS, num=self.cells)
        return Family(response, weights, self.variance, self.noise, self.nodes)

    @property
    def still(self) -> Ramp:
        """The drive as it is."""
        return Ramp((self.drive, self.drive, self.drive), (0.0, 1.0, 2.0))

    def follow(self, family: Family, coupling: float, y0: Array, *, t1: float, dt: float) -> Course:
        """A run under the drive as it is."""
        return Course.follow(
            family.network(coupling, ramp=self.still), family.grid, y0, t1=t1, dt=dt
        )


DEFAULT = Setting()
