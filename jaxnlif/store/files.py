"""Result files: named arrays with metadata, written whole or not at all."""

from __future__ import annotations

import errno
import glob
import io
import json
import os
import uuid
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import ArrayLike

from .._check import check
from .npy import read_archive, room

try:
    import fcntl
except ImportError:  # not a POSIX system: nothing keeps two processes apart there
    fcntl = None

FORMAT = 1
_METADATA = "metadata"
_NO_LOCKS = (errno.ENOLCK, errno.ENOTSUP)  # of file systems that have none


@contextmanager
def write_atomically(path: str | os.PathLike) -> Iterator[Path]:
    """A temporary file beside `path` that takes its place once the block has ended well.

    Whatever goes wrong in the block, Ctrl-C included, leaves neither the temporary file nor a
    change at `path`; what it has left is on the disk, also after a power cut. What a process left
    that was killed while it wrote is removed by the next one that writes there. The suffix is that
    of `path`, so that writers recognise the format.
    """
    path = Path(path)
    partial, file = _begin(path)
    try:
        yield partial
        with open(partial, "r+b") as written:
            os.fsync(written.fileno())
        os.replace(partial, path)
        _fsync_directory(path.parent)
    finally:
        partial.unlink(missing_ok=True)
        file.close()


def _begin(path: Path) -> tuple[Path, IO]:
    """A new temporary file beside `path`, locked until it is closed; abandoned ones are removed."""
    while True:
        # Not `tempfile`, whose files only their owner may read.
        partial = path.with_name(f".{path.stem}-{uuid.uuid4().hex}{path.suffix}")
        file = open(partial, "xb")  # noqa: SIM115, closed by its user
        if not lock(file, wait=True):
            file.close()
            return partial, file
        if partial.exists():
            break
        file.close()  # taken for abandoned before it was locked
    pattern = f".{glob.escape(path.stem)}-{'[0-9a-f]' * 32}{glob.escape(path.suffix)}"
    for other in path.parent.glob(pattern):
        with suppress(OSError), open(other, "rb") as abandoned:
            lock(abandoned)
            other.unlink()
    return partial, file


def lock(file: IO, *, wait: bool = False) -> bool:
    """Locks a file until it is closed, however the process ends; whether there are locks here.

    **Raises:** `BlockingIOError` if another process has locked it, unless this one is to `wait`.
    """
    if fcntl is None:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        return False
    return True


def write_bytes(path: str | os.PathLike, *parts: bytes | memoryview) -> None:
    """Writes a file, whole or not at all. **Raises:** `OSError` if it cannot be written."""
    with write_atomically(path) as partial, open(partial, "wb") as file:
        for part in parts:
            file.write(part)


def write_figure(path: str | os.PathLike, figure: Any) -> None:
    """Writes a figure of matplotlib in the format of the suffix, whole or not at all.

    It is drawn in memory: what matplotlib raises for a file that cannot be written may be anything.

    **Raises:** `OSError` if it cannot be written.
    """
    content = io.BytesIO()
    figure.savefig(content, format=Path(path).suffix[1:])
    write_bytes(path, content.getbuffer())


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
    write_bytes(path, pack(arrays, metadata, compressed=True))


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
    save: Any = np.savez_compressed if compressed else np.savez
    save(file, **columns, **{_METADATA: np.asarray(text)})
    with zipfile.ZipFile(file) as archive:
        declared = sum(entry.file_size for entry in archive.infolist())
    content = file.getbuffer()
    if declared > room(len(content)):
        return pack(arrays, metadata, compressed=False)
    return content


def read_arrays(path: str | os.PathLike) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """The arrays and the metadata that `write_arrays` put into a file.

    **Raises:** `ValueError` if it is no such file, declares more than it may hold or was written by
    a newer version; `FileNotFoundError` if there is none.
    """
    foreign = f"{path}: must be a result file of jaxnlif"
    arrays = read_archive(path, foreign)
    try:
        header = json.loads(str(arrays.pop(_METADATA)))
        version, content = header["format"], header["content"]
        check(type(version) is int and isinstance(content, dict), foreign)
    except (KeyError, TypeError, ValueError, RecursionError):
        raise ValueError(foreign) from None
    check(
        version <= FORMAT,
        f"{path}: file format {version} is newer than {FORMAT}, the newest this jaxnlif reads",
    )
    return arrays, content
