"""A solution as a NetCDF file: the dataset that others read, and a group with all the rest.

After its end, where no reader of NetCDF looks, the file has a checksum: HDF5 verifies little, and a
damaged file may lead it anywhere.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from .._check import check
from ..integrate.solution import Solution
from ..store.files import write_bytes
from ..store.npy import check_file, room
from ._extra import require_xarray
from ._hdf5 import read_groups
from .dataset import numbered

_GROUP = "jaxnlif"
_CONTENT = "content"
_SEAL = b"jaxnlif sha256 "
_SEAL_LENGTH = len(_SEAL) + 64


def write(
    path: str | os.PathLike,
    sol: Solution,
    arrays: Mapping[str, np.ndarray],
    content: Mapping[str, Any],
) -> None:
    """Writes the dataset of a solution; what is not in it goes, with `content`, into a group.

    **Raises:** `ValueError` if complex numbers were saved, which NetCDF does not know.
    """
    xarray = require_xarray()
    for name, array in arrays.items():
        check(array.dtype.kind != "c", f"{name}: NetCDF knows no complex numbers; save as .npz")
    dataset = numbered(sol)
    shared = {"saved": "density"} if sol.holds_density else {}
    for name, array in arrays.items():
        if name in dataset.data_vars and dataset[name].dtype == array.dtype:
            shared[name] = name
    shapes = {name: arrays[name].shape for name in shared}
    text = json.dumps({**content, "shared": shared, "shapes": shapes})
    rest = {
        name: ([f"{name}_{axis}" for axis in range(array.ndim)], array)
        for name, array in arrays.items()
        if name not in shared
    }
    group = xarray.Dataset({_CONTENT: ((), text), **rest})
    written = _in_memory({"": dataset, _GROUP: group}, compressed=True)
    if sum(part.nbytes for part in (dataset, group)) > room(len(written)) // 2:
        written = _in_memory({"": dataset, _GROUP: group}, compressed=False)
    write_bytes(path, written, _seal(hashlib.sha256(written)))


def read(path: str | os.PathLike) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """The arrays and the content that `write` put into a file.

    **Raises:** `ValueError` if it is no such file, damaged, or has anything that `write` does not
    put into one; `FileNotFoundError` if there is none.
    """
    require_xarray()
    foreign = f"{path}: must be a NetCDF file written by jaxnlif.io.save, and undamaged"
    check_file(path, foreign)
    check(_is_sealed(Path(path)), foreign)
    dataset, arrays = read_groups(path, ("", _GROUP), foreign)
    try:
        content = json.loads(str(arrays.pop(_CONTENT)))
        for name, variable in content["shared"].items():
            arrays[name] = dataset[variable].reshape(content["shapes"][name])
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError):
        raise ValueError(foreign) from None
    return arrays, content


def _in_memory(groups: Mapping[str, Any], *, compressed: bool) -> memoryview:
    """The file of these datasets: HDF5 does not survive that a disk is full when it closes one."""
    import h5netcdf
    from xarray.backends import H5NetCDFStore

    content = io.BytesIO()
    with h5netcdf.File(content, "w") as file:
        for name, part in groups.items():
            store = H5NetCDFStore(file.create_group(name) if name else file)
            encoding = {key: _encoding(part[key], compressed) for key in part.variables}
            part.dump_to_store(store, encoding=encoding)
    return content.getbuffer()


def _is_sealed(path: Path) -> bool:
    """Whether a file is as it was when `write` ended."""
    left = path.stat().st_size - _SEAL_LENGTH
    checksum = hashlib.sha256()
    with open(path, "rb") as file:
        while left > 0 and (block := file.read(min(left, 2**20))):
            checksum.update(block)
            left -= len(block)
        return left == 0 and file.read() == _seal(checksum)


def _seal(checksum: Any) -> bytes:
    """What follows after bytes of this checksum."""
    return _SEAL + checksum.hexdigest().encode()


def _encoding(variable: Any, compressed: bool) -> dict[str, Any]:
    """Without a number that stands for a missing one."""
    plain = {"_FillValue": None} if variable.dtype.kind == "f" else {}
    if variable.size == 0 or variable.ndim == 0 or not compressed:
        return plain
    return {**plain, "zlib": True, "complevel": 4}
