"""Images to classify: where they are read, and which of them judge."""

from __future__ import annotations

import argparse

from .._check import check
from ..spikes.data.idx import Images, load_images
from ._options import add_switch

_HELD_OUT = 10_000


def add_image_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options that say which images."""
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


def read_images(arguments: argparse.Namespace) -> Images:
    """The images that the options name.

    **Raises:** `ValueError` if there are none, or too few to hold some out.
    """
    images = load_images(arguments.data)
    return held_out(images) if arguments.validate else images


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
