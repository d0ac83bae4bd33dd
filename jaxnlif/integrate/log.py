"""Records of what happens at unforeseen times, in arrays of fixed size."""

from __future__ import annotations

from typing import Any, Generic, NamedTuple, TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Int

from .._check import is_concrete


class Event(NamedTuple):
    """Multiple firing events.

    - `time`: when, shape `(events,)` (learning time).
    - `size`: the fraction of the neurons that fired together, shape `(events,)`, of populations
      that of each, `(events, k)` (dimensionless).
    """

    time: Array
    size: Array


class Switch(NamedTuple):
    """Changes of the description.

    - `time`: when, shape `(switches,)` (learning time).
    - `regime`: the `Regime` from then on, shape `(switches,)`.
    - `criterion`: the number that decided, that of the switch, shape `(switches,)`.
    """

    time: Array
    regime: Array
    criterion: Array


class Spike(NamedTuple):
    """Spikes of single neurons.

    - `time`: the end of the step in which they came, shape `(spikes,)` (learning time).
    - `neuron`: the neuron's number in the raster, shape `(spikes,)`.
    """

    time: Array
    neuron: Array


Row = TypeVar("Row", Event, Switch, Spike)


class Log(eqx.Module, Generic[Row]):
    """The first rows of a record; `count` goes on when they are full.

    - `rows`: a named tuple of arrays, each of shape `(capacity + 1, …)`; the last row catches what
      there is no room for, so that every row is written without a branch.
    - `count`: how many rows were to be written.
    """

    rows: Row
    count: Int[Array, ""]

    @classmethod
    def empty(cls, row: Row, capacity: int) -> Log[Row]:
        """Room for `capacity` rows like `row`."""

        def room(x: Any) -> Array:
            return jnp.zeros((capacity + 1, *jnp.shape(x)), jnp.asarray(x).dtype)

        rows = jax.tree.map(room, row)
        return cls(rows, jnp.zeros((), jnp.int32))

    @property
    def capacity(self) -> int:
        """How many rows there is room for."""
        return self.rows[0].shape[-1] - 1

    @property
    def overflowed(self) -> Bool[Array, ""]:
        """Whether rows were lost."""
        return self.count > self.capacity

    def append(self, when: Bool[Array, ""], row: Row) -> Log[Row]:
        """The log with one more `row` where `when` holds, a number."""
        place = jnp.minimum(self.count, self.capacity)

        def write(old: Any, new: Any) -> Array:
            new = jnp.where(when, jnp.asarray(new, old.dtype), 0)
            return lax.dynamic_update_index_in_dim(old, new, place, 0)

        return Log(jax.tree.map(write, self.rows, row), self.count + when)

    def extend(self, mask: Bool[Array, " k"], rows: Row) -> Log[Row]:
        """The log with those of k `rows` for which `mask` holds, shape `(k,)`, in their order."""
        place = jnp.where(mask, self.count + jnp.cumsum(mask) - 1, self.capacity)
        place = jnp.minimum(place, self.capacity)
        written = jax.tree.map(
            lambda old, new: old.at[place].set(jnp.asarray(new, old.dtype)), self.rows, rows
        )
        return Log(written, self.count + jnp.sum(mask, dtype=jnp.int32))

    def last(self) -> Row:
        """The newest row there was room for; zero in an empty log."""
        newest = jnp.clip(self.count, 1, self.capacity) - 1
        return jax.tree.map(lambda x: x[newest], self.rows)

    def table(self) -> Row:
        """The rows that were written; under `jit` and in a batch all rows, unwritten ones zero."""
        if is_concrete(self.count) and self.count.ndim == 0:
            return jax.tree.map(lambda x: x[: min(int(self.count), self.capacity)], self.rows)
        rows = (*(slice(None),) * jnp.ndim(self.count), slice(-1))
        return jax.tree.map(lambda x: x[rows], self.rows)
