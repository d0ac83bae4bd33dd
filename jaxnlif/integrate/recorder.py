"""How far a run from the host is, and what it has saved until then."""

from __future__ import annotations

import abc
from contextlib import AbstractContextManager
from typing import Any, NamedTuple

import jax
import numpy as np

from .record import Record


class Position(NamedTuple):
    """The state after `step` steps, and how many records were saved until then."""

    state: Any
    step: int
    count: int  # pyright: ignore[reportIncompatibleMethodOverride]: of tuples, not used


class AbstractRecorder(AbstractContextManager):
    """Takes the records of a run; `position` is how far it is, and `records` what belongs to that.

    Ctrl-C may come between any two lines: `position` changes at once, so that it is always whole.
    """

    @property
    @abc.abstractmethod
    def position(self) -> Position:
        """How far the run is."""

    @abc.abstractmethod
    def start(self, state: Any, first: Record) -> None:
        """Starts with this state, or where an earlier run of the same stopped.

        **Arguments:** `first`, the record of the state.
        """

    @abc.abstractmethod
    def append(self, state: Any, step: int, records: Record) -> None:
        """Takes a later state, and the records of the times until then, stacked."""

    @abc.abstractmethod
    def due(self) -> bool:
        """Whether it is time to `save`."""

    @abc.abstractmethod
    def save(self) -> None:
        """Makes sure that the run can be resumed from here."""

    @abc.abstractmethod
    def records(self) -> Record:
        """All records until now, stacked."""


class MemoryRecorder(AbstractRecorder):
    """Holds the records in memory, as long as the process lives."""

    def __init__(self) -> None:
        self._first: Record | None = None
        self._pieces: list[Record] = []
        self._position = Position(None, 0, 0)

    def __exit__(self, *exception: object) -> None:
        pass

    @property
    def position(self) -> Position:
        return self._position

    def start(self, state: Any, first: Record) -> None:
        self._first = first
        self._position = Position(state, 0, 0)

    def append(self, state: Any, step: int, records: Record) -> None:
        self._pieces.append(records)
        self._position = Position(state, step, self._position.count + len(records.rate))

    def due(self) -> bool:
        return False

    def save(self) -> None:
        pass

    def records(self) -> Record:
        count = self._position.count
        if len(self._pieces) == 1 and len(self._pieces[0].rate) == count:
            return self._pieces[0]  # where it is, which may be on a device
        nothing = jax.tree.map(lambda x: np.zeros((0, *x.shape), x.dtype), self._first)
        return jax.tree.map(lambda *parts: np.concatenate(parts)[:count], nothing, *self._pieces)
