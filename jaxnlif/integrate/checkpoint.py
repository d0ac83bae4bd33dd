"""Checkpoints: a run in a directory, from which it is taken up after whatever ended its process."""

from __future__ import annotations

import hashlib
import os
import time
import warnings
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import equinox as eqx
import jax
import numpy as np

from .._check import check_integer, check_positive, check_scalar
from .._describe import summarise
from .._leaves import from_arrays, to_arrays
from .._module import Module
from .._rotation import Rotation, exclusive, going_on_if_full
from .keeper import AbstractKeeper, At
from .looks import Look
from .run import Run

_TELLING = ("model", "solver", "saveat", "y0", "key", "t0", "dt", "steps")


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


class _Progress(NamedTuple):
    """Where the run has come to; how many looks are in the file, their checksum, and the others."""

    at: At
    stored: int
    checksum: Any
    waiting: tuple[np.ndarray, ...]


class Store(AbstractKeeper):
    """Keeps a run in the directory of a checkpoint.

    `saved.bin` holds a record of known size for each look, one after the other, and the states say
    how many of them they know of, and their checksum. What comes after those is written again.

    **Arguments:** `run`: what tells this run from others.

    **Raises:** `OSError` if another process is using the directory or it cannot be written; `begin`
    a `ValueError` if it holds a run of another model, grid, precision or version, which then stays
    untouched.
    """

    def __init__(self, checkpoint: Checkpoint, run: Run):
        self._directory, self._every = checkpoint.directory, checkpoint.every
        self._rotation = Rotation(checkpoint.directory, checkpoint.keep)
        self._run = summarise({name: getattr(run, name) for name in _TELLING})
        self._open = ExitStack()

    def __enter__(self) -> Store:
        self._open.enter_context(exclusive(self._directory))
        return self

    def __exit__(self, *exception: Any) -> None:
        self._open.close()

    @property
    def at(self) -> At:
        return self._progress.at

    def begin(self, state: Any, first: Look) -> None:
        leaves, self._structure = jax.tree.flatten(first)
        self._record = np.dtype([(str(k), x.dtype, x.shape) for k, x in enumerate(leaves)])
        shapes = jax.eval_shape(lambda: (eqx.filter(state, eqx.is_array), first))
        self._run |= summarise(dict(zip(("state", "saved"), shapes, strict=True)))
        found = self._find(state)
        if found is None:
            # Not emptied: a solution may still look at it.
            self._path.unlink(missing_ok=True)
        self._progress = found or _Progress(At(state, 0, 0), 0, hashlib.sha256(), ())
        self._rotation.forget(after=found.at.step if found else -1)
        mode = "r+b" if self._path.exists() else "x+b"
        self._file = open(self._path, mode, buffering=0)  # noqa: SIM115, closed with the rest
        self._open.callback(self._file.close)
        self._written = found and found.at
        self._last = time.monotonic()

    def append(self, state: Any, step: int, saved: Look) -> None:
        records = np.empty(len(saved.rate), self._record)
        for name, leaf in zip(self._record.names or (), jax.tree.leaves(saved), strict=True):
            records[name] = leaf
        before = self._progress
        at = At(state, step, before.at.count + len(records))
        self._progress = before._replace(at=at, waiting=(*before.waiting, records))
        if not before.waiting:
            with going_on_if_full(self._directory):
                self._flush()

    def due(self) -> bool:
        return time.monotonic() - self._last >= self._every

    def keep(self) -> None:
        at = self.at
        if at is self._written:
            return
        with going_on_if_full(self._directory):
            self._flush()
            os.fsync(self._file.fileno())
            metadata = {
                "run": self._run,
                "count": at.count,
                "checksum": self._progress.checksum.hexdigest(),
            }
            self._rotation.write(at.step, to_arrays(at.state), metadata)
            self._written = at
        self._last = time.monotonic()

    def saved(self) -> Look:
        records = np.empty(0, self._record)
        if self._progress.stored:
            shape = (self._progress.stored,)
            records = np.memmap(self._path, self._record, "r", shape=shape)
        if self._progress.waiting:
            records = np.concatenate([records, *self._progress.waiting])
        columns = [records[name] for name in self._record.names or ()]
        # Only what `SaveAt.fn` saves is left in the file.
        return jax.tree_util.tree_map_with_path(
            lambda path, x: x if path[0].name == "extra" else np.array(x),
            jax.tree.unflatten(self._structure, columns),
        )

    @property
    def _path(self) -> Path:
        return self._directory / "saved.bin"

    def _flush(self) -> None:
        """Writes what waits; what was written in part, because it failed, is written again."""
        while self._progress.waiting:
            at, stored, checksum, (records, *waiting) = self._progress
            content = records.view(np.uint8)
            self._file.seek(stored * self._record.itemsize)
            left = memoryview(content)
            while left:
                left = left[self._file.write(left) :]
            checksum = checksum.copy()
            checksum.update(content)
            self._progress = _Progress(at, stored + len(records), checksum, tuple(waiting))

    def _find(self, state: Any) -> _Progress | None:
        """The newest checkpoint of this run that can be trusted."""
        for saved in self._rotation.intact():
            self._rotation.require("run", saved, self._run)
            count = saved.metadata["count"]
            checksum = self._checksum(count * self._record.itemsize)
            if checksum.hexdigest() == saved.metadata["checksum"]:
                at = At(from_arrays(saved.arrays, state)[0], saved.number, count)
                return _Progress(at, count, checksum, ())
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
