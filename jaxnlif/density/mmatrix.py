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
    kappa: Float[Array, "#columns"],
    up: Float[Array, "n #columns"],
    down: Float[Array, "n #columns"],
    x: Float[Array, "rows columns"],
    *,
    axis: int = 0,
) -> Float[Array, "rows columns"]:
    r"""The product $(κ + A)\,x$ along an axis, along which `up` and `down` are given too."""

    def shifted(rows, by):
        edges = [(0, 0, 0)] * rows.ndim
        edges[axis] = (by, -by, 0)
        return lax.pad(rows, jnp.zeros((), rows.dtype), edges)

    through = up * x - down * shifted(x, -1)
    return jnp.expand_dims(kappa, axis) * x + through - shifted(through, 1)


def repeated(row: Float[Array, " w"], num: int) -> Float[Array, "num w"]:
    """A row, `num` times, by a product: its transpose is one too, and not a sum over rows, which
    XLA's code for CPUs takes number by number together with all that is summed."""
    return jnp.ones((num, 1), row.dtype) @ row[None]


def solve(
    kappa: Float[Array, " #w"],
    up: Float[Array, "n #w"],
    down: Float[Array, "n #w"],
    rhs: Float[Array, "rows columns"],
    *,
    matvec: Callable[[Array], Array] | None = None,
    transposed: bool = False,
) -> Float[Array, "rows columns"]:
    r"""Solves $(κ + A)\,x = r$; non-negative to the last bit for $r ≥ 0$.

    Derivatives of every order and in both modes come from further solves with the same matrix or
    its transpose (`jax.lax.custom_linear_solve`), never from the recursion.

    **Arguments:** `kappa` > 0 (1/time), shape `(w,)`; `up`, `down` ≥ 0 exchange rates (1/time),
    shape `(n, w)`, or `(1,)` and `(n, 1)` for one matrix shared by all columns; `rhs` of shape
    `(n, w)`; `matvec`, the product with the matrix where that is known as a function through which
    derivatives should flow; `transposed`, whether `rhs` comes as `(w, n)`.
    **Returns:** `x`, shaped like `rhs`.
    """

    def turn(x):
        return x.T if transposed else x

    rates = Rates.table(*lax.stop_gradient((up, down)))
    fixed = lax.stop_gradient(kappa)

    def forward(_, rhs):
        return turn(sweep_down(rates, *sweep_up(rates, fixed, turn(rhs))))

    def adjoint(_, rhs):
        return turn(_solve_transposed(rates, fixed, turn(rhs)))

    @partial(jax.checkpoint, prevent_cse=False)
    def product(kappa, up, down, x):  # of which reverse mode stores the factors alone
        if transposed:
            up, down = (repeated(rates[:, 0], x.shape[0]) for rates in (up, down))
            return apply(kappa, up, down, x, axis=1)
        return apply(kappa, up, down, x)

    if matvec is None:
        matvec = partial(product, kappa, up, down)
    return lax.custom_linear_solve(matvec, rhs, forward, adjoint)


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


def solve_shifted(
    rates: Rates,
    kappa: Float[Array, " w"],
    source: int,
    rhs: Float[Array, "n w"],
    mass: Float[Array, " w"],
    *,
    matvec: Callable[[Array], Array],
) -> Float[Array, "n w"]:
    r"""Solves $(κ + A)\,x = r + s\,e_R$ with $Σx = m$: what is missing comes in at one row.

    As s is whatever row R lacks, the mass takes the place of that row, and the matrix is regular
    for κ = 0 too. Derivatives come, as those of `solve`, from further solves; the transposed one
    needs two sweeps, as one right side has.

    **Arguments:** as `solve`; `source`, the row R; `mass`, m, shape `(w,)`; `matvec`, the product
    with $κ + A$, through which derivatives flow.
    """
    rates, fixed = Rates(lax.stop_gradient(rates.rows), rates.at), lax.stop_gradient(kappa)

    def product(x):
        return matvec(x).at[source].set(jnp.sum(x, 0))

    def forward(_, right):
        mass, rhs = right[source], right.at[source].set(0)
        both = rhs, jnp.zeros_like(rhs).at[source].set(1)
        (y, z), excess = sweep_up(rates, fixed, both)
        x, z = (sweep_down(rates, part, excess) for part in (y, z))
        entering = (mass - jnp.sum(x, 0)) / jnp.sum(z, 0)
        return x + entering[None] * z

    def adjoint(_, right):
        return _solve_shifted_transposed(rates, fixed, source, right)

    # The right side is a single array: of several, JAX can transpose a solve only once.
    return lax.custom_linear_solve(product, rhs.at[source].set(mass), forward, adjoint)


def _solve_shifted_transposed(rates: Rates, kappa: Array, source: int, rhs: Array) -> Array:
    r"""Solves $(κ + A)^T x + α = r$ with $x_R = 0$, in whose place $α$ is returned.

    Elimination from both ends leaves row R, which determines $α$; substitution leads back out.
    Pivots, and what $α$ is divided by, are sums of positive terms: of the unit column below R a
    part $κ q_j$ stays, and $1 - κ q_j$ comes from above; above R some of it also exits.
    """

    def from_below(carry, inputs):
        ones, right = carry
        rhs, rates_row = inputs
        _, up, down = rates.at(rates_row)
        ones, right = 1 + ones, rhs + right
        inverse = 1 / (kappa * ones + up)
        q, y = ones * inverse, right * inverse
        return (down * q, down * y), (y, q)

    def from_above(carry, inputs):
        exiting, ones, right = carry
        rhs, rates_row = inputs  # of the row below
        _, up, down = rates.at(rates_row)
        excess, ones, right = kappa + exiting, 1 + ones, rhs + right
        inverse = 1 / (excess + down)
        q, y = ones * inverse, right * inverse
        return (up * inverse * excess, up * q, up * y), (y, q, down * inverse)

    def rows(first, last):
        return jax.tree.map(lambda rows: rows[first:last], rates.rows)

    zero = jnp.zeros_like(rhs[0])
    inputs = rhs[:source], rows(0, source)
    (ones_below, right_below), (y_below, q_below) = lax.scan(from_below, (zero, zero), inputs)
    inputs = rhs[source + 1 :], rows(source, -1)
    start = rates.exit + zero, zero, zero
    end, (y_above, q_above, ratio) = lax.scan(from_above, start, inputs, reverse=True)
    _, ones_above, right_above = end
    alpha = (rhs[source] + right_below + right_above) / (1 + ones_below + ones_above)

    def outwards(x, inputs):
        y, q, ratio = inputs
        x = y - alpha * q + ratio * x
        return x, x

    inputs = y_below, q_below, 1 - kappa[None] * q_below
    below = lax.scan(outwards, zero, inputs, reverse=True)[1]
    above = lax.scan(outwards, zero, (y_above, q_above, ratio))[1]
    return jnp.concatenate([below, alpha[None], above])
