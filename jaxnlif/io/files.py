"""`save` and `load`: a `Solution` in one file."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from .._check import check
from .._files import read_arrays, write_arrays
from ..solve.solution import Solution
from . import netcdf
from ._versions import versions
from .tree import flatten, unflatten

FORMAT = 1
_KIND = "solution"


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
    description, arrays = flatten(sol)
    content = {"kind": _KIND, "format": FORMAT, "versions": versions(), "solution": description}
    if _is_netcdf(path):
        netcdf.write(path, sol, arrays, content)
    else:
        write_arrays(path, arrays, content)


def load(path: str | os.PathLike, *, types: Iterable[Any] = ()) -> Solution:
    """Reads a solution that `save` wrote.

    Nothing in the file is executed: classes of jaxnlif are restored by their names, others only if
    they are among `types`. Arrays of a dtype that JAX does not hold at present (float64 without
    `jax_enable_x64`) come back as those of NumPy.

    **Arguments:** `path`: the file, ending in `.npz` or `.nc`; `types`: the classes and functions
    of your own in the model, solver or what was saved, such as a drive.

    Only what lies in the file itself is read: links to others, and data sets of NetCDF that are
    stored in others or made of them, are refused. Files hold at most 256 MiB of arrays, or 100
    times their own size if that is more.

    **Raises:** `ValueError` for another suffix, and if the file is damaged, holds no solution or
    anything that `save` does not write, was written by a newer version, or needs other `types`;
    `FileNotFoundError` if there is none; `ImportError` for NetCDF without the extra `io`.
    """
    arrays, content = netcdf.read(path) if _is_netcdf(path) else read_arrays(path)
    kind = content.get("kind")
    check(kind == _KIND, f"{path}: holds no solution, but another result ({kind})")
    found: Any = content.get("format")
    check(type(found) is int, f"{path}: solution format {found}: must be an integer")
    check(
        found <= FORMAT,
        f"{path}: solution format {found} is newer than {FORMAT}, the newest this jaxnlif reads",
    )
    try:
        sol = unflatten(content["solution"], arrays, types)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    except (KeyError, TypeError, AttributeError, IndexError, RecursionError) as error:
        raise ValueError(f"{path}: does not hold what it describes ({error})") from None
    check(isinstance(sol, Solution), f"{path}: holds no solution, but a {type(sol).__name__}")
    return sol


def _is_netcdf(path: str | os.PathLike) -> bool:
    suffix = Path(path).suffix
    check(suffix in (".npz", ".nc"), f"path = {str(path)!r}: must end in .npz or .nc")
    return suffix == ".nc"
