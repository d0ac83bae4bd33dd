"""The published tasks: a single neuron and a recurrent network learn spike times."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np
from _report import Measured
from benchmarks import spikes_recurrent

from jaxnlif.experiments import (
    spiketimes,
    spiketimes_recurrent,
    spiketimes_restarts,
    spiketimes_single,
)
from jaxnlif.experiments._output import prepare_directory
from jaxnlif.experiments._training import Training, train
from jaxnlif.experiments.spiketimes_recurrent import Reservoir
from jaxnlif.integrate.progress import NoProgress

TRIALS = spiketimes.TRIALS["recurrent"]
SEEDS, SEEDS_RESTARTED = range(16), range(8)
AIM, AIM_RESTARTED = 0.01, 1e-10
"""Largest distances from targets at the end (membrane times)."""


def single() -> Iterator[Measured]:
    """Two targets within 3000 trials."""
    seed, trials = spiketimes.SEEDS["single"], spiketimes.TRIALS["single"]
    training = spiketimes_single.training(spiketimes_single.task(seed), seed, trials)
    history = _trained(training, trials)
    yield Measured("single_task_loss", float(history["loss"].min()))


def recurrent() -> Iterator[Measured]:
    """Both neurons reach their targets within 10 000 trials; spikes appear and vanish."""
    seed = spiketimes.SEEDS["recurrent"]
    task = spiketimes_recurrent.task(seed)
    history = _trained(spiketimes_recurrent.training(task, seed, TRIALS), TRIALS)
    appeared, vanished = spiketimes_recurrent.changes(history)
    yield Measured("recurrent_task_error", _error(task, history))
    yield Measured("recurrent_task_appeared", appeared)
    yield Measured("recurrent_task_vanished", vanished)


def recurrent_seeds(keep: str | None) -> Iterator[Measured]:
    """The same task of sixteen seeds."""

    def training(task: Reservoir, seed: int) -> Training:
        return spiketimes_recurrent.training(task, seed, TRIALS)

    errors = _errors(keep, "recurrent-adam", training, TRIALS, SEEDS)
    reached = sum(error < AIM for error in errors)
    yield Measured("recurrent_task_seeds", reached, f"of={len(errors)}")
    yield Measured("recurrent_task_median", float(np.median(errors)))


def recurrent_restarts(keep: str | None) -> Iterator[Measured]:
    """The same by Levenberg-Marquardt, of eight seeds."""
    errors = _errors(
        keep, "recurrent-lm", spiketimes_restarts.training, spiketimes.STEPS, SEEDS_RESTARTED
    )
    reached = sum(error < AIM_RESTARTED for error in errors)
    yield Measured("recurrent_task_restarts", reached, f"of={len(errors)}")


def recurrent_published(directory: str | os.PathLike, keep: str | None) -> Iterator[Measured]:
    """The authors' own inputs and targets."""
    task = spikes_recurrent.load(directory).reservoir._replace(beyond=spiketimes_recurrent.BEYOND)
    training = spiketimes_recurrent.training(task, spikes_recurrent.CONFIG["seed"], TRIALS)
    history = _trained(training, TRIALS, keep, "recurrent-published")
    yield Measured("recurrent_task_published", _error(task, history))


def _errors(
    keep: str | None,
    name: str,
    training: Callable[[Reservoir, int], Training],
    trials: int,
    seeds: range,
) -> list[float]:
    """The errors at the end of a training of each seed."""
    errors = []
    for seed in seeds:
        task = spiketimes_recurrent.task(seed)
        history = _trained(training(task, seed), trials, keep, f"{name}-{seed}")
        errors.append(_error(task, history))
        print(f"# {name} {seed}: {errors[-1]:.3g} after {len(history['loss'])}", flush=True)
    return errors


def _trained(
    training: Training, trials: int, keep: str | None = None, name: str = ""
) -> dict[str, np.ndarray]:
    """The records of a training; with `keep`, its checkpoint is kept and taken up."""
    with ExitStack() as stack:
        if keep is None:
            path = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        else:
            path = prepare_directory(keep) / name
        resume = any(path.glob("state-*.npz"))
        return train(training, trials, checkpoint=path, resume=resume, progress=NoProgress())[1]


def _error(task: Reservoir, history: dict[str, np.ndarray]) -> float:
    """The largest distance from a target at the end."""
    return float(spiketimes_recurrent.errors(task, history)[-1])
