"""Random networks: the rate they settle at, held against the root of the stationary equation."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import jax
import numpy as np
from _report import Measured, Rule, at_least, at_most, equal_to

import jaxnlif as jn

REQUIRED: dict[str, Rule] = {
    "steady_implicit": equal_to(1),
    "steady_events": equal_to(1),
    # shares of the networks: right or reported; reported of those that are right to 0.1 %
    "steady_lagged": equal_to(1),
    "steady_lagged_alarms": at_most(0.02),
    "steady_corrected": equal_to(1),
    "steady_corrected_alarms": at_most(0.02),
    "steady_particles": at_least(1),
    "steady_multiscale": at_least(1),
}

NETWORKS, OF_PARTICLES = 300, 60
NEURONS = 10_000
END = 10.0
RESOLVED = (
    # noise up to this, V_min, nodes: 100, 50 and 25 a unit of voltage
    (0.3, -5.0, 700),
    (1.2, -9.0, 550),
    (4.0, -16.0, 450),
)


class Case(NamedTuple):
    """A network, the step it is solved with, and the rate that reproduces itself."""

    weight: float
    drive: float
    noise: float
    dt: float
    exact: float

    @property
    def grid(self) -> jn.Grid:
        minimum, num = next(grid for noise, *grid in RESOLVED if self.noise <= noise)
        return jn.Grid(v=jn.VoltageGrid(minimum, 2.0, reset=1.0, num=num))

    def solve(self, solver: jn.FluxShift | jn.Particles | jn.MultiScale) -> jn.Solution:
        """From N(-1, 0.5), with the rates of every step."""
        steps = round(END / self.dt)
        return jn.solve(
            jn.Network(weight=self.weight, drive=self.drive, noise=self.noise),
            solver,
            y0=jn.gaussian(self.grid, v=(-1.0, 0.5)),
            t1=steps * self.dt,
            dt=self.dt,
            saveat=jn.SaveAt(num=steps + 1, fn=None),
            key=jax.random.key(0),
        )


def cases(num: int, seed: int = 0) -> Iterator[Case]:
    """Random networks with the one rate each of them has."""
    rng = np.random.default_rng(seed)
    for _ in range(num):
        weight, drive = rng.uniform(-30.0, 0.9), rng.uniform(-2.0, 30.0)
        noise, dt = (np.exp(rng.uniform(*np.log(ends))) for ends in ((0.05, 4.0), (1e-3, 5e-2)))
        (exact,) = jn.stationary.self_consistent_rates(weight, drive, noise)
        yield Case(weight, drive, float(noise), float(dt), float(exact))


class Settled(NamedTuple):
    """How far the mean rate of the last quarter is from the exact one, relative; its standard
    error; and whether the run says that something is wrong."""

    error: float
    deviation: float
    reported: bool


def settled(case: Case, solver: jn.FluxShift | jn.Particles | jn.MultiScale) -> Settled:
    """What a solver makes of a network."""
    sol = case.solve(solver)
    rates = np.asarray(sol.rate, float)[len(sol.rate) * 3 // 4 :]
    spikes = np.asarray(sol.spikes, float)
    deviation = 0.0
    if not isinstance(solver, jn.FluxShift):
        # Of ten stretches after the first quarter, and of spikes that come by chance.
        at = np.linspace(len(spikes) // 4, len(spikes) - 1, 11).astype(int)
        stretches = np.diff(spikes[at]) / np.diff(np.asarray(sol.ts)[at])
        rates = stretches
        by_chance = np.sqrt(case.exact / (NEURONS * 0.75 * END))
        deviation = max(float(stretches.std(ddof=1)) / np.sqrt(10), by_chance) / case.exact
    wrong = bool(sol.result != jn.Result.completed)
    if sol.warnings is not None:
        wrong = wrong or bool(sol.warnings[jn.WarningFlag.long_step])
    return Settled(abs(rates.mean() / case.exact - 1), deviation, wrong)


def _share(holds: list[bool]) -> float:
    return float(np.mean(holds)) if holds else 0.0


def _right(solver: Callable[[Case], jn.FluxShift], num: int) -> float:
    """The share of networks that complete within 1 %."""
    found = [settled(case, solver(case)) for case in cases(num)]
    return _share([s.error <= 0.01 and not s.reported for s in found])


def steady(num: int = NETWORKS) -> Iterator[Measured]:
    """Couplings that find the rate of the step itself: all complete, within 1 %."""
    implicit = _right(lambda case: jn.FluxShift(case.grid, jn.Implicit()), num)
    yield Measured("steady_implicit", implicit)
    events = _right(lambda case: jn.FluxShift(case.grid, events=jn.Cascade()), num)
    yield Measured("steady_events", events)


def steady_or_reported(num: int = NETWORKS) -> Iterator[Measured]:
    """Couplings that do not: within 1 % or reported, and not reported where they are right."""
    for name, coupling in (("lagged", jn.Lagged()), ("corrected", jn.Corrected())):
        found = [settled(case, jn.FluxShift(case.grid, coupling)) for case in cases(num)]
        yield Measured(f"steady_{name}", _share([s.error <= 0.01 or s.reported for s in found]))
        alarms = _share([s.reported for s in found if s.error <= 0.001])
        yield Measured(f"steady_{name}_alarms", alarms)


def steady_particles(num: int = OF_PARTICLES) -> Iterator[Measured]:
    """Neurons: within 1 % and three standard errors, or the step is reported as too long."""

    def particles(case: Case) -> jn.Particles:
        return jn.Particles(NEURONS, case.grid)

    def multiscale(case: Case) -> jn.MultiScale:
        return jn.MultiScale(jn.FluxShift(case.grid), jn.Particles(NEURONS))

    for name, solver in (("particles", particles), ("multiscale", multiscale)):
        found = [settled(case, solver(case)) for case in cases(num)]
        right = [s.error <= 0.01 + 3 * s.deviation or s.reported for s in found]
        yield Measured(f"steady_{name}", _share(right))


CHECKS = (steady, steady_or_reported, steady_particles)
