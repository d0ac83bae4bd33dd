"""Input signals over the weights, from files."""

from __future__ import annotations

import os

import numpy as np

from .._check import check
from ..grid import WeightGrid
from ..io.signal import signal_rows
from ..model import Tabulated


def read_signal(path: str | os.PathLike, grid: WeightGrid) -> Tabulated:
    """A signal $I(w)$ from a file as `jn.io.read_signal` reads it: weights `w` and values.

    Weights must lie on the weight grid and reach from its first cell centre to its last (weight
    units; values in voltage units).

    **Raises:** `ValueError` that names the file, the place in it, the value and the rule.
    """
    table = signal_rows(path, ("w",))
    slack = 1e-9 * (grid.maximum - grid.minimum)
    for place, w, _ in table:
        check(
            grid.minimum - slack <= w <= grid.maximum + slack,
            f"{path}, {place}: weight {w:g} must lie on the weight grid, "
            f"from {grid.minimum:g} to {grid.maximum:g}",
        )
    first, last = grid.centers[0], grid.centers[-1]
    for (place, w, _), missing, rule in (
        (table[0], table[0][1] > first + slack, f"must start at {first:g} or below"),
        (table[-1], table[-1][1] < last - slack, f"must end at {last:g} or above"),
    ):
        check(
            not missing,
            f"{path}, {place}: weight {w:g}; a signal on the weight grid "
            f"from {grid.minimum:g} to {grid.maximum:g} {rule}",
        )
    _, weights, values = zip(*table, strict=True)
    return Tabulated(np.array(values), w=np.array(weights))
