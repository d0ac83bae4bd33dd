"""Fits that are written to a directory every now and then, and taken up from there."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
from jaxtyping import Float

from .._describe import summarise
from .._leaves import from_arrays, to_arrays
from .._rotation import Rotation, exclusive, going_on_if_full
from ..integrate.checkpoint import Checkpoint
from .descent import Descent

_LOSSES = "losses"


class Keeper:
    """Keeps all descents of a fit, and their losses turn by turn.

    **Arguments:** `checkpoint`, or `None` to keep nothing; `fit`: what tells this fit from others,
    a pytree.
    """

    def __init__(self, checkpoint: Checkpoint | None, fit: Mapping[str, Any]):
        self._checkpoint = checkpoint
        self._fit = None if checkpoint is None else summarise(fit)
        self._last = time.monotonic()

    @contextmanager
    def taken_up(
        self, descent: Descent
    ) -> Iterator[tuple[Descent, list[Float[np.ndarray, " starts"]]]]:
        """The descents and losses that were kept, or this one and none; other processes keep out.

        **Raises:** `ValueError` if the directory holds another fit, `OSError` if another process is
        using it or it cannot be written.
        """
        if self._checkpoint is None:
            yield descent, []
            return
        with exclusive(self._checkpoint.directory):
            yield self._find(descent)

    def due(self) -> bool:
        """Whether it is time to write again."""
        if self._checkpoint is None:
            return False
        return time.monotonic() - self._last >= self._checkpoint.every

    def keep(self, descent: Descent, losses: list[Float[np.ndarray, " starts"]]) -> None:
        """Writes them, whole or not at all; a full disk is a warning."""
        if self._checkpoint is None:
            return
        arrays = to_arrays(descent) | {_LOSSES: np.stack(losses)}
        with going_on_if_full(self._checkpoint.directory):
            self._rotation(self._checkpoint).write(len(losses), arrays, {"fit": self._fit})
        self._last = time.monotonic()

    def _find(self, descent: Descent) -> tuple[Descent, list[Float[np.ndarray, " starts"]]]:
        assert self._checkpoint is not None
        assert self._fit is not None
        rotation = self._rotation(self._checkpoint)
        for saved in rotation.intact():
            rotation.require("fit", saved, self._fit)
            found, rest = from_arrays(saved.arrays, descent)
            return found, list(rest[_LOSSES])
        return descent, []

    @staticmethod
    def _rotation(checkpoint: Checkpoint) -> Rotation:
        return Rotation(checkpoint.directory, checkpoint.keep)
