"""What every experiment that trains a classifier does: seeds, results, summary and figure."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np

from .._check import check
from .._memory import check_memory
from ..integrate.progress import AbstractProgress, NoProgress, ProgressBar
from ..store.files import write_arrays
from ..store.leaves import to_arrays
from ._classifier import Measures, Task
from ._classifier_figure import draw
from ._classifier_setting import Setting
from ._classifier_training import (
    Training,
    check_together,
    checkpoint,
    found,
    identity,
    steps_of,
    train,
    train_together,
)
from ._figures import figure_files, write_figures
from ._output import begin

_COPIES = 10  # of the weights: gradient, moments, their changes, and what is written


def run(arguments: argparse.Namespace, setting: Setting, task: Task) -> None:
    """Trains all seeds, each from its checkpoint if wanted, and writes results and figure.

    **Raises:** `ValueError` if the output directory cannot be written or a checkpoint belongs to
    another setting; `SolveError` if a network spikes more than there is room for. On Ctrl-C the
    checkpoints hold all complete epochs.
    """
    arguments.epochs, arguments.hidden = setting.epochs, list(setting.hidden)
    seeds = range(arguments.seed, arguments.seed + arguments.seeds)
    _validate(setting, task, len(seeds))
    if arguments.resume:
        kept = [found(setting, task, s, checkpoint(Path(arguments.out), task, s)) for s in seeds]
        if arguments.together:
            check_together(kept)
    results = [f"{task.name}-{seed}{end}" for seed in seeds for end in (".npz", "-checkpoint")]
    directory = begin(arguments, *results, *figure_files(task.name, arguments.format))
    began = time.perf_counter()
    trainings = _trained(arguments, setting, task, seeds, directory)
    for seed, training in zip(seeds, trainings, strict=True):
        write_arrays(
            directory / f"{task.name}-{seed}.npz",
            to_arrays(training.state) | training.history,
            identity(setting, task, seed),
        )
    nets, histories = [t.state.net for t in trainings], [t.history for t in trainings]
    drawn = draw(setting, task, nets, histories)
    figure = write_figures(directory, task.name, drawn, arguments.format)
    print("\n".join(summary(setting, trainings)))
    print(
        f"\nwrote {directory}/{task.name}-*.npz and {figure} ({time.perf_counter() - began:.1f} s)"
    )


def _trained(
    arguments: argparse.Namespace, setting: Setting, task: Task, seeds: range, directory: Path
) -> list[Training]:
    def bar(name: str) -> AbstractProgress:
        return ProgressBar(name) if arguments.progress else NoProgress()

    paths = [checkpoint(directory, task, seed) for seed in seeds]
    resume = arguments.resume
    if arguments.together:
        shown = bar(f"{task.name} {seeds[0]}-{seeds[-1]}")
        return train_together(setting, task, seeds, paths, resume=resume, progress=shown)
    return [
        train(setting, task, seed, path, resume=resume, progress=bar(f"{task.name} {seed}"))
        for seed, path in zip(seeds, paths, strict=True)
    ]


def _validate(setting: Setting, task: Task, seeds: int) -> None:
    """Requires samples for a step, and memory for the networks and for a batch of trials."""
    samples = len(task.train.label)
    check(
        steps_of(setting, task) > 0, f"--batch = {setting.batch}: must not exceed {samples} samples"
    )
    weights = setting.num_weights(task.inputs, task.classes)
    sites = task.inputs * setting.copies + sum(setting.hidden) + task.classes
    trials = max(setting.batch, setting.evaluated) * sites * (setting.room + 8)
    check_memory(
        8 * (weights * (_COPIES + 3 * seeds) + trials),
        f"--hidden = {' '.join(map(str, setting.hidden))}, --seeds = {seeds}",
    )


def summary(setting: Setting, trainings: list[Training]) -> list[str]:
    """Measures after the last epoch: their mean and, of several seeds, their spread."""
    number = len(trainings)
    networks = "1 network" if number == 1 else f"{number} networks"
    lines = [f"{networks}, {setting.epochs} epochs; {setting.layers}"]
    for name in Measures._fields:
        last = np.array([t.history[name][-1] for t in trainings], float)
        spread = f" +- {last.std():.4f}" if number > 1 else ""
        lines.append(f"{name:20} {last.mean():.4f}{spread}")
    return lines
