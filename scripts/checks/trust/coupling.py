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


Solver = jn.FluxShift | jn.Particles | jn.MultiScale


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

    def solve(self, solver: Solver, saved: np.ndarray, y0=None) -> jn.Solution:
        """From N(-1, 0.5) or `y0`, saved after steps that are fractions of the run."""
        steps = round(END / self.dt)
        return jn.solve(
            jn.Network(weight=self.weight, drive=self.drive, noise=self.noise),
            solver,
            y0=jn.gaussian(self.grid, v=(-1.0, 0.5)) if y0 is None else y0,
            t1=steps * self.dt,
            dt=self.dt,
            saveat=jn.SaveAt(ts=np.round(saved * steps) * self.dt, fn=None),
            key=jax.random.key(0),
        )

    def last(self, num: int) -> np.ndarray:
        """The last steps, as fractions of the run."""
        steps = round(END / self.dt)
        return np.arange(steps - num + 1, steps + 1) / steps


def cases(num: int, seed: int = 0) -> Iterator[Case]:
    """Random networks with the one rate each of them has."""
    rng = np.random.default_rng(seed)
    for _ in range(num):
        weight, drive = rng.uniform(-30.0, 0.9), rng.uniform(-2.0, 30.0)
        noise, dt = (np.exp(rng.uniform(*np.log(ends))) for ends in ((0.05, 4.0), (1e-3, 5e-2)))
        (exact,) = jn.stationary.self_consistent_rates(weight, drive, noise)
        yield Case(weight, drive, float(noise), float(dt), float(exact))


class Settled(NamedTuple):
    """How far the rate is from the exact one, relative; the standard error of that; and whether
    the run says that something is wrong."""

    error: float
    deviation: float
    reported: bool


def settled(case: Case, solver: jn.FluxShift, y0=None) -> Settled:
    """Where a density settles: the worst of the last twenty steps."""
    sol = case.solve(solver, case.last(20), y0)
    if bool(sol.result != jn.Result.completed):
        return Settled(np.inf, 0.0, True)
    return Settled(float(np.max(np.abs(np.asarray(sol.rate) / case.exact - 1))), 0.0, False)


def is_false_alarm(case: Case, solver: jn.FluxShift) -> bool:
    """Whether a run that ended early, taken up with a rate that reproduces itself, is right."""
    sol = case.solve(solver, case.last(20))
    if bool(sol.result == jn.Result.completed):
        return False
    density = np.asarray(sol.state.density)
    if not np.all(np.isfinite(density)):
        return False
    again = settled(case, solver, density / sol.solver.grid.mass(density))
    return not again.reported and again.error <= 0.001


def sampled(case: Case, solver: jn.Particles | jn.MultiScale) -> Settled:
    """Where neurons settle: the mean of ten stretches after the first quarter."""
    sol = case.solve(solver, np.linspace(0.25, 1.0, 11))
    warned = sol.warnings is not None and bool(sol.warnings[jn.WarningFlag.long_step])
    if warned or bool(sol.result != jn.Result.completed):
        return Settled(np.inf, 0.0, True)
    rates = np.diff(np.asarray(sol.spikes, float)) / np.diff(np.asarray(sol.ts, float))
    # At least that of spikes that come by chance, and of one spike.
    spikes = max(case.exact * NEURONS * 0.75 * END, 1.0)
    deviation = max(rates.std(ddof=1) / np.sqrt(10) / case.exact, 1 / np.sqrt(spikes))
    return Settled(float(abs(rates.mean() / case.exact - 1)), float(deviation), False)


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
        pairs = [(case, jn.FluxShift(case.grid, coupling)) for case in cases(num)]
        found = [settled(*pair) for pair in pairs]
        yield Measured(f"steady_{name}", _share([s.error <= 0.01 or s.reported for s in found]))
        alarms = sum(
            is_false_alarm(*pair) for pair, s in zip(pairs, found, strict=True) if s.reported
        )
        right = sum(s.error <= 0.001 for s in found) + alarms
        yield Measured(f"steady_{name}_alarms", alarms / max(right, 1))


def steady_particles(num: int = OF_PARTICLES) -> Iterator[Measured]:
    """Neurons: within 1 % and three standard errors, or the step is reported as too long."""

    def particles(case: Case) -> jn.Particles:
        return jn.Particles(NEURONS, case.grid)

    def multiscale(case: Case) -> jn.MultiScale:
        return jn.MultiScale(jn.FluxShift(case.grid), jn.Particles(NEURONS))

    for name, solver in (("particles", particles), ("multiscale", multiscale)):
        found = [sampled(case, solver(case)) for case in cases(num)]
        right = [s.error <= 0.01 + 3 * s.deviation or s.reported for s in found]
        yield Measured(f"steady_{name}", _share(right))


CHECKS = (steady, steady_or_reported, steady_particles)
