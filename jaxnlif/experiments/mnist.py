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

from ..spikes.data.idx import CLASSES, Images
from ..spikes.encoding import Volleys, flip, time_to_first_spike
from . import _classifier_options as options
from . import _classifier_run as classifier
from ._classifier import Samples, Task
from ._classifier_setting import MNIST, Setting
from ._images import add_image_arguments, read_images


@dataclass(frozen=True)
class ImageEncoder:
    """Images as spikes: mirrored, shifted, encoded and flipped as a setting says, if there is a
    key."""

    bins: int
    duration: float
    first: float | None
    last: float | None
    flip: float
    shift: int
    mirror: bool
    side: int

    def __call__(self, images: UInt8[Array, "n pixels"], key: PRNGKeyArray | None) -> Volleys:
        if key is None:
            return self._spikes(images)
        flips, shifts = jax.random.split(key)
        if self.mirror:
            images = mirrored(images, self.side, key=jax.random.fold_in(key, 2))
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


def mirrored(
    images: UInt8[Array, "n pixels"], side: int, *, key: PRNGKeyArray
) -> UInt8[Array, "n pixels"]:
    """Each image, or with probability one half what a mirror at its side shows."""
    rows = images.reshape(-1, side, side)
    which = jax.random.bernoulli(key, 0.5, (images.shape[0], 1, 1))
    return jnp.where(which, rows[..., ::-1], rows).reshape(images.shape)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of the experiment."""
    add_image_arguments(parser)
    options.add_arguments(parser, MNIST, name="mnist")


def run(arguments: argparse.Namespace) -> None:
    """Trains, prints measures, writes checkpoints and the figure.

    **Raises:** `ValueError` for wrong arguments or data, before anything compiles or is written.
    """
    setting = options.chosen(arguments, MNIST)
    classifier.run(arguments, setting, task(read_images(arguments), setting))


def task(images: Images, setting: Setting) -> Task:
    """Learning to classify images."""
    encoder = ImageEncoder(
        setting.bins,
        setting.duration,
        setting.first,
        setting.last,
        setting.flip,
        setting.shift,
        setting.mirror,
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
