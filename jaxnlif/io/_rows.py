"""Rows of numbers from files, with complaints that name the file and the place in it."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path
from tokenize import TokenError

from .._check import check
from .._npy import read_array

FilePath = str | os.PathLike


def rows(path: FilePath) -> Iterator[tuple[str, list[str]]]:
    """Where each row is, and its fields, of a CSV file or, by its name, of an array of NumPy.

    In CSV files text after `#` and blank lines are skipped. Arrays have the shape `(k, c)`, or
    `(k,)` for one column, and become texts that stand for the same numbers.

    **Raises:** `ValueError` if there is no such file.
    """
    if is_array(path):
        for number, row in enumerate(_array(path)):
            yield f"row {number}", [repr(x) for x in row]
        return
    for number, text in enumerate(_text(path).splitlines(), start=1):
        fields = [field.strip() for field in text.split("#")[0].split(",")]
        if fields != [""]:
            yield f"line {number}", fields


def is_array(path: FilePath) -> bool:
    """Whether this is the name of an array of NumPy, which has no header."""
    return Path(path).suffix.lower() == ".npy"


def number(path: FilePath, place: str, field: str) -> float:
    """The finite number that a field holds, or a `ValueError`."""
    check(is_number(field), f"{path}, {place}: {field!r} must be a number")
    check(math.isfinite(float(field)), f"{path}, {place}: {field!r} must be finite")
    return float(field)


def is_number(field: str) -> bool:
    """Whether a field holds a number, which may be NaN or infinite."""
    try:
        float(field)
    except ValueError:
        return False
    return True


def _text(path: FilePath) -> str:
    try:
        return Path(path).read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ValueError(f"{path}: must be a readable file ({error.strerror})") from None
    except UnicodeDecodeError:
        raise ValueError(f"{path}: must be a text file in UTF-8, or end in .npy") from None


def _array(path: FilePath) -> list[list[float]]:
    rule = "must be an array of real numbers with one or two axes, written by numpy.save"
    try:
        array = read_array(path, f"{path}: {rule}")
    except OSError as error:
        raise ValueError(f"{path}: must be a readable file ({error.strerror})") from None
<<<<<<< HEAD
    except (ValueError, EOFError, SyntaxError, TokenError, MemoryError, OverflowError):
        array = None  # damaged
    check(
        isinstance(array, np.ndarray) and array.dtype.kind in "iuf" and array.ndim in (1, 2),
        f"{path}: must be an array of real numbers with one or two axes, written by numpy.save",
    )
    assert isinstance(array, np.ndarray)
=======
    check(array.dtype.kind in "iuf" and array.ndim in (1, 2), f"{path}: {rule}")
>>>>>>> files
    columns = array[:, None] if array.ndim == 1 else array
    return columns.astype(float).tolist()
