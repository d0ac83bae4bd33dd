"""States in a directory: files that verify themselves, of which the newest are kept."""

from __future__ import annotations

import hashlib
import re
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from .._check import check
from .files import pack, read_arrays, write_bytes
from .identity import differences, require_same

FORMAT = 2
_NAME = re.compile(r"state-(\d+)-([0-9a-f]{64})\.npz")


class Saved(NamedTuple):
    """What a file holds."""

    path: Path
    number: int
    arrays: dict[str, np.ndarray]
    metadata: dict[str, Any]


class Rotation(NamedTuple):
    """Files `state-NUMBER-SHA256.npz`, of which the `keep` with the highest numbers remain.

    The name carries the checksum of the content, and the content its number: a file that was cut
    off, changed or renamed shows it, and the one before it is there.
    """

    directory: Path
    keep: int = 2

    def write(
        self, number: int, arrays: Mapping[str, np.ndarray], metadata: Mapping[str, Any]
    ) -> None:
        """Writes one more file, whole or not at all, then removes what it makes needless.

        Those of higher numbers go too: they are of a past that this one has left.
        """
        header = {
            "version": _version(),
            "machine": _machine(),
            "number": number,
            "content": dict(metadata),
        }
        content = pack(arrays, header, compressed=False)
        checksum = hashlib.sha256(content).hexdigest()
        path = self.directory / f"state-{number:010d}-{checksum}.npz"
        write_bytes(path, content)
        self.forget(after=number)
        older = [other for other in self._paths() if other != path]
        for other in older[self.keep - 1 :]:
            other.unlink()
        for partial in self.directory.glob(".state-*.npz"):  # of a process that was killed
            partial.unlink()

    def forget(self, *, after: int) -> None:
        """Removes the files of all higher numbers."""
        for path in self._paths():
            if _number(path) > after:
                path.unlink()

    def intact(self) -> Iterator[Saved]:
        """What the files hold, newest first. Warnings name those that are damaged or renamed, and
        one that was written where round-off may be another.

        **Raises:** `ValueError` if another version of jaxnlif wrote it.
        """
        for path in self._paths():
            fault = "is damaged: its content is not what its name says"
            if _checksum(path) == path.stem.split("-")[2]:
                saved = _read(path)
                if saved.number == _number(path):
                    yield saved
                    continue
                fault = f"is out of place: it is number {saved.number}"
            warnings.warn(
                f"checkpoint: {path} {fault}; an older one is used, if there is one", stacklevel=2
            )

    def _paths(self) -> list[Path]:
        """All files, newest first."""
        if not self.directory.is_dir():
            return []
        found = [x for x in self.directory.iterdir() if _NAME.fullmatch(x.name) and x.is_file()]
        return sorted(found, key=lambda path: (_number(path), path.name), reverse=True)


def _read(path: Path) -> Saved:
    arrays, header = read_arrays(path)
    parts = ("version", "machine", "content")
    known = all(isinstance(header.get(name), dict) for name in parts)
    check(known, f"checkpoint: {path} holds none, but another result")
    require_same(f"checkpoint: {path} is of another version", header["version"], _version())
    moved = differences(header["machine"], _machine())
    if moved:
        warnings.warn(
            f"checkpoint: {path} was written elsewhere, by {'; '.join(moved)}: what follows may "
            "differ in the last bits",
            stacklevel=3,
        )
    return Saved(path, header["number"], arrays, header["content"])


def _checksum(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _version() -> dict[str, Any]:
    """What must be the same for a file to be understood."""
    from .. import __version__  # only here: it is defined after this module is imported

    return {"format": FORMAT, "jaxnlif": __version__}


def _machine() -> dict[str, Any]:
    """What must be the same for numbers to be the same to the last bit."""
    return {"jax": jax.__version__, "device": jax.devices()[0].device_kind}


def _number(path: Path) -> int:
    return int(path.name.split("-")[1])
