"""The voltages that densities are drawn over, which the grid stretches for each population."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from ..grid import Grid, VoltageGrid
from ..integrate.solution import Solution
from ..stretched import stretched


class Voltages(NamedTuple):
    """Nodes of k columns `(v, k)`, their resets and thresholds `(k,)`, and a unit of the grid in
    each, `(k,)` (voltage)."""

    nodes: Float[np.ndarray, "v k"]
    reset: Float[np.ndarray, " k"]
    threshold: Float[np.ndarray, " k"]
    unit: Float[np.ndarray, " k"]
    spacing: Float[np.ndarray, " k"]

    @classmethod
    def of(cls, sol: Solution) -> Voltages:
        """Those of a run."""
        grid = sol.solver.grid
        unit = np.asarray(stretched(grid.v, sol.model)[1], float)
        reset = grid.v.reset if sol.model.reset is None else sol.model.reset
        return _stretched(grid.v, unit, np.asarray(reset, float), _columns(grid))

    @classmethod
    def alike(cls, grid: Grid) -> Voltages:
        """Those of the grid, for all columns."""
        return _stretched(grid.v, np.ones(()), np.asarray(grid.v.reset), _columns(grid))

    @property
    def common(self) -> bool:
        """Whether all columns have the same."""
        return bool(np.ptp(self.reset) == 0 and np.ptp(self.unit) == 0)

    def one(self, k: int) -> Voltages:
        """Those of one column."""
        return Voltages(self.nodes[:, k : k + 1], *(x[k : k + 1] for x in self[1:]))


def _columns(grid: Grid) -> int:
    return 1 if grid.populations is None else grid.populations


def _stretched(v: VoltageGrid, unit: np.ndarray, reset: np.ndarray, num: int) -> Voltages:
    unit, reset = (np.broadcast_to(x, (num,)) for x in (unit, reset))
    return Voltages(
        nodes=reset + unit * (v.nodes[:, None].astype(float) - v.reset),
        reset=reset,
        threshold=reset + unit * (v.threshold - v.reset),
        unit=unit,
        spacing=unit * v.spacing,
    )
