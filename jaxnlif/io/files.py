"""`save` and `load`: a `Solution` in one file, and the other files that jaxnlif writes."""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from .._check import check
from ..integrate.solution import Solution
from ..store.files import read_arrays, write_arrays
from ..store.tree import flatten, unflatten
from . import netcdf
from ._versions import versions
from .classes import known, own

FORMAT = 1
_KIND = "solution"
_SWEEP = "belongs to a sweep; jn.sweep, called again with this directory, reads it"
_STATE = "belongs to a checkpoint; the call that wrote it, made again, goes on from it"
_FIGURE = "is a figure, which holds no numbers"
_SIGNAL = "holds rows of numbers; jn.io.read_signal reads it"
_ELSEWHERE = {
    **dict.fromkeys((".png", ".pdf", ".svg", ".gif", ".mp4"), _FIGURE),
    **dict.fromkeys((".csv", ".npy"), _SIGNAL),
    ".bin": _STATE,
}


class Results(NamedTuple):
    """What a named run, `jaxnlif run ...`, has written.

    - `arrays`: by name, as the documentation of the run describes them.
    - `metadata`: the settings and findings beside them.
    """

    arrays: dict[str, np.ndarray]
    metadata: dict[str, Any]


def save(path: str | os.PathLike, sol: Any) -> None:
    """Writes a solution to a file, whole or not at all.

    With it go the model, the solver with its grid, the last state and the versions of what made it,
    so that `load` gives an equal `Solution`.

    **Arguments:**

    - `path`: ends in `.npz` (compressed NumPy arrays) or in `.nc` (NetCDF, the dataset of
      `to_xarray` with what `load` needs besides; needs the extra `io`).
    - `sol`: a `Solution`, also one of `vmap`.

    **Raises:** `ValueError` for another suffix, for what is no solution, and if the model, the
    solver or what `SaveAt.fn` saved holds something that cannot be written, or a class or function
    of your own with the name of a class of jaxnlif; `ImportError` without the extra; `OSError` if
    the file cannot be written, which leaves what was there before.
    """
    check(isinstance(sol, Solution), f"sol = {type(sol).__name__}: must be a Solution")
    description, arrays = flatten(sol, own())
    content = {"kind": _KIND, "format": FORMAT, "versions": versions(), "solution": description}
    suffix = Path(path).suffix
    check(suffix in (".npz", ".nc"), f"path = {str(path)!r}: must end in .npz or .nc")
    if suffix == ".nc":
        netcdf.write(path, sol, arrays, content)
    else:
        write_arrays(path, arrays, content)


def load(path: str | os.PathLike, *, types: Iterable[Any] = ()) -> Any:
    """Reads a file that jaxnlif wrote: a solution of `save`, or what a named run has left.

    Nothing in the file is executed: classes of jaxnlif are restored by their names, others only if
    they are among `types`. Arrays of a dtype that JAX does not hold at present (float64 without
    `jax_enable_x64`) come back as those of NumPy.

    **Arguments:** `path`: the file; `types`: the classes and functions of your own in the model,
    solver or what was saved, such as a drive.

    Only what lies in the file itself is read: links to others, and data sets of NetCDF that are
    stored in others or made of them, are refused. Files hold at most 256 MiB of arrays, or 100
    times their own size if that is more.

    **Returns:** from `.npz` or `.nc` a `Solution`; from the `.npz` of `jaxnlif run ...` its
    `Results`; from `fit.json` and `config.toml` what they say, a dictionary.

    **Raises:** `ValueError` for parts of a sweep or checkpoint, figures, and tables, saying what
    reads them; if the file is damaged, is not jaxnlif's or holds anything that is not, was written
    by a newer version, or needs other `types`; `FileNotFoundError` if there is none; `ImportError`
    for NetCDF without the extra `io`.
    """
    path = Path(path)
    check(not path.is_dir(), f"{path}: is a directory; load takes one file in it")
    match path.suffix:
        case ".json" | ".toml":
            return _text(path)
        case ".nc":
            arrays, content = netcdf.read(path)
        case ".npz":
            arrays, content = read_arrays(path)
        case suffix:
            where = _ELSEWHERE.get(suffix, "must end in .npz, .nc, .json or .toml")
            raise ValueError(f"{path}: {where}")
    kind = content.get("kind")
    check(not str(kind).endswith("sweep"), f"{path}: {_SWEEP}")
    check("machine" not in content, f"{path}: {_STATE}")
    if kind is None:
        return Results(arrays, content)
    check(kind == _KIND, f"{path}: holds no solution, but another result ({kind})")
    found: Any = content.get("format")
    check(type(found) is int, f"{path}: solution format {found}: must be an integer")
    check(
        found <= FORMAT,
        f"{path}: solution format {found} is newer than {FORMAT}, the newest this jaxnlif reads",
    )
    try:
        sol = unflatten(content["solution"], arrays, known(types))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    except (KeyError, TypeError, AttributeError, IndexError, RecursionError) as error:
        raise ValueError(f"{path}: does not hold what it describes ({error})") from None
    check(isinstance(sol, Solution), f"{path}: holds no solution, but a {type(sol).__name__}")
    return sol


def _text(path: Path) -> dict[str, Any]:
    """What a file of settings or findings says."""
    read = json.loads if path.suffix == ".json" else tomllib.loads
    foreign = f"{path}: must be a {path.suffix[1:].upper()} file that jaxnlif wrote, and undamaged"
    try:
        content = read(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError):
        raise ValueError(foreign) from None
    check(isinstance(content, dict), foreign)
    return content
