"""`jaxnlif run rows`: images seen row by row, classified by a recurrent network.

The pixels of a row, one input each, spike together, row after row, so that the network has to keep
what it has seen. With `--bins` larger than 1 a row takes as many times, brighter pixels first.

**Reference:** jaxnlif's own; the neurons and their gradients are those of C. Klos, R.-M.
Memmesheimer, arXiv 2309.14523 (2025).
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PRNGKeyArray, UInt8

from .._check import check, check_integer
from ..spikes.data.idx import CLASSES, Images
from ..spikes.encoding import pixel_bins
from ..spikes.inputs import BinnedSpikes
from . import _classifier_options as options
from . import _classifier_run as classifier
from ._classifier import Samples, Task
from ._classifier_setting import Setting
from ._images import add_image_arguments, read_images
from ._recurrent_setting import ROWS

_SIDES = {"small": 14, "full": 28}
_TRAIN = {"small": 10_000, "full": None}


@dataclass(frozen=True)
class RowEncoder:
    """Rows of pixels as spikes, the brighter a pixel the earlier within its row."""

    side: int
    bins: int
    times: tuple[float, ...]

    def __call__(self, images: UInt8[Array, "n pixels"], key: PRNGKeyArray | None) -> BinnedSpikes:
        n, side, bins = images.shape[0], self.side, self.bins
        which = pixel_bins(images, bins).reshape(n, side, 1, side)
        counts = which == jnp.arange(bins).reshape(1, 1, bins, 1)
        times = jnp.asarray(self.times, jnp.zeros(()).dtype)
        return BinnedSpikes(times, counts.reshape(n, side * bins, side))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of the experiment."""
    add_image_arguments(parser)
    parser.add_argument(
        "--images",
        type=int,
        metavar="N",
        help="to learn from (default: 10000 small ones, or all that are full)",
    )
    options.add_arguments(parser, ROWS, name="rows", without=())


def run(arguments: argparse.Namespace) -> None:
    """Trains, prints measures, writes checkpoints and the figure.

    **Raises:** `ValueError` for wrong arguments or data, before anything compiles or is written.
    """
    setting = options.chosen(arguments, ROWS)
    images = read_images(arguments)
    number = arguments.images
    if number is None:
        number = _TRAIN[arguments.setting] or len(images.train)
    check_integer("--images", number, at_least=1)
    number = min(number, len(images.train)) if arguments.images is None else number
    check(
        number <= len(images.train),
        f"--images = {number}: there are {len(images.train)} to learn from",
    )
    images = images._replace(train=images.train[:number], train_labels=images.train_labels[:number])
    classifier.run(arguments, setting, task(images, setting, _SIDES[arguments.setting]))


def task(images: Images, setting: Setting, side: int) -> Task:
    """Learning to classify images that are seen row by row, made smaller if need be."""
    check(
        images.side % side == 0,
        f"images of {images.side} × {images.side} pixels: must be a multiple of {side}",
    )
    return Task(
        "rows",
        Samples(_smaller(images.train, images.side, side), images.train_labels.astype(np.int32)),
        Samples(_smaller(images.test, images.side, side), images.test_labels.astype(np.int32)),
        CLASSES,
        side,
        RowEncoder(side, setting.bins, _times(setting, side)),
    )


def _times(setting: Setting, side: int) -> tuple[float, ...]:
    """From the first to the last row, the bins of a row in between."""
    first, last = setting.first, setting.last
    assert first is not None
    assert last is not None
    step = (last - first) / max(side * setting.bins - 1, 1)
    return tuple(float(first + step * k) for k in range(side * setting.bins))


def _smaller(
    images: UInt8[np.ndarray, "n pixels"], side: int, smaller: int
) -> UInt8[np.ndarray, "n fewer"]:
    """Images whose pixels are means of squares of pixels."""
    n, ratio = len(images), side // smaller
    squares = images.reshape(n, smaller, ratio, smaller, ratio).astype(np.float32)
    return np.round(squares.mean((2, 4))).astype(np.uint8).reshape(n, smaller**2)
