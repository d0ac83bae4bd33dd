"""Images and labels in the IDX format of MNIST, plain or compressed; nothing is downloaded."""

from __future__ import annotations

import gzip
import os
import struct
import zlib
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import UInt8

from ..._check import check

FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
CLASSES = 10


class Images(NamedTuple):
    """Grey images, pixels flattened, and their classes.

    - `train`, `test`: grey levels from 0 to 255, shape `(images, pixels)`.
    - `train_labels`, `test_labels`: classes from 0 to 9, shape `(images,)`.
    - `side`: pixels along a side of the square.
    """

    train: UInt8[np.ndarray, "n pixels"]
    train_labels: UInt8[np.ndarray, " n"]
    test: UInt8[np.ndarray, "m pixels"]
    test_labels: UInt8[np.ndarray, " m"]
    side: int


def load_images(directory: str | os.PathLike) -> Images:
    """Reads the four files of MNIST, or of a data set in its format such as Fashion-MNIST.

    **Arguments:** `directory`: holds the four files, each as it is or compressed with the suffix
    `.gz`.

    **Raises:** `ValueError` that names the files that are missing, or what is wrong with one.
    """
    found = {name: _find(Path(directory), name) for name in FILES}
    missing = [name for name, path in found.items() if path is None]
    check(
        not missing,
        f"directory {str(directory)!r}: must hold {', '.join(missing)} (plain or .gz); "
        "scripts/fetch_mnist.py gets them",
    )
    train, train_labels, test, test_labels = (read_idx(path) for path in found.values() if path)
    for name, images, labels in (("train", train, train_labels), ("t10k", test, test_labels)):
        _check_pair(Path(directory) / name, images, labels)
    check(
        train.shape[1:] == test.shape[1:] and train.shape[1] == train.shape[2],
        f"{directory}: images must be square and equal, not {train.shape[1:]}, {test.shape[1:]}",
    )
    return Images(
        train.reshape(len(train), -1),
        train_labels,
        test.reshape(len(test), -1),
        test_labels,
        train.shape[1],
    )


def read_idx(path: str | os.PathLike) -> UInt8[np.ndarray, "..."]:
    """Reads one IDX file of unsigned bytes.

    **Raises:** `ValueError` if it is not such a file, or shorter or longer than its header says.
    """
    path = Path(path)
    try:
        content = path.read_bytes()
        if path.suffix == ".gz":
            content = gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(f"{path}: cannot be read ({error})") from None
    # two zeros, the code 8 of unsigned bytes, and the number of dimensions
    check(
        len(content) >= 4 and content[:3] == b"\0\0\x08" and 1 <= content[3] <= 3,
        f"{path}: must begin with the magic number of an IDX file of bytes, not "
        f"0x{content[:4].hex()}",
    )
    begin = 4 + 4 * content[3]
    check(len(content) >= begin, f"{path}: ends within its header")
    shape = struct.unpack(f">{content[3]}I", content[4:begin])
    size = int(np.prod(shape, dtype=object))
    check(
        len(content) - begin == size,
        f"{path}: holds {len(content) - begin} bytes of data, but shape {shape} needs {size}",
    )
    return np.frombuffer(content, np.uint8, offset=begin).reshape(shape)


def _find(directory: Path, name: str) -> Path | None:
    candidates = (directory / name, directory / f"{name}.gz")
    return next((path for path in candidates if path.is_file()), None)


def _check_pair(path: Path, images: np.ndarray, labels: np.ndarray) -> None:
    check(images.ndim == 3, f"{path}-images: must have 3 dimensions, not {images.ndim}")
    check(labels.ndim == 1, f"{path}-labels: must have 1 dimension, not {labels.ndim}")
    check(
        len(images) == len(labels) and len(labels) > 0,
        f"{path}: {len(images)} images and {len(labels)} labels must be equally many, not none",
    )
    wrong = labels >= CLASSES
    if wrong.any():
        at = int(np.argmax(wrong))
        raise ValueError(f"{path}-labels: label {labels[at]} at {at}: must be 0 to {CLASSES - 1}")
