"""`read_signal`: a measured signal, for a drive."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from .._check import check
from ._rows import is_number, number, rows


class Signal(NamedTuple):
    """Values `(k,)` at increasing `x`, `(k,)`, in the units of the file."""

    x: Float[np.ndarray, " k"]
    values: Float[np.ndarray, " k"]


def read_signal(path: str | os.PathLike) -> Signal:
    """A signal from a file of two columns: times or weights that increase, and values.

    From a CSV file, with or without a header, in which text after `#` and blank lines are skipped;
    or from an array of shape `(k, 2)` in a `.npy` file.

    ```python
    t, current = jn.io.read_signal("stimulus.csv")
    drive = jn.Tabulated(current, t=t)
    ```

    **Arguments:** `path`: of the file.

    **Raises:** `ValueError` that names the file, the place in it, the value and the rule.
    """
    _, x, values = zip(*signal_rows(path), strict=True)
    return Signal(np.array(x), np.array(values))


def signal_rows(path: str | os.PathLike) -> list[tuple[str, float, float]]:
    """Where each row of a signal is, and its two numbers. **Raises:** as `read_signal`."""
    table = list(_rows(path))
    check(len(table) >= 2, f"{path}: {len(table)} rows of numbers; a signal must have at least 2")
    for (_, previous, _), (place, x, _) in pairwise(table):
        check(
            x > previous,
            f"{path}, {place}: {x:g} follows {previous:g}; the first column must increase",
        )
    return table


def _rows(path: str | os.PathLike) -> Iterator[tuple[str, float, float]]:
    begun = False
    for place, fields in rows(path):
        if not begun and not any(map(is_number, fields)):
            begun = True  # the header
            continue
        begun = True
        check(
            len(fields) == 2,
            f"{path}, {place}: {','.join(fields)!r} has {len(fields)} columns; a row must have 2",
        )
        x, value = (number(path, place, field) for field in fields)
        yield place, x, value
