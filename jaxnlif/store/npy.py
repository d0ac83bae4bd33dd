"""Arrays in the formats of NumPy, read so that a damaged or forged file can only be refused."""

from __future__ import annotations

import math
import os
import warnings
import zipfile
from typing import Any

import numpy as np
from numpy.lib import format as npy

from .._check import check

_ALWAYS = 2**28
_TIMES = 100
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


def room(size: int) -> int:
    """How many bytes of arrays a file of so many bytes may hold: 256 MiB, or 100 times its size if
    that is more. What compresses better is written without compression."""
    return max(_ALWAYS, _TIMES * size)


def check_file(path: str | os.PathLike, foreign: str) -> None:
    """Requires a regular file: directories cannot be read, and pipes and devices may never end.

    **Raises:** `FileNotFoundError` if there is nothing, `ValueError(foreign)` for another thing.
    """
    os.stat(path)
    check(os.path.isfile(path), foreign)


def read_array(path: str | os.PathLike, foreign: str) -> np.ndarray:
    """The array in a `.npy` file.

    **Raises:** `ValueError(foreign)` if it is no such file, or not as long as its header says;
    `OSError` if it cannot be read.
    """
    check_file(path, foreign)
    with open(path, "rb") as file:
        try:
            return _read(file, os.fstat(file.fileno()).st_size)
        except Exception:
            # Parsers raise errors of any kind for bytes that are none of theirs.
            raise ValueError(foreign) from None


def read_archive(path: str | os.PathLike, foreign: str) -> dict[str, np.ndarray]:
    """The arrays in a `.npz` file by their names.

    **Raises:** `ValueError` as `read_array` does, and if the file declares more than `room`.
    """
    check_file(path, foreign)
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        try:
            with zipfile.ZipFile(file) as archive:
                entries = archive.infolist()
                declared = sum(entry.file_size for entry in entries)
                if declared <= room(size):
                    return _read_entries(archive, entries)
        except Exception:
            raise ValueError(foreign) from None
    raise ValueError(too_large(path, declared, size))


def too_large(path: str | os.PathLike, declared: int, size: int) -> str:
    """The complaint about a file that declares more bytes than there is room for."""
    return (
        f"{path}: declares {declared} bytes of arrays; a file of {size} bytes may hold at most "
        f"{room(size)}, which is 256 MiB, or {_TIMES} times its size"
    )


def _read_entries(archive: zipfile.ZipFile, entries: list[Any]) -> dict[str, np.ndarray]:
    names = [entry.filename for entry in entries]
    check(len(set(names)) == len(names), "names: must differ")
    found = {}
    for entry in entries:
        check(entry.compress_type in _METHODS, "method: must be one of NumPy")
        with archive.open(entry) as file:
            found[entry.filename.removesuffix(".npy")] = _read(file, entry.file_size)
    return found


def _read(file: Any, size: int) -> np.ndarray:
    """The array that fills a file of so many bytes; any error if it does not."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of headers as Python 2 wrote them, which are fine
        version = npy.read_magic(file)
        check(version in ((1, 0), (2, 0)), "version: must be one that plain arrays have")
        header = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        shape, _, dtype = header(file)
        check(min(shape, default=0) >= 0, "shape: must not be negative")
        # Numbers without bytes, as texts of length 0, would be as many as one likes.
        check(not dtype.hasobject and dtype.itemsize > 0, "dtype: must be one of plain numbers")
        check(file.tell() + math.prod(shape) * dtype.itemsize == size, "size: must be as declared")
        file.seek(0)
        return npy.read_array(file, allow_pickle=False)
