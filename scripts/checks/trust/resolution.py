"""Runs warn where grid or step make their rate or their intervals wrong, and only there."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from _report import Measured, Rule, at_least
from scipy.linalg import solve_banded

import jaxnlif as jn
from jaxnlif.density.cells import exchange_rates, inputs_of
from jaxnlif.density.passage import interval_moments
from jaxnlif.grid import VoltageGrid
from jaxnlif.model import Leaky

# Lowest voltage and nodes; the reset is a node of each.
GRIDS = ((-8.0, 1000), (-4.0, 300), (-2.0, 60), (-1.0, 300), (0.0, 200), (0.5, 600), (-4.0, 60))


class Case(NamedTuple):
    """A network on a grid: relative errors of rate and CV, and whether the run warned."""

    rate: float
    cv: float
    warned: bool

    @property
    def wrong(self) -> bool:
        return self.rate > 1e-2 or self.cv > 5e-2

    @property
    def right(self) -> bool:
        return self.rate < 1e-3 and self.cv < 1e-2


def warnings(number: int = 220, seed: int = 0) -> Iterator[Measured]:
    """Percent of wrong runs that warn, and of right ones that do not, of as many of each."""
    cases = list(random_cases(number, seed))
    wrong = [case for case in cases if case.wrong]
    right = [case for case in cases if case.right]
    yield Measured("warned_where_wrong", 100 * np.mean([case.warned for case in wrong]))
    yield Measured("silent_where_right", 100 * np.mean([not case.warned for case in right]))
    yield Measured("warned_cases", len(wrong), "wrong")
    yield Measured("warned_cases", len(right), "right")


def random_cases(number: int, seed: int) -> Iterator[Case]:
    """Random networks on random grids, until half of `number` are wrong, and half are not."""
    rng = np.random.default_rng(seed)
    wrong = others = 0
    while wrong + others < number:
        case = _random_case(rng)
        if case is None:
            continue
        if case.wrong and wrong < number / 2:
            wrong += 1
            yield case
        elif not case.wrong and others < number / 2:
            others += 1
            yield case


def _random_case(rng: np.random.Generator) -> Case | None:
    low, num = GRIDS[rng.integers(len(GRIDS))]
    grid = VoltageGrid(low, 2.0, reset=1.0, num=num)
    noise = math.exp(rng.uniform(math.log(0.02), math.log(2.0)))
    drive, weight = rng.uniform(-1, 10), rng.uniform(-10, 0.9)
    dt = math.exp(rng.uniform(math.log(5e-4), math.log(5e-2)))
    rates = jn.stationary.self_consistent_rates(weight, drive, noise)
    if len(rates) != 1 or rates[0] < 1e-2:  # one state, which is reached within the run
        return None
    space = jn.Grid(v=grid)
    sol = jn.solve(
        jn.Network(weight=weight, drive=drive, noise=noise),
        jn.FluxShift(space, jn.Implicit()),
        y0=jn.gaussian(space, v=(1.2, 0.01)),
        t1=20.0,
        dt=dt,
        saveat=jn.SaveAt(num=11, fn=None),
    )
    if sol.result != jn.Result.completed:
        return None
    rate_error = abs(float(sol.rate[-1] / rates[0]) - 1)
    true = _true_cv(drive + weight * float(rates[0]), noise)
    cv = _cv_of_run(grid, drive + weight * float(sol.rate[-1]), noise, dt)
    return Case(rate_error, abs(cv / true - 1), bool(sol.warnings.any()))


def _true_cv(drive: float, noise: float) -> float:
    """The coefficient of variation of intervals on a grid that is fine and low enough."""
    low = min(drive, 1.0) - 8 * math.sqrt(noise)
    fine = VoltageGrid(2.0 - math.ceil(2.0 - low), 2.0, reset=1.0, num=400 * math.ceil(2.0 - low))
    return float(
        interval_moments(fine, Leaky(), jnp.asarray(drive), jnp.asarray(noise), refine=8).cv
    )


def _cv_of_run(grid: VoltageGrid, drive: float, noise: float, dt: float) -> float:
    """The same for the steps of a run, by its matrices.

    Neurons that start at reset and do not return are distributed as $(κ (κ + A)^{-1})^n e_R$ after
    n steps: $⟨n⟩ Δt = 1^T A^{-1} e_R$ and $⟨n^2⟩ Δt^2 = 2\\,1^T A^{-2} e_R + Δt ⟨n⟩ Δt$.
    """
    one, noise = jnp.ones(()), jnp.asarray(noise)
    inputs = inputs_of(grid, Leaky(), one, jnp.asarray([drive]), noise)
    up, down = exchange_rates(grid, inputs)
    up, down = (np.asarray(rates[:, 0]) for rates in (up, down))
    bands = np.zeros((3, grid.num))
    bands[1] = up + np.append(0, down[:-1])
    bands[0, 1:], bands[2, :-1] = -down[:-1], -up[:-1]
    at_reset = np.zeros(grid.num)
    at_reset[grid.reset_index] = 1
    once = solve_banded((1, 1), bands, at_reset)
    mean, square = once.sum(), 2 * solve_banded((1, 1), bands, once).sum()
    return math.sqrt(square + dt * mean - mean**2) / mean


REQUIRED: dict[str, Rule] = {
    # percent of random runs whose rate or intervals are wrong, and of those where both are right
    "warned_where_wrong": at_least(98),
    "silent_where_right": at_least(98),
    "warned_cases": at_least(60),
}
CHECKS = (warnings,)
