"""The data sets of an HDF5 file, of which only what lies in the file itself is read.

HDF5 lets a file name others: by external storage, virtual data sets, and soft and external links.
It also lets few bytes stand for many: by chunks that were never written, and by filters in a row.
All of that is refused before anything is read.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from typing import Any

import numpy as np

from .._check import check
from ..store.npy import room, too_large

_FILTERS = {1: "deflate", 2: "shuffle", 3: "fletcher32"}
"""By the numbers that HDF5 has for them; each at most once."""


def read_groups(
    path: str | os.PathLike, names: tuple[str, ...], foreign: str
) -> list[dict[str, np.ndarray]]:
    """The data sets in some groups of a file, by name: arrays, and single texts.

    **Raises:** `ValueError` if they are not within the file, or declare more than `room` in all;
    `ValueError(foreign)` if HDF5 cannot read it.
    """
    import h5py

    size = os.stat(path).st_size
    try:
        with h5py.File(path, "r") as file:
            found = [dict(_datasets(h5py, path, _group(h5py, path, file, name))) for name in names]
            declared = sum(_bytes(dataset) for group in found for dataset in group.values())
            check(declared <= room(size), too_large(path, declared, size))
            return [{name: _values(h5py, x) for name, x in group.items()} for group in found]
    except (OSError, KeyError, RuntimeError, TypeError, UnicodeDecodeError):
        raise ValueError(foreign) from None


def _group(h5py: Any, path: str | os.PathLike, file: Any, name: str) -> Any:
    """A group of the file, or the file itself for no name."""
    if not name:
        return file
    check(_is_hard(h5py, file, name), f"{path}: {name} must lie in the file itself")
    check(isinstance(file[name], h5py.Group), f"{path}: {name} must be a group")
    return file[name]


def _datasets(h5py: Any, path: str | os.PathLike, group: Any) -> Iterator[tuple[str, Any]]:
    for name in group:
        check(_is_hard(h5py, group, name), f"{path}: {name} must lie in the file itself")
        if isinstance(found := group[name], h5py.Dataset):
            _check_storage(h5py, f"{path}: {name}", found)
            yield name, found


def _is_hard(h5py: Any, group: Any, name: str) -> bool:
    """Whether something is in a group, and not in another file or elsewhere."""
    return isinstance(group.get(name, getlink=True), h5py.HardLink)


def _check_storage(h5py: Any, where: str, dataset: Any) -> None:
    """Requires that the values lie in the file, plain or compressed once."""
    check(dataset.external is None, f"{where} is stored in another file, which is not read")
    check(not dataset.is_virtual, f"{where} is made of other files, which are not read")
    text = h5py.check_string_dtype(dataset.dtype) is not None and dataset.shape == ()
    check(text or dataset.dtype.kind in "biuf", f"{where} must hold numbers")
    plist = dataset.id.get_create_plist()
    filters = [plist.get_filter(k)[0] for k in range(plist.get_nfilters())]
    check(
        set(filters) <= _FILTERS.keys() and len(set(filters)) == len(filters),
        f"{where} has filters {filters}; must be {_FILTERS}, each at most once",
    )


def _bytes(dataset: Any) -> int:
    """The bytes of its values, and of the chunks that hold them, which may reach beyond them."""
    chunk = dataset.chunks or ()
    whole = [-(-n // c) * c for n, c in zip(dataset.shape, chunk, strict=False)]
    return dataset.dtype.itemsize * max(math.prod(dataset.shape), math.prod(whole))


def _values(h5py: Any, dataset: Any) -> np.ndarray:
    text = h5py.check_string_dtype(dataset.dtype) is not None
    return np.asarray(dataset.asstr()[()] if text else dataset[()])
