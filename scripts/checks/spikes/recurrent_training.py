"""What recurrent networks learn: rows of digits, and spikes in the shape of spoken digits."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
from _report import Measured

from jaxnlif.experiments import rows, shd
from jaxnlif.experiments._classifier import Task
from jaxnlif.experiments._recurrent_setting import ROWS, SHD, RecurrentSetting
from jaxnlif.integrate.result import SolveError
from jaxnlif.spikes.data import load_images

from .training import accuracies, minutes, trained


def small_rows(data: str, keep: str | None) -> Iterator[Measured]:
    """14 rows of 14 pixels, 10 000 images, 128 theta neurons."""
    yield from _rows("small", 14, data, keep, 10_000)


def full_rows(data: str, keep: str | None) -> Iterator[Measured]:
    """28 rows of 28 pixels, all images."""
    yield from _rows("full", 28, data, keep, None)


def _rows(
    name: str, side: int, data: str, keep: str | None, number: int | None
) -> Iterator[Measured]:
    images = load_images(data)
    images = images._replace(train=images.train[:number], train_labels=images.train_labels[:number])
    setting = ROWS[name]
    runs = trained(keep, f"rows-{name}", setting, lambda s: rows.task(images, s, side), seeds=1)
    yield from accuracies(f"rows_{name}", runs)
    yield Measured(f"rows_{name}_minutes", minutes(runs))


def stand_in(keep: str | None) -> Iterator[Measured]:
    """Generated spikes: theta and QIF neurons by counts, LIF neurons by counts and first spikes.

    The counts of LIF neurons have no derivative. A training that ends with more spikes than there
    is room for has the accuracy NaN.
    """
    best = SHD["best"]
    cases = [("theta", "count"), ("qif", "count"), ("lif", "count"), ("lif", "first")]
    for delays in (False, True):
        reached = {}
        for neuron, readout in cases:
            setting = replace(best, neuron=neuron, readout=readout, delays=delays)
            name = f"stand_in_{neuron}_{readout}"
            rows = list(_classified(name + ("_delays" if delays else ""), keep, setting))
            reached[neuron, readout] = rows[0].value
            yield from rows
        lif = np.fmax(reached["lif", "count"], reached["lif", "first"])
        over = reached["theta", "count"] - lif
        yield Measured("stand_in_theta_over_lif", over, "delays" if delays else "")


def _classified(name: str, keep: str | None, setting: RecurrentSetting) -> list[Measured]:
    try:
        return list(accuracies(name, trained(keep, name, setting, _generated(), seeds=1)))
    except SolveError as error:
        print(f"# {name}: {error}")
        return [Measured(name, np.nan), Measured(f"{name}_ordinary", np.nan)]


def _generated() -> Callable[[object], Task]:
    return lambda setting: shd.task(*shd.generated(), setting)
