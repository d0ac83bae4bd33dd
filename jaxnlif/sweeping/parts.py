"""The parts of a sweep, of some chunks each: in memory, or in a directory."""

from __future__ import annotations

import abc
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from .._check import check
from ..store.files import read_arrays, write_arrays
from ..store.identity import require_same
from ..store.leaves import from_file, to_file
from .chunks import Chunk

_MANIFEST = "sweep.npz"
_RESULT = "result"


class AbstractParts(abc.ABC):
    """The parts of a sweep by number."""

    @abc.abstractmethod
    def find(self, number: int) -> Chunk | None:
        """A part, if it is there."""

    @abc.abstractmethod
    def save(self, number: int, part: Chunk) -> None:
        """Saves a part."""

    def read(self, number: int) -> Chunk:
        """A part that must be there."""
        part = self.find(number)
        check(part is not None, f"part {number}: is no longer there; run the sweep again")
        assert part is not None
        return part


class PartsInMemory(AbstractParts):
    """The parts in memory."""

    def __init__(self):
        self._parts: dict[int, Chunk] = {}

    def find(self, number: int) -> Chunk | None:
        return self._parts.get(number)

    def save(self, number: int, part: Chunk) -> None:
        self._parts[number] = part


class PartsInDirectory(AbstractParts):
    """Each part in a file of its own, whole or not at all, beside one that says of which sweep."""

    def __init__(self, path: Path, identity: str):
        self._path = path
        self._identity = identity

    def find(self, number: int) -> Chunk | None:
        path = self._file(number)
        try:
            arrays, content = read_arrays(path)
            self._require(path, number, content)
            dtypes = [np.dtype(name) for name in content["dtypes"]]
            leaves = [from_file(arrays[f"leaf_{k}"], dtype) for k, dtype in enumerate(dtypes)]
            return leaves, arrays[_RESULT]
        except FileNotFoundError:
            return None
        except ValueError as error:
            warnings.warn(f"sweep: {error}; it is computed again", stacklevel=4)
            return None

    def _require(self, path: Path, number: int, content: Mapping[str, Any]) -> None:
        """Requires a file to hold this part of this sweep, whatever its name."""
        check(content.get("sweep") == self._identity, f"{path}: is of another sweep")
        found = content.get("number")
        check(found == number, f"{path}: is out of place: it is part {found}")

    def save(self, number: int, part: Chunk) -> None:
        leaves, result = part
        arrays = {f"leaf_{k}": to_file(leaf) for k, leaf in enumerate(leaves)}
        content = {
            "kind": "part of a sweep",
            "sweep": self._identity,
            "number": number,
            "dtypes": [leaf.dtype.name for leaf in leaves],
        }
        write_arrays(self._file(number), {**arrays, _RESULT: result}, content)

    def _file(self, number: int) -> Path:
        return self._path / f"part-{number:04d}.npz"


def known_chunk(directory: Path) -> int | None:
    """The size of the chunks of a sweep that was begun there, if one was."""
    manifest = _read_manifest(directory)
    return None if manifest is None else manifest["chunk"]


def open_directory(
    directory: Path, identity: str, description: Mapping[str, Any], chunk: int
) -> PartsInDirectory:
    """The parts in a directory, which is made if there is none.

    **Raises:** `ValueError`, naming what differs, if another sweep is there, or anything else.
    """
    found = _read_manifest(directory)
    here = {"kind": "sweep", "description": dict(description), "chunk": chunk}
    if found is None:
        # Half-written files of a process that was killed have hidden names.
        others = [path for path in directory.glob("*") if not path.name.startswith(".")]
        # Parts of this very sweep are welcome: its manifest was damaged, and removed.
        sweeps = {_sweep_of(path) for path in others} - {None}
        where = f"directory = {str(directory)!r}"
        check(bool(sweeps) or not others, f"{where}: must be empty, or hold a sweep")
        check(sweeps <= {identity}, f"{where}: holds parts of another sweep, or of another `chunk`")
        directory.mkdir(parents=True, exist_ok=True)
        write_arrays(directory / _MANIFEST, {}, here)
    else:
        require_same(
            f"directory = {str(directory)!r}: holds another sweep",
            {**found["description"], "chunk": found["chunk"]},
            {**description, "chunk": chunk},
        )
    return PartsInDirectory(directory, identity)


def _read_manifest(directory: Path) -> dict[str, Any] | None:
    where = f"directory = {str(directory)!r}"
    check(not directory.exists() or directory.is_dir(), f"{where}: must be a directory")
    try:
        _, content = read_arrays(directory / _MANIFEST)
    except FileNotFoundError:
        return None
    except ValueError as error:
        rule = "if it is damaged, remove it: the same call goes on from the parts that are intact"
        raise ValueError(f"{error}; {rule}") from None
    kind = content.get("kind")
    check(kind == "sweep", f"{where}: holds no sweep, but another result ({kind})")
    return content


def _sweep_of(part: Path) -> str | None:
    """The sweep that a file says it is a part of; of one that is damaged, none."""
    try:
        return read_arrays(part)[1].get("sweep")
    except ValueError:
        return None
