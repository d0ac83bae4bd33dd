"""Directories in which one process at a time saves a computation, to resume it after any end."""

from __future__ import annotations

import abc
import errno
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from .._check import check
from .files import lock
from .identity import require_same
from .rotation import Rotation, Saved

_NOTHING: Mapping[str, Any] = MappingProxyType({})
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class AbstractIdentity(abc.ABC):
    """What distinguishes a computation from others."""

    @abc.abstractmethod
    def metadata(self) -> dict[str, Any]:
        """The entries of a file that state it."""

    @abc.abstractmethod
    def require(self, directory: Path, metadata: Mapping[str, Any]) -> None:
        """Requires that a file in this directory states the same.

        **Raises:** `ValueError` that names what differs.
        """


@dataclass(frozen=True)
class Identity(AbstractIdentity):
    """A `kind` of computation, such as a run or a fit, and the `summary` of its arguments."""

    kind: str
    summary: Mapping[str, Any]

    def metadata(self) -> dict[str, Any]:
        return {self.kind: dict(self.summary)}

    def require(self, directory: Path, metadata: Mapping[str, Any]) -> None:
        where, found = f"checkpoint: {str(directory)!r}", metadata.get(self.kind)
        check(isinstance(found, dict), f"{where} holds no {self.kind}, but another checkpoint")
        require_same(f"{where} holds another {self.kind}", found or {}, self.summary)


class Directory:
    """Saves the states of one computation, of which the newest are kept.

    A state is written whole or not at all. As a context manager it keeps other processes out, and
    on exit closes what is in the stack `open`.

    **Arguments:**

    - `path`: where; made if need be.
    - `identity`: distinguishes the computation from others.
    - `every`: seconds between two states.
    - `keep`: how many are kept.

    **Raises:** `OSError` on entry if another process is using it, or if it cannot be written.
    """

    def __init__(
        self, path: Path, identity: AbstractIdentity, *, every: float = 0.0, keep: int = 2
    ) -> None:
        self.path, self.identity = path, identity
        self._rotation = Rotation(path, keep)
        self._every, self._last = every, time.monotonic()
        self.open = ExitStack()

    def __enter__(self) -> Directory:
        self.open.enter_context(exclusive(self.path))
        return self

    def __exit__(self, *exception: object) -> None:
        self.open.close()

    def intact(self) -> Iterator[Saved]:
        """The states of this computation that can be read, newest first; others with a warning.

        **Raises:** `ValueError` if the directory holds another computation, or one of another
        version.
        """
        for saved in self._rotation.intact():
            self.identity.require(self.path, saved.metadata)
            yield saved

    def newest(self) -> Saved | None:
        """The newest of them. **Raises:** as `intact`."""
        return next(self.intact(), None)

    def start(self, number: int) -> None:
        """Removes the states after this number, and begins to count the seconds."""
        self._rotation.forget(after=number)
        self._last = time.monotonic()

    def due(self) -> bool:
        """Whether it is time to save."""
        return time.monotonic() - self._last >= self._every

    def save(self, number: int, arrays: Mapping[str, np.ndarray]) -> None:
        """Writes a state; a full disk is a warning. **Raises:** `OSError` if that fails."""
        with self.saving():
            self.write(number, arrays)

    def write(
        self, number: int, arrays: Mapping[str, np.ndarray], metadata: Mapping[str, Any] = _NOTHING
    ) -> None:
        """Writes a state. **Raises:** `OSError` if that fails, also on a full disk."""
        self._rotation.write(number, arrays, self.identity.metadata() | dict(metadata))

    @contextmanager
    def saving(self) -> Iterator[None]:
        """A full disk ends the block with a warning; the seconds are counted from its end."""
        with full_disk_warns(self.path):
            yield
        self._last = time.monotonic()


class NoDirectory:
    """Saves nothing."""

    def __enter__(self) -> NoDirectory:
        return self

    def __exit__(self, *exception: object) -> None:
        pass

    def newest(self) -> Saved | None:
        """There is none."""
        return None

    def due(self) -> bool:
        return False

    def save(self, number: int, arrays: Mapping[str, np.ndarray]) -> None:
        pass


@contextmanager
def full_disk_warns(path: Path) -> Iterator[None]:
    """Makes a full disk a warning that ends the block, so that a long run does not end with it."""
    try:
        yield
    except OSError as error:
        if error.errno not in _FULL:
            raise
        warnings.warn(
            f"checkpoint: {str(path)!r}: {error.strerror}; the run goes on, "
            "and the checkpoint before this one is kept",
            stacklevel=3,
        )


@contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Keeps other processes out of a directory, which is made if need be.

    **Raises:** `OSError` if another run is in it, or it cannot be written.
    """
    path.mkdir(parents=True, exist_ok=True)
    with open(path / "lock", "a") as file:
        try:
            lock(file)
        except BlockingIOError:
            raise BlockingIOError(
                f"checkpoint: another run is writing to {str(path)!r}; "
                "give each a directory of its own"
            ) from None
        yield
