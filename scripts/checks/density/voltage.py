"""Voltage grids: whether they hold what `for_model` promises, and whether coarse ones are named."""

from __future__ import annotations

from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np
from _report import Measured
from references.passages import Neuron, interval, neuron

import jaxnlif as jn
from jaxnlif.density.passage import interval_moments
from jaxnlif.density.resolution import Neurons, discretisation_errors, warnings
from jaxnlif.density.walls import Walls

NOISES = (1.0, 0.1, 0.03, 0.01, 0.001)
# Each with the noise from which on a neuron below threshold hardly fires.
INPUTS = (
    ("leaky", 1.5, 0.03),
    ("leaky", 1.8, 0.003),
    ("leaky", 2.2, 0.0),
    ("leaky", 6.0, 0.0),
    ("exponential", 0.5, 0.03),
    ("exponential", 1.0, 0.0),
    ("exponential", 3.0, 0.0),
    ("quadratic", 0.0, 0.0),
    ("quadratic", 1.0, 0.0),
    ("perfect", 0.5, 0.0),
)
TOLERANCES = (1e-2, 1e-3, 1e-4)


def cases() -> Iterator[Neuron]:
    """Neurons below, at and above threshold with noise from 1 to a thousandth."""
    for kind, drive, least in INPUTS:
        for noise in NOISES:
            if noise >= least:
                yield neuron(kind, drive, noise)


def voltage_grids() -> Iterator[Measured]:
    """Errors on the grid of `for_model`, in units of the tolerance; ten times it of the CV."""
    largest = {"voltage_grid_rate": (0.0, ""), "voltage_grid_cv": (0.0, "")}
    for cell in cases():
        true = interval(cell)
        for rtol in TOLERANCES:
            try:
                grid = grid_of(cell, rtol)
            except ValueError:  # more nodes than there may be
                continue
            errors = np.abs(_interval_on(grid, cell) / np.array(true) - 1) / [rtol, 10 * rtol]
            for (row, old), new in zip(largest.items(), errors, strict=True):
                largest[row] = max(old, (float(new), f"{cell.name},rtol={rtol:g}"))
    for row, (value, detail) in largest.items():
        yield Measured(row, value, detail)


def coarse_grids() -> Iterator[Measured]:
    """The largest error of the CV that no run is warned of, over grids of every size."""
    largest = 0.0, ""
    for kind in ("leaky", "exponential", "quadratic", "perfect"):
        some = [cell for cell in cases() if cell.membrane == neuron(kind, 0.0, 1.0).membrane]
        true = np.array([interval(cell)[1] for cell in some])
        for num in (18, 30, 60, 150, 300, 600, 1500):
            grid = jn.VoltageGrid(-4.0, 2.0, reset=1.0, num=num)
            cv, warned = _cv_and_warning(grid, some)
            error = np.where(warned, 0, np.abs(cv / true - 1))
            worst = int(np.argmax(error))
            largest = max(largest, (float(error[worst]), f"{some[worst].name},num={num}"))
    yield Measured("cv_unwarned", *largest)


def grid_of(cell: Neuron, rtol: float) -> jn.VoltageGrid:
    """The grid for a neuron."""
    model = jn.Network(weight=0.0, drive=cell.drive, noise=cell.noise, membrane=cell.membrane)
    return jn.VoltageGrid.for_model(model, rtol)


def _interval_on(grid: jn.VoltageGrid, cell: Neuron) -> np.ndarray:
    """Mean and CV of the intervals on a grid; the first is that of the stationary density."""
    inputs = jnp.asarray(cell.drive), jnp.asarray(cell.noise)
    found = interval_moments(grid, cell.membrane, *inputs)
    return np.array([float(found.mean), float(found.cv)])


def _cv_and_warning(grid: jn.VoltageGrid, some: list[Neuron]) -> tuple[np.ndarray, np.ndarray]:
    """The CV of neurons on a grid, and whether a run of each by itself warns of the grid."""
    membrane, space = some[0].membrane, jn.Grid(grid)

    @jax.vmap
    def one(drive: jax.Array, noise: jax.Array) -> tuple[jax.Array, jax.Array]:
        zero = jnp.zeros((1, 1))
        inputs = drive + zero, noise + zero
        moments = interval_moments(grid, membrane, *inputs)
        given = Neurons(*inputs, zero, zero, 1 / moments.mean, jnp.zeros(()), zero)
        flags = warnings(
            discretisation_errors(space, membrane, given), Walls(jnp.zeros(()), jnp.zeros(()))
        )
        wall, grain = jn.WarningFlag.voltage_wall, jn.WarningFlag.voltage_noise
        return moments.cv[0, 0], flags[wall] | flags[grain]

    inputs = (jnp.array(x) for x in zip(*((c.drive, c.noise) for c in some), strict=True))
    cv, warned = jax.jit(one)(*inputs)
    return np.asarray(cv), np.asarray(warned)
