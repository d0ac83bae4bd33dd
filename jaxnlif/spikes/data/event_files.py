"""Event files in the form of the Spiking Heidelberg Digits; nothing is downloaded."""

from __future__ import annotations

import os
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import numpy as np

from ..._check import check, check_integer
from ...store.files import write_atomically
from ...store.npy import check_file, room
from .events import EventData, event_data

_TIMES, _UNITS, _LABELS = "spikes/times", "spikes/units", "labels"
_BLOCK = 256  # samples that are read at once


def load_events(path: str | os.PathLike, *, channels: int = 700, classes: int = 20) -> EventData:
    """Reads an event file: HDF5 with `spikes/times`, `spikes/units` and `labels`.

    The spikes of a sample are pairs of a time and a unit, without an order of their own: where they
    are not in the order of time, they are sorted. Times of 16 bits are widened to 32, others stay.

    **Arguments:** `path`: of the file; `channels`, `classes`: how many there are, which the file
    does not say; by default those of the Spiking Heidelberg Digits.

    **Raises:** `ValueError` that names the file if it is not HDF5, lacks a field, or has one of
    another form; if times and units of a sample are not equally many, times are negative or not
    finite, units or labels do not exist, or labels are not as many as samples; `ImportError` if
    h5py is missing.

    **Reference:** B. Cramer, Y. Stradmann, J. Schemmel, F. Zenke, The Heidelberg spiking data sets
    for the systematic evaluation of spiking neural networks, IEEE Trans. Neural Netw. Learn. Syst.
    33 (2022), arXiv 1910.07407.
    """
    h5py = _require_h5py()
    channels = check_integer("channels", channels, at_least=1)
    classes = check_integer("classes", classes, at_least=1)
    foreign = f"{path}: must be an HDF5 file that can be read"
    check_file(path, foreign)
    try:
        with h5py.File(path, "r") as file:
            read = _read(h5py, file, str(path))
    except (OSError, RuntimeError, KeyError, TypeError):
        raise ValueError(foreign) from None
    return event_data(str(path), *read, channels=channels, classes=classes)


def save_events(path: str | os.PathLike, events: EventData) -> None:
    """Writes an event file, which `load_events` reads; whole or not at all.

    **Arguments:** `path`: of the file; `events`: what it is to hold.

    **Raises:** `ImportError` if h5py is missing.
    """
    h5py = _require_h5py()
    # The temporary file is locked already.
    with write_atomically(path) as partial, h5py.File(partial, "w", locking=False) as file:
        for name, values in ((_TIMES, events.times), (_UNITS, events.units)):
            kind = h5py.vlen_dtype(values.dtype)
            written = file.create_dataset(name, events.labels.shape, kind)
            for k, one in enumerate(np.split(values, events.offsets[1:-1])):
                written[k] = one
        file[_LABELS] = events.labels


def _read(h5py: ModuleType, file: Any, path: str) -> tuple[np.ndarray, ...]:
    """Times and units of all samples, numbers of spikes, and labels."""
    times, units, labels = (_dataset(h5py, file, path, x) for x in (_TIMES, _UNITS, _LABELS))
    for name, field, kinds in ((_TIMES, times, "f"), (_UNITS, units, "iu")):
        kind = h5py.check_vlen_dtype(field.dtype)
        check(
            kind is not None and kind.kind in kinds and field.ndim == 1,
            f"{path}: {name} must be a sequence of arrays of variable length, of "
            f"{'times in seconds' if kinds == 'f' else 'integers'}",
        )
    check(
        labels.ndim == 1 and labels.dtype.kind in "iu",
        f"{path}: {_LABELS} must be a sequence of integers",
    )
    check(
        len(times) == len(units),
        f"{path}: times of {len(times)} samples and units of {len(units)}: must be as many",
    )
    bytes_left = room(os.stat(path).st_size)
    check(
        max(len(times), len(labels)) <= bytes_left // 8,
        f"{path}: {len(times)} samples and {len(labels)} labels are more than a file of its size "
        "can hold",
    )
    kinds = [h5py.check_vlen_dtype(field.dtype) for field in (times, units)]
    wide = np.promote_types(kinds[0], np.float32)
    all_times, all_units, lengths = [np.zeros(0, wide)], [np.zeros(0, kinds[1])], []
    for begin in range(0, len(times), _BLOCK):
        part = slice(begin, begin + _BLOCK)
        ours, theirs = times[part], units[part]
        for k, (one, other) in enumerate(zip(ours, theirs, strict=True)):
            check(
                len(one) == len(other),
                f"{path}: sample {begin + k} has {len(one)} times and {len(other)} units; "
                "must be as many",
            )
            lengths.append(len(one))
        all_times.append(np.concatenate(ours).astype(wide))
        all_units.append(np.concatenate(theirs))
        bytes_left -= all_times[-1].nbytes + all_units[-1].nbytes
        check(bytes_left >= 0, f"{path}: declares more spikes than a file of its size can hold")
    counts = np.array(lengths, np.int64)
    return np.concatenate(all_times), np.concatenate(all_units), counts, labels[:]


def _dataset(h5py: ModuleType, file: Any, path: str, name: str) -> Any:
    """A field of the file, which must lie in the file itself."""
    for part in _prefixes(name):
        check(part in file, f"{path}: must have the field {name}, as files of the form of SHD")
        link = file.get(part, getlink=True)
        check(isinstance(link, h5py.HardLink), f"{path}: {part} must lie in the file itself")
    field = file[name]
    check(isinstance(field, h5py.Dataset), f"{path}: {name} must be an array, not a group")
    check(
        field.external is None and not field.is_virtual,
        f"{path}: {name} is stored in another file, which is not read",
    )
    return field


def _prefixes(name: str) -> Iterator[str]:
    """The field, and before it the groups that it is in."""
    parts = name.split("/")
    return ("/".join(parts[: k + 1]) for k in range(len(parts)))


def _require_h5py() -> ModuleType:
    try:
        import h5py
    except ImportError as error:
        raise ImportError(f"event files need {error.name}: pip install 'jaxnlif[io]'") from error
    return h5py
