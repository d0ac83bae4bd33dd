"""What is learned: MNIST, Fashion-MNIST and Yin-Yang, and how long it takes."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

import jax
import numpy as np
from _report import Measured

from jaxnlif.experiments import mnist, yinyang
from jaxnlif.experiments._classifier_run import Task, train
from jaxnlif.experiments._classifier_setting import MNIST, YIN_YANG, Setting
from jaxnlif.spikes.data import load_images


def published(data: str | os.PathLike) -> Iterator[Measured]:
    """Five networks at the published setting, silent at first."""
    setting = MNIST["published"]
    runs = _train(setting, mnist.task, load_images(data), seeds=5)
    yield from _accuracies("mnist_published", runs)
    yield Measured("mnist_published_initial_spikes", max(r["spikes_per_neuron"][0] for r in runs))
    yield Measured("mnist_published_minutes", max(r["minutes"] for r in runs))


def best(data: str | os.PathLike) -> Iterator[Measured]:
    """Three networks at the best setting with shifted images, and three without."""
    images = load_images(data)
    runs = _train(MNIST["best"], mnist.task, images, seeds=3)
    yield from _accuracies("mnist_best", runs)
    yield Measured("mnist_best_minutes", max(r["minutes"] for r in runs))
    plain = _train(MNIST["best-plain"], mnist.task, images, seeds=3)
    yield Measured("mnist_best_plain", _percent(plain, "accuracy"), _spread(plain))


def fashion(data: str | os.PathLike) -> Iterator[Measured]:
    """Three networks of the same setting, without shifted images, on Fashion-MNIST."""
    runs = _train(MNIST["best-plain"], mnist.task, load_images(data), seeds=3)
    yield Measured("fashion", _percent(runs, "accuracy"), _spread(runs))


def yin_yang() -> Iterator[Measured]:
    """Five networks with thirty hidden neurons, and five with trained delays."""
    for name, row in (("plain", "yin_yang"), ("delays", "yin_yang_delays")):
        runs = _train(YIN_YANG[name], lambda _, s: yinyang.task(s), None, seeds=5)
        yield from _accuracies(row, runs)


def _train(setting: Setting, task, data, *, seeds: int) -> list[dict]:
    """Histories of trainings in float32."""
    jax.config.update("jax_enable_x64", False)
    try:
        learned: Task = task(data, setting)
        runs = []
        for seed in range(seeds):
            began = time.perf_counter()
            history = train(setting, learned, seed).history
            runs.append({**history, "minutes": (time.perf_counter() - began) / 60})
        return runs
    finally:
        jax.config.update("jax_enable_x64", True)


def _accuracies(row: str, runs: list[dict]) -> Iterator[Measured]:
    yield Measured(row, _percent(runs, "accuracy"), _spread(runs))
    yield Measured(f"{row}_ordinary", _percent(runs, "accuracy_ordinary"))


def _percent(runs: list[dict], name: str) -> float:
    return 100 * float(np.mean([run[name][-1] for run in runs]))


def _spread(runs: list[dict]) -> str:
    return f"sd={100 * np.std([run['accuracy'][-1] for run in runs]):.2f},seeds={len(runs)}"
