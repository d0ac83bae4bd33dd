"""Input signals from files."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from .._check import check
from ..grid import WeightGrid
from ..model import Tabulated
from ._rows import is_number, number, rows


def read_signal(path: str | os.PathLike, grid: WeightGrid) -> Tabulated:
    """A signal $I(w)$ from a CSV file with two columns, weight and value, and an optional header,
    or from an NPY file with such an array.

    Text after `#` and blank lines are skipped. Weights must strictly increase, lie on the weight
    grid and reach from its first cell centre to its last (weight); values are inputs (voltage).

    **Raises:** `ValueError` that names the file, the line, the value and the rule.
    """
    table = list(_rows(path))
    check(len(table) >= 2, f"{path}: {len(table)} rows of numbers; a signal must have at least 2")
    for (_, previous, _), (line, w, _) in pairwise(table):
        check(
            w > previous,
            f"{path}, line {line}: weight {w:g} follows {previous:g}; weights must increase",
        )
    slack = 1e-9 * (grid.maximum - grid.minimum)
    for line, w, _ in table:
        check(
            grid.minimum - slack <= w <= grid.maximum + slack,
            f"{path}, line {line}: weight {w:g} must lie on the weight grid, "
            f"from {grid.minimum:g} to {grid.maximum:g}",
        )
    first, last = grid.centers[0], grid.centers[-1]
    for (line, w, _), missing, rule in (
        (table[0], table[0][1] > first + slack, f"must start at {first:g} or below"),
        (table[-1], table[-1][1] < last - slack, f"must end at {last:g} or above"),
    ):
        check(
            not missing,
            f"{path}, line {line}: weight {w:g}; a signal on the weight grid "
            f"from {grid.minimum:g} to {grid.maximum:g} {rule}",
        )
    _, weights, values = zip(*table, strict=True)
    return Tabulated(np.array(values), w=np.array(weights))


def _rows(path: str | os.PathLike) -> Iterator[tuple[int, float, float]]:
    """Line number, weight and value of each row."""
    begun = False
    for line, fields in rows(path):
        if not begun and not any(map(is_number, fields)):
            begun = True  # the header
            continue
        begun = True
        check(
            len(fields) == 2,
            f"{path}, line {line}: {','.join(fields)!r} has {len(fields)} columns; "
            "a row must have 2, weight and value",
        )
        weight, value = (number(path, line, field) for field in fields)
        yield line, weight, value
