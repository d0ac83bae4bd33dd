"""The network of `jaxnlif run brunel`, as a density of one population and as particles.

Excitatory and inhibitory neurons are alike in Brunel's model A, so that one population stands for
both: it feels the sum of their weights.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ..circuits import brunel
from ..density.solver import FluxShift
from ..grid import Grid, VoltageGrid
from ..initial import gaussian
from ..integrate.progress import AbstractProgress
from ..integrate.saveat import SaveAt
from ..integrate.solution import Solution
from ..integrate.solve import solve
from ..integrate.solver import AbstractSolver
from ..model import Delay, Network
from ..particles.solver import Particles
from ..sweeping.sweep import sweep
from ..units import Units

UNITS = Units(membrane_time=20.0, rest=0.0, scale=10.0)
"""Those of `circuits.brunel`."""
THRESHOLD, RESET, LOWEST = 2.0, 1.0, -6.0  # 20, 10 and -60 mV
G_MAX, ETA_MAX = 8.0, 4.0
SILENT = 1e-2
"""The mean rate below which a network is silent (Hz)."""
RASTER, REFRACTORY = 60, 2.0
"""Neurons whose spikes are shown, and how long they rest after one (ms)."""
_START = (0.8, 0.1)  # mean and variance of the initial potentials
_TOGETHER = 400
"""At most so many networks run as the columns of one program: what the caches of a core hold."""


class Example(NamedTuple):
    """A point of the diagram and what Brunel calls the state there."""

    g: float
    eta: float
    state: str


EXAMPLES = (
    Example(3.0, 2.0, "synchronous regular"),
    Example(6.0, 4.0, "synchronous irregular, fast"),
    Example(5.0, 2.0, "asynchronous irregular"),
    Example(4.5, 0.9, "synchronous irregular, slow"),
)


@dataclass(frozen=True)
class Setting:
    """How finely networks are solved: voltage nodes, step and duration (membrane times)."""

    nodes: int
    dt: float
    t1: float

    @property
    def grid(self) -> Grid:
        """The voltages of all networks."""
        return Grid(VoltageGrid(LOWEST, THRESHOLD, reset=RESET, num=self.nodes))

    @property
    def saves(self) -> int:
        """The number of times saved: every other step."""
        return max(2, round(self.t1 / self.dt / 2)) + 1

    def slots(self, duration: float) -> int:
        """What a delay of so many ms needs."""
        return int(np.ceil(UNITS.time(duration) / self.dt)) + 3


def folded(g: Any, eta: Any, *, slots: int = 64) -> Network:
    """Brunel's populations, which are alike, as one."""
    two: Any = brunel(g, eta).network
    delay, rest = (
        Delay(jnp.ravel(jnp.asarray(x.duration))[0], slots=slots)
        for x in (two.delay, two.refractory)
    )
    return Network(
        weight=jnp.sum(two.weight[0]),
        noise_slope=jnp.sum(two.noise_slope[0]),
        noise=two.noise[0],
        drive=two.drive.value[0],
        delay=delay,
        refractory=rest,
    )


def follow(
    g: Any,
    eta: Any,
    setting: Setting,
    solver: AbstractSolver,
    *,
    key: Any = None,
    progress: AbstractProgress | None = None,
) -> Solution:
    """The network in time, from potentials below the threshold."""
    return solve(
        folded(g, eta, slots=setting.slots(REFRACTORY)),
        solver,
        y0=gaussian(solver.grid, v=_START),
        t1=setting.t1,
        dt=setting.dt,
        saveat=SaveAt(num=setting.saves, fn=None),
        key=key,
        progress=progress,
    )


def course(sol: Solution) -> tuple[Array, Array]:
    """The mean rate between saved times (spikes / neuron / membrane time), and their middles."""
    return (sol.ts[1:] + sol.ts[:-1]) / 2, jnp.diff(sol.spikes) / jnp.diff(sol.ts)


def particles(setting: Setting, neurons: int) -> Particles:
    """As many neurons, some of which are recorded spike by spike."""
    raster = min(RASTER, neurons)
    most = raster * (1 + int(UNITS.time_ms(setting.t1) / REFRACTORY))
    return Particles(neurons, setting.grid, raster=raster, raster_capacity=most)


def diagram(
    num_g: int, num_eta: int, setting: Setting, progress: AbstractProgress | None = None
) -> dict[str, np.ndarray]:
    """Mean rate and coefficient of variation of the rate, in the second half of each run.

    **Returns:** `g`, shape `(g,)`, and `eta`, shape `(eta,)` (dimensionless); `mean` (Hz) and `cv`
    (dimensionless, NaN for silent networks), shape `(g, eta)`; `warnings`, `(g, eta, flags)`.
    """
    solver, half = FluxShift(setting.grid), setting.saves // 2

    def run(g: Any, eta: Any) -> Any:
        sol = follow(g, eta, setting, solver)
        mean = (sol.spikes[-1] - sol.spikes[half]) / (sol.ts[-1] - sol.ts[half])
        return mean, jnp.std(course(sol)[1][half:]), sol.warnings, sol.result

    g, eta = axes(num_g, num_eta)
    num = num_g * num_eta
    chunk = -(-num // -(-num // _TOGETHER))  # of one size, so that few are filled up
    found = sweep(run, {"g": g, "eta": eta}, chunk=chunk, progress=progress)
    mean, spread, warnings = (np.asarray(x) for x in found.values[:3])
    hertz = UNITS.rate_Hz(mean.astype(float))
    cv = np.where(hertz > SILENT, spread / np.maximum(mean, np.finfo(mean.dtype).tiny), np.nan)
    return {"g": g, "eta": eta, "mean": hertz, "cv": cv, "warnings": warnings}


def axes(num_g: int, num_eta: int) -> tuple[np.ndarray, np.ndarray]:
    """The values of g and of η, which must be positive."""
    return np.linspace(0.0, G_MAX, num_g), np.linspace(ETA_MAX / num_eta, ETA_MAX, num_eta)


def rhythm(ms: Float[np.ndarray, " t"], rate: Float[np.ndarray, " t"]) -> float:
    """The frequency of which a rate has the most power (Hz), between the bins of its spectrum.

    **Arguments:** `ms`: equally spaced times (ms), `rate`: at these (any unit).
    """
    step = (ms[-1] - ms[0]) / (ms.size - 1) / 1e3
    wave = (rate - rate.mean()) * np.hanning(rate.size)
    power = np.abs(np.fft.rfft(wave, 8 * wave.size))
    first = int(np.searchsorted(np.fft.rfftfreq(8 * wave.size, step), 2 / (step * wave.size)))
    top = first + int(np.argmax(power[first:-1]))
    low, mid, high = power[top - 1 : top + 2]
    return float((top + 0.5 * (low - high) / (low - 2 * mid + high)) / (8 * wave.size * step))
