"""Checkpoints of a training: its whole state and its history, the newest in a directory."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from .._check import check
from .._leaves import from_arrays, to_arrays
from .._rotation import Rotation, going_on_if_full

State = TypeVar("State")


def write(
    directory: Path,
    number: int,
    state: Any,
    history: Mapping[str, np.ndarray],
    identity: Mapping[str, Any],
) -> None:
    """Writes a checkpoint, whole or not at all, and keeps the one before; a full disk is a warning.

    **Arguments:** `number`, how far the training is; `identity` says, as JSON, which one it is.
    """
    with going_on_if_full(directory):
        Rotation(directory).write(number, to_arrays(state) | dict(history), identity)


def read(
    directory: Path, state: State, identity: Mapping[str, Any]
) -> tuple[State, dict[str, np.ndarray]] | None:
    """State, of the structure of `state`, and history of the newest checkpoint that is intact.

    **Raises:** `ValueError` if it is of another training, precision or version.
    """
    for found in Rotation(directory).intact():
        differing = sorted(
            name
            for name in {**identity, **found.metadata}
            if identity.get(name) != found.metadata.get(name)
        )
        check(
            not differing,
            f"--resume: {str(directory)!r} is of another training, by its "
            + " and ".join(differing),
        )
        try:
            return from_arrays(found.arrays, state)
        except ValueError:
            raise ValueError(f"--resume: {str(directory)!r} is of another precision") from None
    return None
