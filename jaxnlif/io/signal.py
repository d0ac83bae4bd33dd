"""`read_signal`: a measured signal, for a drive."""

from __future__ import annotations

import os
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from .._check import check
from ._rows import Table, read_table

_VALUE = "value"


class Signal(NamedTuple):
    """Values `(k,)` at increasing `x`, `(k,)`, in the units of the file."""

    x: Float[np.ndarray, " k"]
    values: Float[np.ndarray, " k"]


def read_signal(path: str | os.PathLike) -> Signal:
    """A signal from a file of two columns: times or weights that increase, and values.

    From a CSV file or from an array of shape `(k, 2)` in a `.npy` file. The header, if there is
    one, tells which column is which: `t` or `w`, and `value` or another name, in any order; without
    one times or weights come first. Commas, semicolons or tabs part the columns, quotes may stand
    around them, text after `#` and blank lines are skipped; numbers have decimal points.

    ```python
    t, current = jn.io.read_signal("stimulus.csv")
    drive = jn.Tabulated(current, t=t)
    ```

    **Arguments:** `path`: of the file.

    **Raises:** `ValueError` that names the file, the place in it, the value and the rule.
    """
    _, x, values = zip(*signal_rows(path, ("t", "w")), strict=True)
    return Signal(np.array(x), np.array(values))


def signal_rows(path: str | os.PathLike, axes: Sequence[str]) -> list[tuple[str, float, float]]:
    """Where each row of a signal over one of these axes is, and its two numbers.

    **Raises:** as `read_signal`.
    """
    table = read_table(path)
    x, value = (axes[0], _VALUE) if table.names is None else _columns(table, axes)
    table = table.named((x, value) if table.names is None else table.names)
    rows = list(zip(table.places, table.column(x), table.column(value), strict=True))
    check(len(rows) >= 2, f"{path}: {len(rows)} rows of numbers; a signal must have at least 2")
    for (_, previous, _), (place, here, _) in pairwise(rows):
        check(
            here > previous,
            f"{path}, {place}: {here:g} follows {previous:g}; the column of {x} must increase",
        )
    return rows


def _columns(table: Table, axes: Sequence[str]) -> tuple[str, str]:
    """The names of the two columns of a signal."""
    assert table.names is not None
    found = [name for name in table.names if name in axes]
    check(
        len(found) == 1 and len(table.names) == 2,
        f"{table.path}, {table.place}: {','.join(table.names)!r} must name two columns, "
        f"{' or '.join(axes)} and {_VALUE}, parted by a comma",
    )
    (value,) = (name for name in table.names if name not in axes)
    return found[0], value
