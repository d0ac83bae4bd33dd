"""What every experiment that trains a classifier does: seeds, epochs, checkpoints, results."""

from __future__ import annotations

import argparse
import time
import zlib
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import asdict, replace
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from .._check import check, check_integer
from .._memory import check_memory
from ..integrate.chunks import run_chunks
from ..integrate.progress import AbstractProgress, NoProgress, ProgressBar
from ..integrate.result import SolveError
from ..store.directory import Directory, NoDirectory
from ..store.files import write_arrays
from ..store.leaves import to_arrays
from . import _checkpoint as checkpoints
from ._classifier import EVALUATED, Measures, State, Task, Trainer, start
from ._classifier_figure import draw
from ._classifier_setting import Setting
from ._figures import figure_files, write_figures
from ._options import add_run
from ._output import begin

_MOST_EPOCHS = 1_000_000
_COPIES = 10  # of the weights: gradient, moments, their changes, and what is written


class Training(NamedTuple):
    """A training so far: its state, and the measures before it and after each epoch.

    The history also holds the "seconds" that the training has taken until then.
    """

    state: State
    history: dict[str, np.ndarray]

    @property
    def epochs(self) -> int:
        return len(self.history["loss"]) - 1


def add_arguments(
    parser: argparse.ArgumentParser, settings: Mapping[str, Setting], *, name: str
) -> None:
    """Adds the options that all classifiers share; `name` is that of the task."""
    parser.add_argument(
        "--setting",
        choices=settings,
        default=next(iter(settings)),
        metavar="NAME",
        help=f"network and training: {', '.join(settings)} (default: %(default)s)",
    )
    parser.add_argument(
        "--epochs", type=int, metavar="N", help="passes through the data (default: as the setting)"
    )
    parser.add_argument(
        "--hidden",
        type=int,
        nargs="+",
        metavar="N",
        help="neurons in each hidden layer (default: as the setting)",
    )
    parser.add_argument(
        "--seeds", type=int, default=1, metavar="N", help="networks to train (default: %(default)s)"
    )
    files = f"{name}-*.npz, {name}.png"
    add_run(parser, out=name, files=files, resume=True, precision="float32")


def chosen(arguments: argparse.Namespace, settings: Mapping[str, Setting]) -> Setting:
    """The setting that the options describe.

    **Raises:** `ValueError` if a number of neurons, epochs or seeds is not positive.
    """
    check_integer("--seeds", arguments.seeds, at_least=1)
    setting = settings[arguments.setting]
    if arguments.epochs is not None:
        check_integer("--epochs", arguments.epochs, at_least=1)
        check(
            arguments.epochs <= _MOST_EPOCHS,
            f"--epochs = {arguments.epochs}: must be at most {_MOST_EPOCHS}",
        )
        setting = replace(setting, epochs=arguments.epochs)
    if arguments.hidden is not None:
        hidden = tuple(check_integer("--hidden", n, at_least=1) for n in arguments.hidden)
        setting = replace(setting, hidden=hidden)
    return setting


def run(arguments: argparse.Namespace, setting: Setting, task: Task) -> None:
    """Trains all seeds, each from its checkpoint if wanted, and writes results and figure.

    **Raises:** `ValueError` if the output directory cannot be written or a checkpoint belongs to
    another setting; `SolveError` if a network spikes more than there is room for. On Ctrl-C the
    checkpoints hold all complete epochs.
    """
    arguments.epochs, arguments.hidden = setting.epochs, list(setting.hidden)
    seeds = range(arguments.seeds)
    _validate(setting, task, len(seeds))
    if arguments.resume:
        for seed in seeds:
            _found(setting, task, seed, _checkpoint(Path(arguments.out), task, seed))
    results = [f"{task.name}-{seed}{end}" for seed in seeds for end in (".npz", "-checkpoint")]
    directory = begin(arguments, *results, *figure_files(task.name, arguments.format))
    began = time.perf_counter()
    trainings = []
    for seed in seeds:
        bar = ProgressBar(f"{task.name} {seed}") if arguments.progress else NoProgress()
        path = _checkpoint(directory, task, seed)
        training = train(setting, task, seed, path, resume=arguments.resume, progress=bar)
        trainings.append(training)
        write_arrays(
            directory / f"{task.name}-{seed}.npz",
            to_arrays(training.state) | training.history,
            _identity(setting, task, seed),
        )
    nets, histories = [t.state.net for t in trainings], [t.history for t in trainings]
    drawn = draw(setting, task, nets, histories)
    figure = write_figures(directory, task.name, drawn, arguments.format)
    print("\n".join(summary(setting, trainings)))
    print(
        f"\nwrote {directory}/{task.name}-*.npz and {figure} ({time.perf_counter() - began:.1f} s)"
    )


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
    trainer = Trainer(setting, task.encoder, _steps(setting, task))
    key = jax.random.key(seed)
    train_set, test_set = jax.device_put((task.train, task.test))
    with (
        _directory(setting, task, seed, path) as directory,
        closing((progress or NoProgress()).start(setting.epochs)) as bar,
    ):
        found = _found(setting, task, seed, path) if resume else None
        if found is None:
            state = _begin(setting, task, seed)
            measures = trainer.evaluate(state.net, test_set)
            found = Training(state, _appended({}, measures, 0.0))
        now = found

        def epochs() -> Iterator[int]:
            nonlocal now
            for epoch in range(now.epochs + 1, setting.epochs + 1):
                began = time.perf_counter()
                state, loss = trainer.epoch(now.state, train_set, jax.random.fold_in(key, epoch))
                if not np.isfinite(loss):
                    raise SolveError(
                        f"{task.name}, epoch {epoch}: a neuron spiked more often than max_spikes = "
                        f"{setting.max_spikes} times, or the network overflowed; allow more spikes "
                        "or lower the learning rate"
                    )
                measures = trainer.evaluate(state.net, test_set)
                seconds = time.perf_counter() - began
                now = Training(state, _appended(now.history, measures, seconds))
                yield epoch

        def save() -> None:
            directory.save(now.epochs, to_arrays(now.state) | now.history)

        run_chunks(epochs(), bar, due=directory.due, save=save, stops=())
    return now


def _steps(setting: Setting, task: Task) -> int:
    """In an epoch."""
    return len(task.train.label) // setting.batch


def _begin(setting: Setting, task: Task, seed: int) -> State:
    key = jax.random.fold_in(jax.random.key(seed), 0)
    return start(setting, (task.inputs, task.classes), _steps(setting, task), key)


def _checkpoint(directory: Path, task: Task, seed: int) -> Path:
    return directory / f"{task.name}-{seed}-checkpoint"


def _directory(
    setting: Setting, task: Task, seed: int, path: Path | None
) -> Directory | NoDirectory:
    """Where a training is saved after each epoch."""
    if path is None:
        return NoDirectory()
    return Directory(path, checkpoints.Settings(_identity(setting, task, seed)))


def _found(setting: Setting, task: Task, seed: int, path: Path | None) -> Training | None:
    """The training that is kept in a directory, if there is one.

    **Raises:** `ValueError` if it is another one.
    """
    directory = _directory(setting, task, seed, path)
    found = checkpoints.read(directory, _begin(setting, task, seed))
    return None if found is None else Training(found[0], _complete(found[1]))


def _complete(history: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The history of an older version, NaN where it did not measure."""
    unknown = np.full(len(history["loss"]), np.nan)
    return dict.fromkeys(Measures._fields, unknown) | dict(history)


def _validate(setting: Setting, task: Task, seeds: int) -> None:
    """Requires samples for a step, and memory for the networks and for a batch of trials."""
    samples = len(task.train.label)
    check(_steps(setting, task) > 0, f"batch = {setting.batch}: must not exceed {samples} samples")
    sizes = [task.inputs * setting.copies, *setting.hidden, task.classes]
    weights = sum(a * b for a, b in pairwise(sizes))
    trials = max(setting.batch, EVALUATED) * sum(sizes) * (setting.max_spikes + 8)
    check_memory(
        8 * (weights * (_COPIES + 3 * seeds) + trials),
        f"--hidden = {' '.join(map(str, setting.hidden))}, --seeds = {seeds}",
    )


def summary(setting: Setting, trainings: list[Training]) -> list[str]:
    """Measures after the last epoch: their mean and, of several seeds, their spread."""
    number = len(trainings)
    networks = "1 network" if number == 1 else f"{number} networks"
    lines = [f"{networks}, {setting.epochs} epochs; hidden {setting.hidden}"]
    for name in Measures._fields:
        last = np.array([t.history[name][-1] for t in trainings], float)
        spread = f" +- {last.std():.4f}" if number > 1 else ""
        lines.append(f"{name:20} {last.mean():.4f}{spread}")
    return lines


def _appended(
    history: dict[str, np.ndarray], measures: Measures, seconds: float
) -> dict[str, np.ndarray]:
    """The history with the measures after one more epoch, which took so many seconds."""
    total = history["seconds"][-1] + seconds if history else seconds
    new = measures._asdict() | {"seconds": total}
    return {k: np.append(history.get(k, np.empty(0)), float(v)) for k, v in new.items()}


def _identity(setting: Setting, task: Task, seed: int) -> dict[str, Any]:
    """Tells a training from others."""
    return {
        "task": task.name,
        "data": _fingerprint(task),
        "seed": seed,
        "setting": _as_json(setting),
    }


def _as_json(setting: Setting) -> dict[str, Any]:
    content = asdict(setting)
    return content | {"hidden": list(content["hidden"])}


def _fingerprint(task: Task) -> str:
    """Tells the samples of a task from others."""
    checksum = 0
    for array in jax.tree.leaves((task.train, task.test)):
        checksum = zlib.crc32(np.ascontiguousarray(array).data, checksum)
    return f"{checksum:08x}"
