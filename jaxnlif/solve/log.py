"""Records of what happens at unforeseen times, in arrays of fixed size."""

from __future__ import annotations

from typing import Generic, NamedTuple, TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Int

from .._check import is_concrete


class Event(NamedTuple):
    """Multiple firing events: when (time), and the fraction of the neurons that fired together."""

    time: Array
    size: Array


class Switch(NamedTuple):
    """Changes of the description: when (time), to which `Regime`, and the number that decided."""

    time: Array
    regime: Array
    criterion: Array


class Spike(NamedTuple):
    """Spikes of single neurons: when (time), and the neuron's number in the raster."""

    time: Array
    neuron: Array


Row = TypeVar("Row", Event, Switch, Spike)


class Log(eqx.Module, Generic[Row]):
    """The first rows of a record; `count` goes on when they are full.

    - `rows`: a named tuple of arrays, each of shape `(capacity,)`.
    - `count`: how many rows were to be written.
    """

    rows: Row
    count: Int[Array, ""]

    @classmethod
    def empty(cls, row: Row, capacity: int) -> Log[Row]:
        """Room for `capacity` rows like `row`."""
        rows = jax.tree.map(lambda x: jnp.zeros(capacity, jnp.asarray(x).dtype), row)
        return cls(rows, jnp.zeros((), jnp.int32))

    @property
    def capacity(self) -> int:
        """How many rows there is room for."""
        return self.rows[0].shape[0]

    @property
    def overflowed(self) -> Bool[Array, ""]:
        """Whether rows were lost."""
        return self.count > self.capacity

    def append(self, when: Bool[Array, ""], row: Row) -> Log[Row]:
        """The log with one more row where `when` holds."""
        return self.extend(jnp.reshape(when, 1), jax.tree.map(lambda x: jnp.reshape(x, 1), row))

    def extend(self, mask: Bool[Array, " k"], rows: Row) -> Log[Row]:
        """The log with those of k rows for which `mask` holds, in their order."""
        place = jnp.where(mask, self.count + jnp.cumsum(mask) - 1, self.capacity)
        written = jax.tree.map(
            lambda old, new: old.at[place].set(jnp.asarray(new, old.dtype), mode="drop"),
            self.rows,
            rows,
        )
        return Log(written, self.count + jnp.sum(mask, dtype=jnp.int32))

    def table(self) -> Row:
        """The rows that were written; under a transformation all rows, unwritten ones zero."""
        if not is_concrete(self.count):
            return self.rows
        return jax.tree.map(lambda x: x[: min(int(self.count), self.capacity)], self.rows)
