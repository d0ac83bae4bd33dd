"""The networks of `jaxnlif run synchrony`, and the three ways to solve each."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import NamedTuple

import jax
import numpy as np

from ..density.events import Cascade
from ..density.solver import FluxShift
from ..grid import Grid, VoltageGrid
from ..initial import gaussian
from ..integrate.progress import AbstractProgress
from ..integrate.saveat import SaveAt
from ..integrate.solution import Solution
from ..integrate.solve import solve
from ..integrate.solver import AbstractSolver
from ..model import Network, Pulse, Sinusoid
from ..multiscale.solver import MultiScale
from ..particles.solver import Particles

START = (-1.0, 0.5)  # mean and variance of the initial potentials
DURATION = 4.9
DENSITY_STEP, PARTICLE_STEP = 4e-3, 1e-3
SAVES = 491
_NODES = 300
RASTER = 200


@dataclass(frozen=True)
class Case:
    """A network and what it shows."""

    title: str
    network: Network

    @property
    def weight(self) -> float:
        """The weight of all neurons (voltage × membrane time)."""
        assert self.network.weight is not None
        return float(self.network.weight)

    def with_values(self, *, weight: float, noise: float) -> Case:
        """The same with another weight (voltage × membrane time) and noise."""
        if (self.weight, float(np.asarray(self.network.noise))) == (weight, noise):
            return self
        title = f"{self.title}; weight {weight:g}, noise {noise:g}"
        return Case(title, replace(self.network, weight=weight, noise=noise))


CASES = {
    "instantaneous": Case(
        "a strong current for an instant",
        Network(weight=1.5, drive=Pulse(base=0.0, height=8.0, start=2.0, duration=0.2)),
    ),
    "periodic": Case(
        "a strong periodic current",
        Network(weight=1.5, drive=Sinusoid(base=0.0, amplitude=4.0, period=2.0)),
    ),
    "self-sustained": Case("strong excitation, no current", Network(weight=3.0)),
    "weak": Case("weak excitation, no current", Network(weight=0.5)),
}


class Run(NamedTuple):
    """A solution and the seconds it took."""

    solution: Solution
    seconds: float


def line(num: int = _NODES) -> Grid:
    """Voltages of an unstructured network, in JAX's default precision."""
    return Grid(v=VoltageGrid(-4.0, 2.0, reset=1.0, num=num))


def density_solver() -> FluxShift:
    """The density that follows its own events."""
    return FluxShift(line(), events=Cascade())


def particle_solver(neurons: int, *, raster: int = RASTER) -> Particles:
    """The particles, some of which are recorded spike by spike."""
    return Particles(neurons, line(), raster=min(raster, neurons))


def multiscale_solver(neurons: int, *, raster: int = RASTER) -> MultiScale:
    """Density and particles in turn, each with its own time step."""
    substeps = round(DENSITY_STEP / PARTICLE_STEP)
    micro = particle_solver(neurons, raster=raster)
    return MultiScale(FluxShift(line()), micro, substeps=substeps)


def bytes_of_runs(neurons: int, runs: int, t1: float) -> int:
    """Memory for particles and what a step makes of them, and for what each run keeps."""
    saved = 8 * _saves(t1) * (_NODES + 10)
    return 100 * neurons + runs * (8 * neurons + saved)


def _saves(t1: float) -> int:
    return max(2, round(t1 / DURATION * (SAVES - 1)) + 1)


def follow(
    case: Case,
    solver: AbstractSolver,
    *,
    seed: int = 0,
    t1: float = DURATION,
    dt: float | None = None,
    progress: AbstractProgress | None = None,
) -> Run:
    """Runs a case, by default with the step of its solver; the seconds include compilation."""
    if dt is None:
        dt = PARTICLE_STEP if isinstance(solver, Particles) else DENSITY_STEP
    began = time.perf_counter()
    solution = solve(
        case.network,
        solver,
        y0=gaussian(solver.grid, v=START),
        t1=t1,
        dt=dt,
        saveat=SaveAt(num=_saves(t1)),
        key=jax.random.key(seed),
        progress=progress,
    )
    return Run(solution, time.perf_counter() - began)


def mean_rate(solution: Solution) -> tuple[np.ndarray, np.ndarray]:
    """The mean rate between saved times, events included, and the middles of these intervals."""
    time_, spikes = np.asarray(solution.ts, float), np.asarray(solution.spikes, float)
    return (time_[1:] + time_[:-1]) / 2, np.diff(spikes) / np.diff(time_)
