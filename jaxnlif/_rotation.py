"""States in a directory: files that verify themselves, of which the newest are kept."""

from __future__ import annotations

import errno
import hashlib
import re
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from ._check import check
from ._describe import differences
from ._files import pack, read_arrays, write_atomically

try:
    import fcntl
except ImportError:  # not a POSIX system: nothing keeps two processes apart there
    fcntl = None

FORMAT = 1
_NAME = re.compile(r"state-(\d+)-([0-9a-f]{64})\.npz")
_FULL = (errno.ENOSPC, errno.EDQUOT)
_NO_LOCKS = (errno.ENOLCK, errno.ENOTSUP)  # of file systems that have none


class Saved(NamedTuple):
    """What a file holds."""

    path: Path
    number: int
    arrays: dict[str, np.ndarray]
    metadata: dict[str, Any]


class Rotation(NamedTuple):
    """Files `state-NUMBER-SHA256.npz`, of which the `keep` with the highest numbers remain.

    The name carries the checksum of the content: a file that was cut off or changed shows it, and
    the one before it is there.
    """

    directory: Path
    keep: int = 2

    def write(
        self, number: int, arrays: Mapping[str, np.ndarray], metadata: Mapping[str, Any]
    ) -> None:
        """Writes one more file, whole or not at all, then removes what it makes needless.

        Those of higher numbers go too: they are of a past that this one has left.
        """
        header = {"version": _version(), "machine": _machine(), "content": dict(metadata)}
        content = pack(arrays, header, compressed=False)
        checksum = hashlib.sha256(content).hexdigest()
        path = self.directory / f"state-{number:010d}-{checksum}.npz"
        with write_atomically(path) as partial:
            partial.write_bytes(content)
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
        """What the files hold, newest first. Warnings name those that are damaged, and one that was
        written where round-off may be another.

        **Raises:** `ValueError` if another version of jaxnlif wrote it.
        """
        for path in self._paths():
            with open(path, "rb") as file:
                checksum = hashlib.file_digest(file, "sha256").hexdigest()
            if path.name.endswith(f"-{checksum}.npz"):
                yield _read(path)
            else:
                warnings.warn(
                    f"checkpoint: {path} is damaged: its content is not what its name says; "
                    "an older one is used, if there is one",
                    stacklevel=2,
                )

    def _paths(self) -> list[Path]:
        """All files, newest first."""
        if not self.directory.is_dir():
            return []
        found = [path for path in self.directory.iterdir() if _NAME.fullmatch(path.name)]
        return sorted(found, key=lambda path: (_number(path), path.name), reverse=True)


def _read(path: Path) -> Saved:
    arrays, header = read_arrays(path)
    differing = differences(header["version"], _version())
    check(not differing, f"checkpoint: {path} is of another version: {'; '.join(differing)}")
    moved = differences(header["machine"], _machine())
    if moved:
        warnings.warn(
            f"checkpoint: {path} was written elsewhere, by {'; '.join(moved)}: what follows may "
            "differ in the last bits",
            stacklevel=3,
        )
    return Saved(path, _number(path), arrays, header["content"])


def _version() -> dict[str, Any]:
    """What must be the same for a file to be understood."""
    from . import __version__  # only here: it is defined after this module is imported

    return {"format": FORMAT, "jaxnlif": __version__}


def _machine() -> dict[str, Any]:
    """What must be the same for numbers to be the same to the last bit."""
    return {"jax": jax.__version__, "device": jax.devices()[0].device_kind}


def _number(path: Path) -> int:
    return int(path.name.split("-")[1])


@contextmanager
def exclusive(directory: Path) -> Iterator[None]:
    """Keeps other processes out of a directory, which is made if need be.

    **Raises:** `OSError` if another run is in it, or it cannot be written.
    """
    directory.mkdir(parents=True, exist_ok=True)
    with open(directory / "lock", "a") as file:
        if fcntl is not None:
            # Given back when the process ends, however it ends.
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise BlockingIOError(
                    f"checkpoint: another run is writing to {str(directory)!r}; "
                    "give each a directory of its own"
                ) from None
            except OSError as error:
                if error.errno not in _NO_LOCKS:
                    raise
        yield


@contextmanager
def going_on_if_full(directory: Path) -> Iterator[None]:
    """Makes a full disk a warning, so that a long run does not die of it."""
    try:
        yield
    except OSError as error:
        if error.errno not in _FULL:
            raise
        warnings.warn(
            f"checkpoint: {str(directory)!r}: {error.strerror}; the run goes on, "
            "and the checkpoint before this one is kept",
            stacklevel=3,
        )
