"""Tables of numbers from files, with complaints that name the file and the place in it."""

from __future__ import annotations

import csv
import math
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from .._check import check
from ..store.npy import read_array

FilePath = str | os.PathLike

_DELIMITERS = ";\t,"
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")


class Table(NamedTuple):
    """Rows of a file, each with the place where it is.

    - `names`: those of the columns in small letters, or `None` where the file has no header.
    - `place`: where the header is; `places`, `rows`: where each row is, and its fields.
    """

    path: FilePath
    names: tuple[str, ...] | None
    place: str
    places: list[str]
    rows: list[list[str]]

    def named(self, names: Sequence[str]) -> Table:
        """The table with these names of its columns; every row must have as many.

        **Raises:** `ValueError` that names the row.
        """
        header = ",".join(names)
        for place, row in zip(self.places, self.rows, strict=True):
            more = "; a comma parts columns, not decimals" if len(row) > len(names) else ""
            check(
                len(row) == len(names),
                f"{self.path}, {place}: {','.join(row)!r} has {len(row)} columns; "
                f"a row must have {len(names)}, {header}{more}",
            )
        return self._replace(names=tuple(names))

    def column(self, name: str) -> list[float]:
        """The numbers of a column of a table with names.

        **Raises:** `ValueError` that names the place of what is no finite number.
        """
        assert self.names is not None
        index = self.names.index(name)
        rows = zip(self.places, self.rows, strict=True)
        return [_number(self.path, place, row[index]) for place, row in rows]


def read_table(path: FilePath) -> Table:
    """The table in a CSV file or, by its name, in an array of NumPy, which has no header.

    Commas, semicolons or tabs part the columns, quotes may stand around fields, and text after `#`
    and blank lines are skipped. The first row is the header if no field of it is a number. Arrays
    have the shape `(k, c)`, or `(k,)` for one column, and become texts that stand for the same
    numbers.

    **Raises:** `ValueError` if there is no such file, or a name is there twice.
    """
    if Path(path).suffix.lower() == ".npy":
        rows = [[repr(x) for x in row] for row in _array(path)]
        return Table(path, None, "", [f"row {k}" for k in range(len(rows))], rows)
    lines = list(_lines(path))
    places, rows = [place for place, _ in lines], [fields for _, fields in lines]
    if not rows or any(map(_is_number, rows[0])):
        return Table(path, None, places[0] if places else "", places, rows)
    names = tuple(field.lower() for field in rows[0])
    twice = [name for name in names if names.count(name) > 1]
    check(not twice, f"{path}, {places[0]}: names a column twice, {', '.join(twice[:1])}")
    return Table(path, names, places[0], places[1:], rows[1:])


def _lines(path: FilePath) -> Iterator[tuple[str, list[str]]]:
    """Where each line with something in it is, and its fields."""
    delimiter = None
    for number, text in enumerate(_text(path).splitlines(), start=1):
        text = text.split("#")[0].strip(" ")
        if not text.strip():
            continue
        if delimiter is None:
            delimiter = next((d for d in _DELIMITERS if d in text), ",")
        try:
            (fields,) = csv.reader([text], delimiter=delimiter, skipinitialspace=True, strict=True)
        except (csv.Error, ValueError):
            raise ValueError(f"{path}, line {number}: {text!r} must close its quotes") from None
        yield f"line {number}", [field.strip() for field in fields]


def _number(path: FilePath, place: str, field: str) -> float:
    """The finite number that a field holds, or a `ValueError`."""
    check(
        not _is_number(field.replace(",", ".")) or "," not in field,
        f"{path}, {place}: {field!r} must be a number with a decimal point, not a comma",
    )
    check(_is_number(field), f"{path}, {place}: {field!r} must be a number")
    check(math.isfinite(float(field)), f"{path}, {place}: {field!r} must be finite")
    return float(field)


def _is_number(field: str) -> bool:
    """Whether a field holds a number, which may be NaN or infinite."""
    try:
        float(field)
    except ValueError:
        return False
    return "_" not in field


def _text(path: FilePath) -> str:
    try:
        content = Path(path).read_bytes()
        text = content.decode("utf-16" if content.startswith(_UTF_16) else "utf-8-sig")
    except OSError as error:
        raise ValueError(f"{path}: must be a readable file ({error.strerror})") from None
    except UnicodeDecodeError:
        text = "\0"
    check("\0" not in text, f"{path}: must be a text file in UTF-8, or end in .npy")
    return text


def _array(path: FilePath) -> list[list[float]]:
    rule = "must be an array of real numbers with one or two axes, written by numpy.save"
    try:
        array = read_array(path, f"{path}: {rule}")
    except OSError as error:
        raise ValueError(f"{path}: must be a readable file ({error.strerror})") from None
    check(array.dtype.kind in "iuf" and array.ndim in (1, 2), f"{path}: {rule}")
    columns = array[:, None] if array.ndim == 1 else array
    return columns.astype(float).tolist()
