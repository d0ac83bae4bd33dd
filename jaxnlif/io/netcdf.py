"""A solution as a NetCDF file: the dataset that others read, and a group with all the rest.

After its end, where no reader of NetCDF looks, the file has a checksum: HDF5 verifies little, and a
damaged file may lead it anywhere.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from .._check import check
from .._files import write_atomically
from ..solve.solution import Solution
from ._extra import require_xarray
from .dataset import to_xarray

_GROUP = "jaxnlif"
_CONTENT = "content"
_ENGINE: Any = "h5netcdf"
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
    dataset = to_xarray(sol)
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
    with write_atomically(path) as partial:
        for mode, name, part in (("w", None, dataset), ("a", _GROUP, group)):
            part.to_netcdf(
                partial,
                mode=mode,
                group=name,
                engine=_ENGINE,
                encoding={key: _encoding(part[key]) for key in part.variables},
            )
        seal = _seal(partial, partial.stat().st_size)
        with open(partial, "ab") as file:
            file.write(seal)


def read(path: str | os.PathLike) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """The arrays and the content that `write` put into a file.

    **Raises:** `ValueError` if it is no such file or damaged; `FileNotFoundError` if there is none.
    """
    xarray = require_xarray()

    def variables(group: str | None) -> dict[str, np.ndarray]:
        options: Any = {"engine": _ENGINE, "decode_cf": False}
        with xarray.open_dataset(path, group=group, **options) as dataset:
            return {str(name): variable.values for name, variable in dataset.variables.items()}

    foreign = f"{path}: must be a NetCDF file written by jaxnlif.io.save, and undamaged"
    check(_is_sealed(Path(path)), foreign)
    arrays = variables(_GROUP)
    content = json.loads(str(arrays.pop(_CONTENT)))
    dataset = variables(None)
    for name, variable in content["shared"].items():
        arrays[name] = dataset[variable].reshape(content["shapes"][name])
    return arrays, content


def _is_sealed(path: Path) -> bool:
    """Whether a file is as it was when `write` ended."""
    length = path.stat().st_size - _SEAL_LENGTH
    if length < 0:
        return False
    with open(path, "rb") as file:
        file.seek(length)
        found = file.read()
    return found == _seal(path, length)


def _seal(path: Path, length: int) -> bytes:
    """What follows after so many bytes of a file."""
    checksum = hashlib.sha256()
    with open(path, "rb") as file:
        while length > 0:
            block = file.read(min(length, 2**20))
            checksum.update(block)
            length -= len(block)
    return _SEAL + checksum.hexdigest().encode()


def _encoding(variable: Any) -> dict[str, Any]:
    """Compressed, and without a number that stands for a missing one."""
    plain = {"_FillValue": None} if variable.dtype.kind == "f" else {}
    if variable.size == 0 or variable.ndim == 0:
        return plain
    return {**plain, "zlib": True, "complevel": 4}
