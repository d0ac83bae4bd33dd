"""The published tasks: a single neuron and a recurrent network learn spike times."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from _report import Measured

from jaxnlif.experiments import spiketimes, spiketimes_recurrent, spiketimes_single
from jaxnlif.experiments._training import train
from jaxnlif.integrate.progress import NoProgress


def _trained(name: str, module):
    seed, trials = spiketimes.SEEDS[name], spiketimes.TRIALS[name]
    task = module.task(seed)
    with tempfile.TemporaryDirectory() as directory:
        _, history = train(
            module.training(task, seed),
            trials,
            checkpoint=Path(directory),
            resume=False,
            progress=NoProgress(),
        )
    return task, history


def single() -> Iterator[Measured]:
    """Two targets within 3000 trials."""
    _, history = _trained("single", spiketimes_single)
    yield Measured("single_task_loss", float(history["loss"].min()))


def recurrent() -> Iterator[Measured]:
    """Both neurons reach their targets within 10 000 trials; spikes appear and vanish."""
    task, history = _trained("recurrent", spiketimes_recurrent)
    error = spiketimes_recurrent.errors(task, history)
    appeared, vanished = spiketimes_recurrent.changes(history)
    yield Measured("recurrent_task_error", float(np.min(error)))
    yield Measured("recurrent_task_appeared", appeared)
    yield Measured("recurrent_task_vanished", vanished)
