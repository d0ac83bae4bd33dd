"""The training of classifiers: epochs, checkpoints and a bit-for-bit resume."""

from __future__ import annotations

import time
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from .._check import check
from ..integrate.chunks import run_chunks
from ..integrate.progress import AbstractProgress, NoProgress
from ..integrate.result import SolveError
from ..store.directory import Directory, NoDirectory
from ..store.leaves import to_arrays
from . import _checkpoint as checkpoints
from ._classifier import Measures, State, Task, Trainer, start
from ._classifier_setting import Setting


class Training(NamedTuple):
    """A training so far: its state, and the measures before it and after each epoch.

    The history also holds the "seconds" that the training has taken until then.
    """

    state: State
    history: dict[str, np.ndarray]

    @property
    def epochs(self) -> int:
        return len(self.history["loss"]) - 1


def train(
    setting: Setting,
    task: Task,
    seed: int,
    path: Path | None = None,
    *,
    resume: bool = False,
    progress: AbstractProgress | None = None,
) -> Training:
    """Trains a network; after each epoch the whole state is written to the directory `path`.

    An epoch depends on the state before it, the seed and its number alone, so that a resumed
    training continues bit for bit.
    """
    trainer = Trainer(setting, task.encoder, steps_of(setting, task))
    key = jax.random.key(seed)
    train_set, test_set = jax.device_put((task.train, task.test))
    with (
        _directory(setting, task, seed, path) as directory,
        closing((progress or NoProgress()).start(setting.epochs)) as bar,
    ):
        kept = found(setting, task, seed, path) if resume else None
        now = kept or _untrained(trainer, setting, task, seed, test_set)

        def epochs() -> Iterator[int]:
            nonlocal now
            for epoch in range(now.epochs + 1, setting.epochs + 1):
                began = time.perf_counter()
                state, loss = trainer.epoch(now.state, train_set, jax.random.fold_in(key, epoch))
                _check_loss(loss, setting, task, epoch)
                measures = trainer.evaluate(state.net, test_set)
                seconds = time.perf_counter() - began
                now = Training(state, _appended(now.history, measures, seconds))
                yield epoch

        def save() -> None:
            directory.save(now.epochs, to_arrays(now.state) | now.history)

        run_chunks(epochs(), bar, due=directory.due, save=save, stops=())
    return now


def train_together(
    setting: Setting,
    task: Task,
    seeds: Sequence[int],
    paths: Sequence[Path],
    *,
    resume: bool = False,
    progress: AbstractProgress | None = None,
) -> list[Training]:
    """Trains several networks at once, in one program; else as `train` does one after the other.

    To rounding they are the same.

    **Raises:** `ValueError` if their checkpoints have come to different epochs.
    """
    trainer = Trainer(setting, task.encoder, steps_of(setting, task))
    train_set, test_set = jax.device_put((task.train, task.test))
    with (
        ExitStack() as stack,
        closing((progress or NoProgress()).start(setting.epochs)) as bar,
    ):
        directories = [
            stack.enter_context(_directory(setting, task, seed, path))
            for seed, path in zip(seeds, paths, strict=True)
        ]
        kept = [
            found(setting, task, seed, path) if resume else None
            for seed, path in zip(seeds, paths, strict=True)
        ]
        done = check_together(kept)
        now = [
            one or _untrained(trainer, setting, task, seed, test_set)
            for seed, one in zip(seeds, kept, strict=True)
        ]
        state = _stacked([one.state for one in now])

        def epochs() -> Iterator[int]:
            nonlocal now, state
            for epoch in range(done + 1, setting.epochs + 1):
                began = time.perf_counter()
                keys = jnp.stack([jax.random.fold_in(jax.random.key(s), epoch) for s in seeds])
                state, losses = trainer.epoch_of_all(state, train_set, keys)
                for loss in np.asarray(losses):
                    _check_loss(loss, setting, task, epoch)
                measures = trainer.measures_of_all(state.net, test_set)
                seconds = (time.perf_counter() - began) / len(now)
                now = [
                    Training(_part(state, k), _appended(one.history, _part(measures, k), seconds))
                    for k, one in enumerate(now)
                ]
                yield epoch

        def save() -> None:
            for directory, one in zip(directories, now, strict=True):
                directory.save(one.epochs, to_arrays(one.state) | one.history)

        run_chunks(epochs(), bar, due=directories[0].due, save=save, stops=())
    return now


def check_together(kept: Sequence[Training | None]) -> int:
    """The epoch to which all of the trainings that are kept, if any, have come.

    **Raises:** `ValueError` if they have come to different ones.
    """
    done = sorted({0 if one is None else one.epochs for one in kept})
    check(
        len(done) == 1,
        f"--together: the checkpoints have come to epochs {' and '.join(map(str, done))}; "
        "leave it out",
    )
    return done[0]


def _stacked(states: list[State]) -> State:
    """Several states in one, with a leading axis."""
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *states)


def _part(tree: Any, k: int) -> Any:
    return jax.tree.map(lambda leaf: leaf[k], tree)


def _untrained(
    trainer: Trainer, setting: Setting, task: Task, seed: int, test_set: Any
) -> Training:
    state = _begin(setting, task, seed)
    return Training(state, _appended({}, trainer.evaluate(state.net, test_set), 0.0))


def _check_loss(loss: Any, setting: Setting, task: Task, epoch: int) -> None:
    if not np.isfinite(loss):
        raise SolveError(
            f"{task.name}, epoch {epoch}: there were more spikes than there is room for "
            f"({setting.limit}), or the network overflowed; allow more or lower the learning rate"
        )


def steps_of(setting: Setting, task: Task) -> int:
    """In an epoch."""
    return len(task.train.label) // setting.batch


def _begin(setting: Setting, task: Task, seed: int) -> State:
    key = jax.random.fold_in(jax.random.key(seed), 0)
    return start(setting, (task.inputs, task.classes), steps_of(setting, task), key)


def checkpoint(directory: Path, task: Task, seed: int) -> Path:
    return directory / f"{task.name}-{seed}-checkpoint"


def _directory(
    setting: Setting, task: Task, seed: int, path: Path | None
) -> Directory | NoDirectory:
    """Where a training is saved after each epoch."""
    if path is None:
        return NoDirectory()
    return Directory(path, checkpoints.Settings(identity(setting, task, seed)))


def found(setting: Setting, task: Task, seed: int, path: Path | None) -> Training | None:
    """The training that is kept in a directory, if there is one.

    **Raises:** `ValueError` if it is another one.
    """
    directory = _directory(setting, task, seed, path)
    kept = checkpoints.read(directory, _begin(setting, task, seed))
    return None if kept is None else Training(kept[0], _complete(kept[1]))


def _complete(history: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The history of an older version, NaN where it did not measure."""
    unknown = np.full(len(history["loss"]), np.nan)
    return dict.fromkeys(Measures._fields, unknown) | dict(history)


def _appended(
    history: dict[str, np.ndarray], measures: Measures, seconds: float
) -> dict[str, np.ndarray]:
    """The history with the measures after one more epoch, which took so many seconds."""
    total = history["seconds"][-1] + seconds if history else seconds
    new = measures._asdict() | {"seconds": total}
    return {k: np.append(history.get(k, np.empty(0)), float(v)) for k, v in new.items()}


def identity(setting: Setting, task: Task, seed: int) -> dict[str, Any]:
    """Tells a training from others."""
    return {
        "task": task.name,
        "data": _fingerprint(task),
        "seed": seed,
        "setting": _as_json(setting),
    }


def _as_json(setting: Setting) -> dict[str, Any]:
    content = asdict(setting)
    if not setting.mirror:  # checkpoints from before do not say
        del content["mirror"]
    return content | {"hidden": list(content["hidden"])}


def _fingerprint(task: Task) -> str:
    """Tells the samples of a task from others."""
    checksum = 0
    for array in jax.tree.leaves((task.train, task.test)):
        checksum = zlib.crc32(np.ascontiguousarray(array).data, checksum)
    return f"{checksum:08x}"
