"""Checkpoints of a training: its whole state and its history, the newest in a directory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from .._check import check
from ..store.directory import AbstractIdentity, Directory, NoDirectory
from ..store.leaves import from_arrays

State = TypeVar("State")


@dataclass(frozen=True)
class Settings(AbstractIdentity):
    """What distinguishes a training from others, as JSON can hold it."""

    content: Mapping[str, Any]

    def metadata(self) -> dict[str, Any]:
        return dict(self.content)

    def require(self, directory: Path, metadata: Mapping[str, Any]) -> None:
        differing = [
            name + _in_words(metadata.get(name), self.content.get(name))
            for name in sorted({**self.content, **metadata})
            if self.content.get(name) != metadata.get(name)
        ]
        check(
            not differing,
            f"--resume: {str(directory)!r} is of another training, by its "
            + " and ".join(differing),
        )


def _in_words(there: Any, here: Any) -> str:
    """What differs, if it is short; a checkpoint of an older version may not say."""
    if not all(isinstance(value, int | str | None) for value in (there, here)):
        return ""
    texts = ("not told" if value is None else str(value) for value in (there, here))
    return " ({}, here {})".format(*texts)


def read(
    directory: Directory | NoDirectory, like: State
) -> tuple[State, dict[str, np.ndarray]] | None:
    """State, of the structure of `like`, and history of the newest checkpoint that is intact.

    **Raises:** `ValueError` if it is of another training, precision or version.
    """
    saved = directory.newest()
    if saved is None:
        return None
    try:
        return from_arrays(saved.arrays, like)
    except ValueError:
        raise ValueError(f"--resume: {str(saved.path.parent)!r} is of another precision") from None
