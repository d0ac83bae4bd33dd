"""IDX files, and what is wrong with them."""

import gzip
import struct

import numpy as np
import pytest

from jaxnlif.spikes.data import load_images
from jaxnlif.spikes.data.idx import FILES, read_idx


def idx(array) -> bytes:
    array = np.asarray(array, np.uint8)
    return struct.pack(f">I{array.ndim}I", 0x800 + array.ndim, *array.shape) + array.tobytes()


@pytest.fixture
def directory(tmp_path):
    rng = np.random.default_rng(0)
    for name, num in zip(FILES, (6, 6, 4, 4), strict=True):
        shape = (num, 3, 3) if "images" in name else (num,)
        (tmp_path / name).write_bytes(idx(rng.integers(0, 10, shape)))
    return tmp_path


def test_plain_and_compressed_files_are_read(directory):
    plain = load_images(directory)
    name = directory / FILES[0]
    (directory / f"{FILES[0]}.gz").write_bytes(gzip.compress(name.read_bytes()))
    name.unlink()
    compressed = load_images(directory)
    assert plain.train.shape == (6, 9)
    assert plain.test_labels.shape == (4,)
    assert plain.side == 3
    for one, other in zip(plain, compressed, strict=True):
        np.testing.assert_array_equal(one, other)


def test_missing_files_are_named(directory):
    (directory / FILES[1]).unlink()
    (directory / FILES[2]).unlink()
    with pytest.raises(ValueError, match=f"must hold {FILES[1]}, {FILES[2]} .plain or .gz."):
        load_images(directory)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "must begin with the magic number of an IDX file of bytes, not 0x"),
        (b"\0\0\x0d\x01" + bytes(8), "not 0x00000d01"),
        (b"\0\0\x08\x03\0\0", "ends within its header"),
        (idx(np.zeros((2, 2, 2)))[:-1], r"holds 7 bytes of data, but shape \(2, 2, 2\) needs 8"),
        (idx(np.zeros(3)) + b"x", r"holds 4 bytes of data, but shape \(3,\) needs 3"),
    ],
)
def test_broken_files(content, message, tmp_path):
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message):
        read_idx(path)


def test_truncated_compression(tmp_path):
    path = tmp_path / "file.gz"
    path.write_bytes(gzip.compress(idx(np.arange(200)))[:-20])
    with pytest.raises(ValueError, match="cannot be read"):
        read_idx(path)


@pytest.mark.parametrize(
    ("name", "array", "message"),
    [
        (FILES[1], [0, 1, 2, 10, 4, 5], "label 10 at 3: must be 0 to 9"),
        (FILES[3], [0, 1], "4 images and 2 labels must be equally many"),
        (FILES[3], [[0, 1], [1, 1]], "must have 1 dimension, not 2"),
        (FILES[0], [[0, 1], [1, 1]], "must have 3 dimensions, not 2"),
        (FILES[2], np.zeros((4, 2, 2)), "images must be square and equal"),
    ],
)
def test_data_that_do_not_fit(directory, name, array, message):
    (directory / name).write_bytes(idx(array))
    with pytest.raises(ValueError, match=message):
        load_images(directory)
