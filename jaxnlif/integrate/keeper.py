"""Where a run from the host has come to, and what it has saved until then."""

from __future__ import annotations

import abc
from contextlib import AbstractContextManager
from typing import Any, NamedTuple

import jax
import numpy as np

from .looks import Look


class At(NamedTuple):
    """The state after `step` steps, and how many looks were saved until then."""

    state: Any
    step: int
    count: int


class AbstractKeeper(AbstractContextManager):
    """Takes what a run makes; `at` is where it has come to, and `saved` what belongs to that.

    Ctrl-C may come between any two lines: `at` changes at once, so that it is always whole.
    """

    @property
    @abc.abstractmethod
    def at(self) -> At:
        """Where the run has come to."""

    @abc.abstractmethod
    def begin(self, state: Any, first: Look) -> None:
        """Begins with this state, or where an earlier run of the same stopped.

        **Arguments:** `first`, what a look at the state is.
        """

    @abc.abstractmethod
    def append(self, state: Any, step: int, saved: Look) -> None:
        """Moves on to a later state, with the looks that were saved on the way."""

    @abc.abstractmethod
    def due(self) -> bool:
        """Whether it is time to `keep`."""

    @abc.abstractmethod
    def keep(self) -> None:
        """Makes sure that the run can be taken up from here."""

    @abc.abstractmethod
    def saved(self) -> Look:
        """All looks until now, stacked."""


class Kept(AbstractKeeper):
    """Keeps everything in memory, as long as the process lives."""

    def __init__(self):
        self._first: Look | None = None
        self._pieces: list[Look] = []
        self._at = At(None, 0, 0)

    def __exit__(self, *exception: Any) -> None:
        pass

    @property
    def at(self) -> At:
        return self._at

    def begin(self, state: Any, first: Look) -> None:
        self._first = first
        self._at = At(state, 0, 0)

    def append(self, state: Any, step: int, saved: Look) -> None:
        self._pieces.append(saved)
        self._at = At(state, step, self._at.count + len(saved.rate))

    def due(self) -> bool:
        return False

    def keep(self) -> None:
        pass

    def saved(self) -> Look:
        count = self._at.count
        if len(self._pieces) == 1 and len(self._pieces[0].rate) == count:
            return self._pieces[0]  # where it is, which may be on a device
        nothing = jax.tree.map(lambda x: np.zeros((0, *x.shape), x.dtype), self._first)
        return jax.tree.map(lambda *parts: np.concatenate(parts)[:count], nothing, *self._pieces)
