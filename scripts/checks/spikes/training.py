"""What is learned: MNIST, Fashion-MNIST and Yin-Yang, and how long it takes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import jax
import numpy as np
from _report import Measured

from jaxnlif.experiments import mnist, yinyang
from jaxnlif.experiments._classifier import Task
from jaxnlif.experiments._classifier_setting import MNIST, YIN_YANG, Setting
from jaxnlif.experiments._classifier_training import train
from jaxnlif.experiments._output import prepare_directory
from jaxnlif.spikes.data import load_images


def published(data: str, keep: str | None) -> Iterator[Measured]:
    """Five networks at the published setting, silent at first."""
    runs = trained(keep, "published", MNIST["published"], _images(data), seeds=5)
    yield from accuracies("mnist_published", runs)
    yield Measured("mnist_published_initial_spikes", max(r["spikes_per_neuron"][0] for r in runs))
    yield Measured("mnist_published_minutes", minutes(runs))


def best(data: str, keep: str | None) -> Iterator[Measured]:
    """Three networks at the best setting with shifted images."""
    runs = trained(keep, "best", MNIST["best"], _images(data), seeds=3)
    yield from accuracies("mnist_best", runs)
    yield Measured("mnist_best_minutes", minutes(runs))


def best_plain(data: str, keep: str | None) -> Iterator[Measured]:
    """Three networks at the best setting without shifted images."""
    runs = trained(keep, "best-plain", MNIST["best-plain"], _images(data), seeds=3)
    yield Measured("mnist_best_plain", _percent(runs, "accuracy"), _spread(runs))


def fashion(data: str, keep: str | None) -> Iterator[Measured]:
    """Three networks on Fashion-MNIST, whose grey levels are times."""
    runs = trained(keep, "fashion", MNIST["fashion"], _images(data), seeds=3)
    yield from accuracies("fashion", runs)


def yin_yang(keep: str | None) -> Iterator[Measured]:
    """Five networks with thirty hidden neurons, and five with trained delays."""
    for setting, row in (("plain", "yin_yang"), ("delays", "yin_yang_delays")):
        runs = trained(keep, row, YIN_YANG[setting], yinyang.task, seeds=5)
        yield from accuracies(row, runs)


def _images(data: str) -> Callable[[Setting], Task]:
    return partial(mnist.task, load_images(data))


def trained(
    keep: str | None, name: str, setting: Setting, task: Callable[[Setting], Task], *, seeds: int
) -> list[dict]:
    """Histories of trainings in float32; with `keep`, their checkpoints are kept and taken up."""
    jax.config.update("jax_enable_x64", False)
    try:
        learned, runs = task(setting), []
        for seed in range(seeds):
            path = None if keep is None else prepare_directory(keep) / f"{name}-{seed}"
            runs.append(train(setting, learned, seed, path, resume=True).history)
        return runs
    finally:
        jax.config.update("jax_enable_x64", True)


def minutes(runs: list[dict]) -> float:
    """What the slowest training took."""
    return max(run["seconds"][-1] for run in runs) / 60


def accuracies(row: str, runs: list[dict]) -> Iterator[Measured]:
    yield Measured(row, _percent(runs, "accuracy"), _spread(runs))
    yield Measured(f"{row}_ordinary", _percent(runs, "accuracy_ordinary"))


def _percent(runs: list[dict], name: str) -> float:
    return 100 * float(np.mean([run[name][-1] for run in runs]))


def _spread(runs: list[dict]) -> str:
    return f"sd={100 * np.std([run['accuracy'][-1] for run in runs]):.2f},seeds={len(runs)}"
