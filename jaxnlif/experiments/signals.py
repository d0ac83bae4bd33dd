"""Input signals from files."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np

from .._check import check
from ..grid import WeightGrid
from ..model import Tabulated


def read_signal(path: str | os.PathLike, grid: WeightGrid) -> Tabulated:
    """A signal $I(w)$ from a CSV file with two columns, weight and value, and an optional header.

    Text after `#` and blank lines are skipped. Weights must strictly increase, lie on the weight
    grid and reach from its first cell centre to its last (weight units; values in voltage units).

    **Raises:** `ValueError` that names the file, the line, the value and the rule.
    """
    rows = list(_rows(path))
    check(len(rows) >= 2, f"{path}: {len(rows)} rows of numbers; a signal must have at least 2")
    for (_, previous, _), (line, w, _) in pairwise(rows):
        check(
            w > previous,
            f"{path}, line {line}: weight {w:g} follows {previous:g}; weights must increase",
        )
    slack = 1e-9 * (grid.maximum - grid.minimum)
    for line, w, _ in rows:
        check(
            grid.minimum - slack <= w <= grid.maximum + slack,
            f"{path}, line {line}: weight {w:g} must lie on the weight grid, "
            f"from {grid.minimum:g} to {grid.maximum:g}",
        )
    first, last = grid.centers[0], grid.centers[-1]
    for (line, w, _), missing, rule in (
        (rows[0], rows[0][1] > first + slack, f"must start at {first:g} or below"),
        (rows[-1], rows[-1][1] < last - slack, f"must end at {last:g} or above"),
    ):
        check(
            not missing,
            f"{path}, line {line}: weight {w:g}; a signal on the weight grid "
            f"from {grid.minimum:g} to {grid.maximum:g} {rule}",
        )
    _, weights, values = zip(*rows, strict=True)
    return Tabulated(np.array(values), w=np.array(weights))


def _rows(path: str | os.PathLike) -> Iterator[tuple[int, float, float]]:
    """Line number, weight and value of each row."""
    begun = False
    for line, text in enumerate(_text(path).splitlines(), start=1):
        fields = [field.strip() for field in text.split("#")[0].split(",")]
        if fields == [""]:
            continue
        if not begun and not any(map(_is_number, fields)):
            begun = True  # the header
            continue
        begun = True
        check(
            len(fields) == 2,
            f"{path}, line {line}: {text.strip()!r} has {len(fields)} columns; "
            "a row must have 2, weight and value",
        )
        for field in fields:
            check(_is_number(field), f"{path}, line {line}: {field!r} must be a number")
            check(math.isfinite(float(field)), f"{path}, line {line}: {field!r} must be finite")
        yield line, float(fields[0]), float(fields[1])


def _text(path: str | os.PathLike) -> str:
    try:
        return Path(path).read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ValueError(f"{path}: must be a readable file ({error.strerror})") from None
    except UnicodeDecodeError:
        raise ValueError(f"{path}: must be a text file in UTF-8") from None


def _is_number(field: str) -> bool:
    try:
        float(field)
    except ValueError:
        return False
    return True
