"""The exchange of mass between neighbours along the leading axis, which `mmatrix` describes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float


class Rates(NamedTuple):
    """Exchange rates row by row: `at(rows[j])` gives `(up[j-1], up[j], down[j])`."""

    rows: Any
    at: Callable[[Any], tuple[Array, Array, Array]]

    @classmethod
    def table(cls, up: Float[Array, "n w"], down: Float[Array, "n w"]) -> Rates:
        """Rates given as arrays; `down[-1]` is not used."""
        return cls((shifted(up), up, down), lambda row: row)

    def all(self) -> tuple[Array, Array, Array]:
        """`at` of all rows."""
        return jax.vmap(self.at)(self.rows)

    @property
    def exit(self) -> Array:
        """The rate at which the last row leaves the system."""
        return self.at(jax.tree.map(lambda rows: rows[-1], self.rows))[1]


def shifted(
    rows: Array, first: Array | None = None, *, axis: int = 0, reverse: bool = False
) -> Array:
    """Row j - 1, or in `reverse` j + 1, in the place of row j.

    In that of the first one comes `first`, or the first one itself.
    """
    size = rows.shape[axis]
    if first is None:
        some = min(size, 1)
        first = lax.slice_in_dim(rows, *((size - some, size) if reverse else (0, some)), axis=axis)
    both = jnp.concatenate([rows, first] if reverse else [first, rows], axis)
    start = both.shape[axis] - size if reverse else 0
    return lax.slice_in_dim(both, start, start + size, axis=axis)
