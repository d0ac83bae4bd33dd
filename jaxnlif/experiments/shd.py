"""`jaxnlif run shd`: spoken digits as spikes, classified by a recurrent network.

The Spiking Heidelberg Digits are read where their two files are, `--data DIR`; without, what stands
in for them is generated: `jn.spikes.data.moving_tones`.

**Reference:** B. Cramer et al., arXiv 1910.07407, for the data; the neurons and their gradients are
those of C. Klos, R.-M. Memmesheimer, arXiv 2309.14523 (2025).
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int, PRNGKeyArray

from .._check import check, check_integer
from ..spikes.data import EventData, load_events, moving_tones
from ..spikes.inputs import InputSpikes, stack_spikes
from . import _classifier_options as options
from . import _classifier_run as classifier
from ._classifier import Samples, Task
from ._classifier_setting import Setting
from ._recurrent_setting import SHD

_FILES = "shd_train.h5", "shd_test.h5"
_SEEDS = 1, 2
"""Of the generated samples to learn from, and to judge by."""
_SPAN = 0.9
"""The part of a trial in which the spikes come."""


class Spikes(NamedTuple):
    """Spikes of samples, `inf` seconds where a sample has no more."""

    times: Float[np.ndarray, "n m"]
    sources: Int[np.ndarray, "n m"]


@dataclass(frozen=True)
class SpikeEncoder:
    """Spikes in the time of the neurons: `seconds` last so many units of it."""

    scale: float

    def __call__(self, spikes: Spikes, key: PRNGKeyArray | None) -> InputSpikes:
        times = jnp.asarray(spikes.times, jnp.zeros(()).dtype)
        return InputSpikes(self.scale * times, jnp.asarray(spikes.sources))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of the experiment."""
    parser.add_argument(
        "--data",
        metavar="DIR",
        help=f"holds {' and '.join(_FILES)}; without it, spikes are generated",
    )
    parser.add_argument(
        "--samples",
        type=int,
        nargs=2,
        metavar=("N", "M"),
        help="to learn from, and to judge by (default: 2000 500, or all of the files)",
    )
    options.add_switch(parser, "--delays", "learn a delay of each input")
    without = {"bins", "first", "last"}
    options.add_arguments(parser, SHD, name="shd", without=without)


def run(arguments: argparse.Namespace) -> None:
    """Trains, prints measures, writes checkpoints and the figure.

    **Raises:** `ValueError` for wrong arguments or data, before anything compiles or is written.
    """
    setting = replace(options.chosen(arguments, SHD), delays=arguments.delays)
    sizes = arguments.samples
    for size in sizes or ():
        check_integer("--samples", size, at_least=1)
    train, test = read(arguments.data, sizes) if arguments.data else generated(sizes)
    classifier.run(arguments, setting, task(train, test, setting))
    if not arguments.data:
        print("generated spikes stood in for the Spiking Heidelberg Digits; --data DIR reads them")


def read(directory: str, sizes: list[int] | None) -> list[EventData]:
    """The data of the two files, as much of them as is wanted."""
    paths = [Path(directory) / name for name in _FILES]
    missing = [path.name for path in paths if not path.is_file()]
    check(not missing, f"--data = {directory}: must hold {' and '.join(missing)}")
    found = [load_events(path) for path in paths]
    for name, one, size in zip(_FILES, found, sizes or (None, None), strict=True):
        held = len(one.labels)
        check(size is None or size <= held, f"--samples: {name} holds {held}, not {size}")
    return [
        one if size is None else one.subset(range(size))
        for one, size in zip(found, sizes or (None, None), strict=True)
    ]


def generated(sizes: list[int] | None = None) -> list[EventData]:
    """What stands in for the data: samples to learn from, and to judge by."""
    return [
        moving_tones(size, seed=seed)
        for size, seed in zip(sizes or (2000, 500), _SEEDS, strict=True)
    ]


def task(train: EventData, test: EventData, setting: Setting) -> Task:
    """Learning to classify spikes; the longest sample takes the greater part of a trial."""
    end = max(float(np.max(one.times, initial=0)) for one in (train, test))
    scale = _SPAN * setting.duration / max(end, 1e-9)
    return Task(
        "shd", _samples(train), _samples(test), train.classes, train.channels, SpikeEncoder(scale)
    )


def _samples(events: EventData) -> Samples:
    places = zip(events.offsets[:-1], events.offsets[1:], strict=True)
    stacked = stack_spikes(
        [(events.times[a:b], events.units[a:b].astype(np.int32)) for a, b in places]
    )
    spikes = Spikes(np.asarray(stacked.times, np.float32), np.asarray(stacked.sources, np.int32))
    return Samples(spikes, events.labels.astype(np.int32))
