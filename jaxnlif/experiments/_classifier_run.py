"""What every experiment that trains a classifier does: seeds, epochs, checkpoints, results."""

from __future__ import annotations

import argparse
import time
import zlib
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from .._check import check, check_integer
from .._files import write_arrays
from .._leaves import to_arrays
from .._rotation import exclusive
from ..solve.progress import NoProgress, ProgressBar
from ..solve.result import SolveError
from . import _checkpoint as checkpoints
from ._classifier import Encoder, Measures, Samples, State, Trainer, start
from ._classifier_figure import draw
from ._classifier_setting import Setting
from ._figures import write_figure
from ._options import add_run
from ._output import begin


class Task(NamedTuple):
    """What is learned: samples to learn from and to judge by, and how they become spikes."""

    name: str
    train: Samples
    test: Samples
    classes: int
    inputs: int
    encoder: Encoder


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
        setting = replace(setting, epochs=check_integer("--epochs", arguments.epochs, at_least=1))
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
    directory = begin(arguments)
    began = time.perf_counter()
    trainings = []
    for seed in range(arguments.seeds):
        bar = ProgressBar(f"{task.name} {seed}") if arguments.progress else NoProgress()
        path = directory / f"{task.name}-{seed}-checkpoint"
        training = train(setting, task, seed, path, resume=arguments.resume, progress=bar)
        trainings.append(training)
        write_arrays(
            directory / f"{task.name}-{seed}.npz",
            to_arrays(training.state) | training.history,
            _identity(setting, task, seed),
        )
    drawn = draw(setting, task, [t.state.net for t in trainings], [t.history for t in trainings])
    figure = write_figure(drawn, directory / task.name, arguments.format)
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
    progress=None,
) -> Training:
    """Trains a network; after each epoch the whole state is written to the directory `path`.

    An epoch depends on the state before it, the seed and its number alone, so that a resumed
    training continues bit for bit.
    """
    with nullcontext() if path is None else exclusive(path):
        return _train(setting, task, seed, path, resume, progress or NoProgress())


def _train(
    setting: Setting, task: Task, seed: int, path: Path | None, resume: bool, progress
) -> Training:
    steps = len(task.train.label) // setting.batch
    check(steps > 0, f"batch = {setting.batch}: must not exceed {len(task.train.label)} samples")
    trainer = Trainer(setting, task.encoder, steps)
    key = jax.random.key(seed)
    state = start(setting, (task.inputs, task.classes), steps, jax.random.fold_in(key, 0))
    identity = _identity(setting, task, seed)
    train_set, test_set = jax.device_put((task.train, task.test))
    found = checkpoints.read(path, state, identity) if resume and path is not None else None
    if found is not None:
        training = Training(*found)
    else:
        measures = trainer.evaluate(state.net, test_set)
        training = Training(state, _appended({}, measures, 0.0))
    bar = progress.start(setting.epochs)
    bar.update(training.epochs)
    try:
        for epoch in range(training.epochs + 1, setting.epochs + 1):
            began = time.perf_counter()
            state, loss = trainer.epoch(training.state, train_set, jax.random.fold_in(key, epoch))
            if not np.isfinite(loss):
                raise SolveError(
                    f"{task.name}, epoch {epoch}: a neuron spiked more often than max_spikes = "
                    f"{setting.max_spikes} times, or the network overflowed; allow more spikes or "
                    "lower the learning rate"
                )
            measures = trainer.evaluate(state.net, test_set)
            seconds = time.perf_counter() - began
            training = Training(state, _appended(training.history, measures, seconds))
            if path is not None:
                checkpoints.write(path, epoch, training.state, training.history, identity)
            bar.update(1)
    finally:
        bar.close()
    return training


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
        checksum = zlib.crc32(np.ascontiguousarray(array), checksum)
    return f"{checksum:08x}"
