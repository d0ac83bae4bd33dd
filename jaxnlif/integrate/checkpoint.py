"""Checkpoints: a run in a directory, from which it is resumed after whatever ended its process."""

from __future__ import annotations

import hashlib
import os
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import equinox as eqx
import jax
import numpy as np

from .._check import check_integer, check_positive, check_scalar
from .._module import Module
from ..store.directory import Directory, Identity, NoDirectory, full_disk_warns
from ..store.identity import summarise
from ..store.leaves import from_arrays, to_arrays
from .record import Record
from .recorder import AbstractRecorder, Position
from .run import Run

_DISTINGUISHING = ("model", "solver", "saveat", "y0", "key", "t0", "dt", "steps")


class Checkpoint(Module):
    """Writes a run to a directory every now and then, and goes on from what is found there.

    Called again with the same arguments, `solve` takes the run up where it was last written, and
    ends with the same numbers to the last bit on the same machine; a run that was over returns at
    once. What is saved streams into a file: `Solution.saved` is a NumPy memory map of it, so that
    it may be larger than memory. Killed at any moment, a run loses what it did since the last
    checkpoint. One that is damaged or renamed is passed over, with a warning, for the one before
    it. If the disk is full the run goes on, with a warning, and the checkpoint before is kept.

    To the arguments belongs what functions among them read: a drive of yours that reads a constant
    of its module is another drive once that constant has another value.

    **Arguments:**

    - `directory`: where; made if need be. Each run needs one of its own.
    - `every`: time between checkpoints on the clock (seconds); 0 writes one whenever it can.
    - `keep`: how many are kept.

    **Raises:** `ValueError` if `directory` is no path, `every` is negative, or `keep` is not a
    positive integer.
    """

    directory: Path = eqx.field(static=True)
    every: float = eqx.field(static=True)
    keep: int = eqx.field(static=True)

    def __init__(
        self, directory: str | os.PathLike, every: float | int = 60.0, keep: int = 2
    ) -> None:
        try:
            self.directory = Path(directory)
        except TypeError:
            raise ValueError(f"directory = {directory!r}: must be the path of one") from None
        check_scalar("every", every)
        check_positive("every", every, allow_zero=True)
        self.every = float(every)
        self.keep = check_integer("keep", keep, at_least=1)


def open_directory(
    checkpoint: Checkpoint | None, kind: str, arguments: Mapping[str, Any]
) -> Directory | NoDirectory:
    """The directory of a checkpoint; without one, nothing is saved.

    **Arguments:** `kind`: of computation, such as "run"; `arguments`, which distinguish it.
    """
    if checkpoint is None:
        return NoDirectory()
    identity = Identity(kind, summarise(arguments))
    return Directory(checkpoint.directory, identity, every=checkpoint.every, keep=checkpoint.keep)


class _Progress(NamedTuple):
    """How far the run is; how many records are in the file, their checksum, and the others."""

    position: Position
    stored: int
    checksum: Any
    waiting: tuple[np.ndarray, ...]


class FileRecorder(AbstractRecorder):
    """Saves a run in the directory of a checkpoint.

    `saved.bin` holds rows of known size, one for each record, and the states say how many of them
    they know of, and their checksum. What comes after those is written again.

    **Arguments:** `run`: what distinguishes this run from others.

    **Raises:** `OSError` if another process is using the directory or it cannot be written; `start`
    a `ValueError` if it holds a run of another model, grid, precision or version, which then stays
    untouched.
    """

    def __init__(self, checkpoint: Checkpoint, run: Run) -> None:
        self._summary = summarise({name: getattr(run, name) for name in _DISTINGUISHING})
        identity = Identity("run", self._summary)
        self._directory = Directory(
            checkpoint.directory, identity, every=checkpoint.every, keep=checkpoint.keep
        )
        self._path = checkpoint.directory / "saved.bin"

    def __enter__(self) -> FileRecorder:
        self._directory.__enter__()
        return self

    def __exit__(self, *exception: object) -> None:
        self._directory.__exit__(*exception)

    @property
    def position(self) -> Position:
        return self._progress.position

    def start(self, state: Any, first: Record) -> None:
        leaves, self._structure = jax.tree.flatten(first)
        self._row = np.dtype([(str(k), x.dtype, x.shape) for k, x in enumerate(leaves)])
        shapes = jax.eval_shape(lambda: (eqx.filter(state, eqx.is_array), first))
        self._summary |= summarise(dict(zip(("state", "saved"), shapes, strict=True)))
        found = self._find(state)
        if found is None:
            # Not emptied: a solution may still look at it.
            self._path.unlink(missing_ok=True)
        self._progress = found or _Progress(Position(state, 0, 0), 0, hashlib.sha256(), ())
        mode = "r+b" if self._path.exists() else "x+b"
        self._file = open(self._path, mode, buffering=0)  # noqa: SIM115, closed with the rest
        self._directory.open.callback(self._file.close)
        self._written = found and found.position
        self._directory.start(found.position.step if found else -1)

    def append(self, state: Any, step: int, records: Record) -> None:
        rows = np.empty(len(records.rate), self._row)
        for name, leaf in zip(self._row.names or (), jax.tree.leaves(records), strict=True):
            rows[name] = leaf
        before = self._progress
        position = Position(state, step, before.position.count + len(rows))
        self._progress = before._replace(position=position, waiting=(*before.waiting, rows))
        if not before.waiting:
            with full_disk_warns(self._directory.path):
                self._flush()

    def due(self) -> bool:
        return self._directory.due()

    def save(self) -> None:
        position = self.position
        if position is self._written:
            return
        with self._directory.saving():
            self._flush()
            os.fsync(self._file.fileno())
            checksum = self._progress.checksum.hexdigest()
            self._directory.write(
                position.step,
                to_arrays(position.state),
                {"count": position.count, "checksum": checksum},
            )
            self._written = position

    def records(self) -> Record:
        rows = np.empty(0, self._row)
        if self._progress.stored:
            rows = np.memmap(self._path, self._row, "r", shape=(self._progress.stored,))
        if self._progress.waiting:
            rows = np.concatenate([rows, *self._progress.waiting])
        columns = [rows[name] for name in self._row.names or ()]
        # Only what `SaveAt.fn` saves is left in the file.
        return jax.tree_util.tree_map_with_path(
            lambda path, x: x if path[0].name == "extra" else np.array(x),
            jax.tree.unflatten(self._structure, columns),
        )

    def _flush(self) -> None:
        """Writes what waits; what was written in part, because it failed, is written again."""
        while self._progress.waiting:
            position, stored, checksum, (rows, *waiting) = self._progress
            content = rows.view(np.uint8)
            self._file.seek(stored * self._row.itemsize)
            left = content.data
            while left:
                left = left[self._file.write(left) :]
            checksum = checksum.copy()
            checksum.update(content)
            self._progress = _Progress(position, stored + len(rows), checksum, tuple(waiting))

    def _find(self, state: Any) -> _Progress | None:
        """The newest checkpoint of this run that can be trusted."""
        for saved in self._directory.intact():
            count = saved.metadata["count"]
            checksum = self._checksum(count * self._row.itemsize)
            if checksum.hexdigest() == saved.metadata["checksum"]:
                position = Position(from_arrays(saved.arrays, state)[0], saved.number, count)
                return _Progress(position, count, checksum, ())
            warnings.warn(
                f"checkpoint: {self._path} is damaged within what {saved.path.name} needs; "
                "an older one is used, if there is one",
                stacklevel=2,
            )
        return None

    def _checksum(self, size: int) -> Any:
        """The checksum of the beginning of the file, as far as there is one."""
        checksum = hashlib.sha256()
        if self._path.exists():
            with open(self._path, "rb") as file:
                while size > 0 and (block := file.read(min(size, 2**24))):
                    checksum.update(block)
                    size -= len(block)
        return checksum
