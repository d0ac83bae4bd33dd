"""Rows of numbers from CSV and NPY files, with complaints that name the file and the line."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from jaxtyping import Float

from .._check import check

FilePath = str | os.PathLike


def rows(path: FilePath) -> Iterator[tuple[int, list[str]]]:
    """Line number and fields of each row; text after `#` and blank lines are skipped.

    A file `….npy` holds an array of numbers, of which line k is the k-th row.

    **Raises:** `ValueError` if there is no such file.
    """
    if Path(path).suffix == ".npy":
        for line, row in enumerate(_array(path), start=1):
            yield line, [repr(float(number)) for number in row]
        return
    for line, text in enumerate(_text(path).splitlines(), start=1):
        fields = [field.strip() for field in text.split("#")[0].split(",")]
        if fields != [""]:
            yield line, fields


def number(path: FilePath, line: int, field: str) -> float:
    """The finite number that a field holds, or a `ValueError`."""
    check(is_number(field), f"{path}, line {line}: {field!r} must be a number")
    check(math.isfinite(float(field)), f"{path}, line {line}: {field!r} must be finite")
    return float(field)


def is_number(field: str) -> bool:
    """Whether a field holds a number, which may be NaN or infinite."""
    try:
        float(field)
    except ValueError:
        return False
    return True


def _array(path: FilePath) -> Float[np.ndarray, "rows columns"]:
    try:
        array = np.load(path, allow_pickle=False)
    except OSError as error:
        raise ValueError(f"{path}: must be a readable file ({error.strerror})") from None
    except (ValueError, EOFError):
        raise ValueError(f"{path}: must hold an array of numbers in NumPy's format") from None
    kind, shape = array.dtype.kind, array.shape
    check(
        kind in "biuf" and len(shape) == 2,
        f"{path}: {array.dtype}{list(shape)}: must be rows and columns of numbers",
    )
    return array


def _text(path: FilePath) -> str:
    try:
        return Path(path).read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ValueError(f"{path}: must be a readable file ({error.strerror})") from None
    except UnicodeDecodeError:
        raise ValueError(f"{path}: must be a text file in UTF-8") from None
