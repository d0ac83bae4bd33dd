"""Result files: named arrays with metadata, written whole or not at all."""

from __future__ import annotations

import io
import json
import os
import uuid
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ._check import check

FORMAT = 1
_METADATA = "metadata"


@contextmanager
def write_atomically(path: str | os.PathLike) -> Iterator[Path]:
    """A temporary file beside `path` that takes its place once the block has ended well.

    Whatever goes wrong in the block, Ctrl-C included, leaves neither the temporary file nor a
    change at `path`; what it has left is on the disk, also after a power cut. The suffix is that of
    `path`, so that writers recognise the format.
    """
    path = Path(path)
    # Not `tempfile`, whose files only their owner may read.
    partial = path.with_name(f".{path.stem}-{uuid.uuid4().hex}{path.suffix}")
    try:
        yield partial
        with open(partial, "r+b") as file:
            os.fsync(file.fileno())
        os.replace(partial, path)
        _fsync_directory(path.parent)
    finally:
        partial.unlink(missing_ok=True)


def _fsync_directory(directory: Path) -> None:
    """Has the names in a directory written to the disk, where the system can be asked to."""
    if os.name != "posix":
        return
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_arrays(
    path: str | os.PathLike, arrays: Mapping[str, ArrayLike], metadata: Mapping[str, Any]
) -> None:
    """Writes named arrays and their metadata to one compressed `.npz` file, atomically.

    **Arguments:** `metadata`: anything JSON can hold; read back by `read_arrays`.

    **Raises:** `ValueError` if an array is called "metadata" or `metadata` is no JSON; `OSError`
    if the file cannot be written.
    """
    content = pack(arrays, metadata, compressed=True)
    with write_atomically(path) as partial:
        partial.write_bytes(content)


def pack(
    arrays: Mapping[str, ArrayLike], metadata: Mapping[str, Any], *, compressed: bool
) -> memoryview:
    """The content of such a file. **Raises:** `ValueError` as `write_arrays` does."""
    check(_METADATA not in arrays, f"arrays: the name {_METADATA!r} is reserved")
    try:
        text = json.dumps({"format": FORMAT, "content": dict(metadata)})
    except TypeError as error:
        raise ValueError(f"metadata: must be what JSON can hold ({error})") from None
    columns = {name: np.asarray(array) for name, array in arrays.items()}
    file = io.BytesIO()
    save = np.savez_compressed if compressed else np.savez
    save(file, **columns, **{_METADATA: np.asarray(text)})
    return file.getbuffer()


def read_arrays(path: str | os.PathLike) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """The arrays and the metadata that `write_arrays` put into a file.

    **Raises:** `ValueError` if it is no such file or was written by a newer version;
    `FileNotFoundError` if there is none.
    """
    foreign = f"{path}: must be a result file of jaxnlif"
    try:
        # Opened here, because NumPy leaves a damaged archive open.
        with open(path, "rb") as opened, np.load(opened, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        header = json.loads(str(arrays.pop(_METADATA)))
        version, content = header["format"], header["content"]
    except FileNotFoundError:
        raise
    except (
        zipfile.BadZipFile,
        zlib.error,
        NotImplementedError,
        OSError,
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        EOFError,
    ):
        raise ValueError(foreign) from None
    check(
        version <= FORMAT,
        f"{path}: file format {version} is newer than {FORMAT}, the newest this jaxnlif reads",
    )
    return arrays, content
