r"""Subtraction-free solution of tridiagonal M-matrix systems with known column excess.

The systems are $(κ + A)\,x = r$ along the leading axis, where $A$ exchanges mass between
neighbours: `up[j]` carries $j → j+1$ (the last one leaves the system), `down[j]` carries
$j+1 → j`. Column $j$ of $A$ sums to zero but for the exit, so every pivot is a sum of positive
terms (Grassmann, Taksar, Heyman 1985; Alfa, Xue, Ye 2002) and $x ≥ 0$ holds in floating point
for every $κ > 0$ when $r ≥ 0$. Columns of trailing axes are independent.

The upward sweep carries and returns the excesses and the substituted right side, and nothing else;
the pivots $d_j = e_j + up_j$ are recomputed on the way down: on a CPU, XLA runs loop bodies of at
most eight kernels several times faster than larger ones.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
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
        return cls((shifted_up(up), up, down), lambda row: row)

    def above(self, first: int) -> Rates:
        """The rates of the rows from `first` on."""
        return Rates(jax.tree.map(lambda rows: rows[first:], self.rows), self.at)

    @property
    def exit(self) -> Array:
        """The rate at which the last row leaves the system."""
        return self.at(jax.tree.map(lambda rows: rows[-1], self.rows))[1]


def shifted_up(rows: Array) -> Array:
    """Row j - 1 in the place of row j; the first row is not used and stays."""
    return jnp.concatenate([rows[:1], rows[:-1]])


def sweep_up(
    rates: Rates, kappa: Float[Array, " #w"], rhs: Any, first: Array | None = None
) -> tuple[Any, Float[Array, "n #w"]]:
    r"""Elimination and forward substitution, $y_j = (r_j + up_{j-1} y_{j-1}) / d_j$.

    Also the column excesses $e_0 = κ$ (or `first`, in a system whose lower rows are eliminated
    already), $e_{j+1} = κ + down_j e_j / d_j$, of the eliminated matrix. $d_j = e_j + up_j$ are the
    pivots, and $e_j / d_j$ is the part of the mass at j that stays in the system when all states up
    to j are eliminated: $κ \sum_j x_j = \sum_j e_j y_j$ for any right side.
    """

    def row(carry, inputs):
        excess, y = carry
        rhs, rates_row = inputs
        below, up, down = rates.at(rates_row)
        inverse = 1 / (excess + up)
        y = jax.tree.map(lambda r, y: (r + below * y) * inverse, rhs, y)
        return (kappa + down * inverse * excess, y), (y, excess)

    zero = jax.tree.map(lambda r: jnp.zeros_like(r[0]), rhs)
    start = kappa if first is None else first, zero
    return lax.scan(row, start, (rhs, rates.rows))[1]


def sweep_down(
    rates: Rates, y: Float[Array, "n w"], excess: Float[Array, "n #w"]
) -> Float[Array, "n w"]:
    r"""Back substitution $x_j = y_j + down_j x_{j+1} / d_j$."""

    def row(above, inputs):
        y, excess, rates_row = inputs
        _, up, down = rates.at(rates_row)
        x = y + down / (excess + up) * above
        return x, x

    return lax.scan(row, jnp.zeros_like(y[0]), (y, excess, rates.rows), reverse=True)[1]


def apply(
    kappa: Float[Array, " #w"],
    up: Float[Array, "n #w"],
    down: Float[Array, "n #w"],
    x: Float[Array, "n w"],
) -> Float[Array, "n w"]:
    r"""The product $(κ + A)\,x$."""
    rising, falling = up * x, down[:-1] * x[1:]
    none = jnp.zeros_like(rising[:1])
    arriving = jnp.concatenate([none, rising[:-1]]) + jnp.concatenate([falling, none])
    leaving = rising + jnp.concatenate([none, falling])
    return kappa[None] * x + leaving - arriving


def solve(
    kappa: Float[Array, " #w"],
    up: Float[Array, "n #w"],
    down: Float[Array, "n #w"],
    rhs: Float[Array, "n w"],
    *,
    matvec: Callable[[Array], Array] | None = None,
) -> Float[Array, "n w"]:
    r"""Solves $(κ + A)\,x = r$; non-negative to the last bit for $r ≥ 0$.

    Derivatives of every order and in both modes come from further solves with the same matrix or
    its transpose (`jax.lax.custom_linear_solve`), never from the recursion.

    **Arguments:** `kappa` > 0 (1/time), shape `(w,)`; `up`, `down` ≥ 0 exchange rates (1/time),
    shape `(n, w)`, or `(1,)` and `(n, 1)` for one matrix shared by all columns; `rhs` of shape
    `(n, w)`; `matvec`, the product with the matrix where that is known as a function through which
    derivatives should flow. **Returns:** `x`, shaped like `rhs`.
    """
    rates = Rates.table(*lax.stop_gradient((up, down)))
    fixed = lax.stop_gradient(kappa)

    def forward(_, rhs):
        return sweep_down(rates, *sweep_up(rates, fixed, rhs))

    def transposed(_, rhs):
        return _solve_transposed(rates, fixed, rhs)

    if matvec is None:
        matvec = partial(apply, kappa, up, down)
    return lax.custom_linear_solve(matvec, rhs, forward, transposed)


def _solve_transposed(rates: Rates, kappa: Array, rhs: Array) -> Array:
    r"""Solves $(κ + A)^T x = r$ with the elimination of $κ + A$, in the same two sweeps."""

    def up_row(carry, inputs):
        excess, carried = carry
        rhs, rates_row = inputs
        _, up, down = rates.at(rates_row)
        inverse = 1 / (excess + up)
        y = (carried + rhs) * inverse
        return (kappa + down * inverse * excess, down * y), (y, excess)

    def down_row(above, inputs):
        y, excess, rates_row = inputs
        _, up, _ = rates.at(rates_row)
        x = y + up * above / (excess + up)
        return x, x

    zero = jnp.zeros_like(rhs[0])
    _, (y, excess) = lax.scan(up_row, (kappa, zero), (rhs, rates.rows))
    return lax.scan(down_row, zero, (y, excess, rates.rows), reverse=True)[1]
