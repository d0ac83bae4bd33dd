"""Sums of many small terms, which keep what rounding takes from them."""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float


class Sum(NamedTuple):
    r"""A sum, `total`, and its `error`, which is what rounding has taken from it and is due next.

    The error of n terms is that of the last rounding alone, not one that grows with n.

    **Reference:** D. E. Knuth, *The Art of Computer Programming* 2, sec. 4.2.2 (1997), theorem B.
    """

    total: Float[Array, "..."]
    error: Float[Array, "..."]

    @classmethod
    def zero(cls, like: Float[Array, "..."]) -> Sum:
        """An empty sum of terms like this one."""
        return cls(jnp.zeros_like(like), jnp.zeros_like(like))

    def plus(self, term: Float[Array, "..."]) -> Sum:
        """The sum with one more term."""
        term = term + self.error
        total = self.total + term
        added = total - self.total
        error = (self.total - (total - added)) + (term - added)
        return Sum(total, lax.stop_gradient(error))
