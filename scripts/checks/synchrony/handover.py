"""From the density to particles and back."""

from __future__ import annotations

from collections.abc import Iterator

import jax
import numpy as np
from _report import Measured
from references.problems import at_rest, line

import jaxnlif as jn
from jaxnlif.particles.histogram import deposit
from jaxnlif.particles.sampling import stratified


def slopes() -> Iterator[Measured]:
    """Errors of mean and variance against M and h, for stratified and for independent samples."""
    grid, sizes = line(300), (1_000, 10_000, 100_000, 1_000_000)
    fine = at_rest(grid)
    exact = _moments(grid, _back(grid, fine, 8_000_000, 0))
    errors = [_error(exact, grid, fine, num, stratified) for num in sizes]
    independent = [_error(exact, grid, fine, num, _independent) for num in sizes]
    for row, found in (
        ("handover_slope_m", errors),
        ("handover_slope_m_independent", independent),
    ):
        slope = np.polyfit(np.log(sizes), np.log(found), 1)[0]
        yield Measured(row, float(slope), "/".join(f"{error:.1e}" for error in found))
    nums = (60, 120, 240, 480)
    in_h = []
    for num in nums:
        coarse = line(num)
        density = at_rest(coarse)
        truth = _moments(coarse, np.asarray(density))
        found = _moments(coarse, _back(coarse, density, 1_000_000, 0))
        in_h.append(float(np.max(np.abs(found - truth))))
    slope = -np.polyfit(np.log(nums), np.log(in_h), 1)[0]
    yield Measured("handover_slope_h", float(slope), "/".join(f"{error:.1e}" for error in in_h))
    mass = float(grid.mass(_back(grid, fine, 100_000, 0)))
    yield Measured("handover_mass", abs(mass - float(grid.mass(fine))))


def _back(grid: jn.Grid, density, num: int, seed: int, sample=stratified):
    """The density of particles drawn from a density."""
    potentials, weights = sample(grid, density, num, jax.random.key(seed))
    return deposit(grid, potentials, weights)


def _independent(grid: jn.Grid, density, num: int, key):
    """Independent draws: stratified ones, of which each is taken as often as chance has it."""
    first, second = jax.random.split(key)
    potentials, _ = stratified(grid, density, num, first)
    return potentials[jax.random.randint(second, (num,), 0, num)], None


def _error(exact, grid, density, num, sample) -> float:
    found = [_moments(grid, _back(grid, density, num, seed, sample)) for seed in range(8)]
    return float(np.sqrt(np.mean((np.array(found) - exact) ** 2)))


def _moments(grid: jn.Grid, density) -> np.ndarray:
    """Mean and variance of a density."""
    p, v = np.asarray(density, float)[:, 0] * grid.v.spacing, grid.v.nodes
    mean = np.sum(p * v)
    return np.array([mean, np.sum(p * (v - mean) ** 2)])
