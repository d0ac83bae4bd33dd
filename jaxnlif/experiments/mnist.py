"""`jaxnlif run mnist`: images classified by the first spike, learned with exact gradients.

**Reference:** C. Klos, R.-M. Memmesheimer, Smooth exact gradient descent learning in spiking neural
networks, arXiv 2309.14523 (2025).
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int, PRNGKeyArray, UInt8

from .._check import check
from ..spikes.data.idx import CLASSES, Images, load_images
from ..spikes.encoding import Volleys, flip, time_to_first_spike
from . import _classifier_options as options
from . import _classifier_run as classifier
from ._classifier import Samples, Task
from ._classifier_setting import MNIST, Setting
from ._options import add_switch

_HELD_OUT = 10_000


@dataclass(frozen=True)
class ImageEncoder:
    """Images as spikes: shifted, encoded and flipped as a setting says, if there is a key."""

    bins: int
    duration: float
    first: float | None
    last: float | None
    flip: float
    shift: int
    side: int

    def __call__(self, images: UInt8[Array, "n pixels"], key: PRNGKeyArray | None) -> Volleys:
        if key is None:
            return self._spikes(images)
        flips, shifts = jax.random.split(key)
        if self.shift:
            images = shifted(images, self.side, self.shift, key=shifts)
        inputs = self._spikes(images)
        return flip(inputs, self.flip, key=flips) if self.flip else inputs

    def _spikes(self, images: UInt8[Array, "n pixels"]) -> Volleys:
        when: dict[str, Any] = {"first": self.first, "last": self.last}
        return time_to_first_spike(images, bins=self.bins, duration=self.duration, **when)


def shifted(
    images: UInt8[Array, "n pixels"], side: int, most: int, *, key: PRNGKeyArray
) -> UInt8[Array, "n pixels"]:
    """Each image shifted by up to `most` pixels in each direction, black moving in."""
    padded = jnp.pad(images.reshape(-1, side, side), ((0, 0), (most, most), (most, most)))
    offsets = jax.random.randint(key, (images.shape[0], 2), 0, 2 * most + 1)

    def window(image: UInt8[Array, "h w"], offset: Int[Array, "2"]) -> UInt8[Array, "y x"]:
        return jax.lax.dynamic_slice(image, offset, (side, side))

    return jax.vmap(window)(padded, offsets).reshape(images.shape)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of the experiment."""
    parser.add_argument(
        "--data",
        default="data/mnist",
        metavar="DIR",
        help="the four IDX files, plain or .gz, as scripts/fetch_mnist.py gets them "
        "(default: %(default)s)",
    )
    add_switch(
        parser, "--validate", f"judge by the last {_HELD_OUT} training images, not by the test set"
    )
    options.add_arguments(parser, MNIST, name="mnist")


def run(arguments: argparse.Namespace) -> None:
    """Trains, prints measures, writes checkpoints and the figure.

    **Raises:** `ValueError` for wrong arguments or data, before anything compiles or is written.
    """
    setting = options.chosen(arguments, MNIST)
    images = load_images(arguments.data)
    if arguments.validate:
        images = held_out(images)
    classifier.run(arguments, setting, task(images, setting))


def held_out(images: Images, number: int = _HELD_OUT) -> Images:
    """The last training images in place of the test set."""
    check(len(images.train) > number, f"training set: must have more than {number} images")
    return Images(
        images.train[:-number],
        images.train_labels[:-number],
        images.train[-number:],
        images.train_labels[-number:],
        images.side,
    )


def task(images: Images, setting: Setting) -> Task:
    """Learning to classify images."""
    encoder = ImageEncoder(
        setting.bins,
        setting.duration,
        setting.first,
        setting.last,
        setting.flip,
        setting.shift,
        images.side,
    )
    return Task(
        "mnist",
        Samples(images.train, images.train_labels.astype(np.int32)),
        Samples(images.test, images.test_labels.astype(np.int32)),
        CLASSES,
        images.side**2,
        encoder,
    )
