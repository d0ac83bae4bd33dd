"""The systems of `mmatrix` row by row, in two sweeps.

The upward sweep carries and returns the excesses and the substituted right side, and nothing else;
the pivots $d_j = e_j + up_j$ are recomputed on the way down: on a CPU, XLA runs loop bodies of at
most eight kernels several times faster than larger ones.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from .exchange import Rates

_Two = tuple[Array, Array]
_Three = tuple[Array, Array, Array]


def sweep_up(
    rates: Rates,
    kappa: Float[Array, " #w"],
    rhs: Any,
    *,
    kill: Array | None = None,
) -> tuple[Any, Float[Array, "n #w"]]:
    r"""Elimination and forward substitution, $y_j = (r_j + up_{j-1} y_{j-1}) / d_j$.

    Also the column excesses $e_0 = κ$, $e_{j+1} = κ + down_j e_j / d_j$, of the eliminated matrix.
    $d_j = e_j + up_j$ are the pivots, and $e_j / d_j$ is the part of the mass at j that stays in
    the system when all states up to j are eliminated: $κ \sum_j x_j = \sum_j e_j y_j$ for any
    right side. `kill` are rates, row by row, at which more leaves; they are part of the excesses.
    """

    def row(carry: tuple[Array, Any], inputs: Any) -> tuple[tuple[Array, Any], tuple[Any, Array]]:
        excess, y = carry
        rhs, rates_row, kill = inputs
        if kill is not None:
            excess = excess + kill
        below, up, down = rates.at(rates_row)
        inverse = 1 / (excess + up)
        y = jax.tree.map(lambda r, y: (r + below * y) * inverse, rhs, y)
        return (kappa + down * inverse * excess, y), (y, excess)

    zero = jax.tree.map(lambda r: jnp.zeros_like(r[0]), rhs)
    return lax.scan(row, (kappa, zero), (rhs, rates.rows, kill))[1]


def sweep_down(
    rates: Rates, y: Float[Array, "n w"], excess: Float[Array, "n #w"]
) -> Float[Array, "n w"]:
    r"""Back substitution $x_j = y_j + down_j x_{j+1} / d_j$."""

    def row(above: Array, inputs: Any) -> _Two:
        y, excess, rates_row = inputs
        _, up, down = rates.at(rates_row)
        x = y + down / (excess + up) * above
        return x, x

    return lax.scan(row, jnp.zeros_like(y[0]), (y, excess, rates.rows), reverse=True)[1]


def solve(rates: Rates, kappa: Array, rhs: Array, *, axis: int = 0) -> Array:
    r"""Solves $(κ + A)\,x = r$, with the rows along an axis."""
    if axis == 1:
        return solve(rates, kappa, rhs.T).T
    return sweep_down(rates, *sweep_up(rates, kappa, rhs))


def solve_transposed(rates: Rates, kappa: Array, rhs: Array, *, axis: int = 0) -> Array:
    r"""Solves $(κ + A)^T x = r$ with the elimination of $κ + A$, in the same two sweeps."""
    if axis == 1:
        return solve_transposed(rates, kappa, rhs.T).T

    def up_row(carry: _Two, inputs: Any) -> tuple[_Two, _Two]:
        excess, carried = carry
        rhs, rates_row = inputs
        _, up, down = rates.at(rates_row)
        inverse = 1 / (excess + up)
        y = (carried + rhs) * inverse
        return (kappa + down * inverse * excess, down * y), (y, excess)

    def down_row(above: Array, inputs: Any) -> _Two:
        y, excess, rates_row = inputs
        _, up, _ = rates.at(rates_row)
        x = y + up * above / (excess + up)
        return x, x

    zero = jnp.zeros_like(rhs[0])
    _, (y, excess) = lax.scan(up_row, (kappa, zero), (rhs, rates.rows))
    return lax.scan(down_row, zero, (y, excess, rates.rows), reverse=True)[1]


def solve_shifted_transposed(rates: Rates, kappa: Array, source: int, rhs: Array) -> Array:
    r"""Solves $(κ + A)^T x + α = r$ with $x_R = 0$, in whose place $α$ is returned.

    Elimination from both ends leaves row R, which determines $α$; substitution leads back out.
    Pivots, and what $α$ is divided by, are sums of positive terms: of the unit column below R a
    part $κ q_j$ stays, and $1 - κ q_j$ comes from above; above R some of it also exits.
    """

    def from_below(carry: _Two, inputs: Any) -> tuple[_Two, _Two]:
        ones, right = carry
        rhs, rates_row = inputs
        _, up, down = rates.at(rates_row)
        ones, right = 1 + ones, rhs + right
        inverse = 1 / (kappa * ones + up)
        q, y = ones * inverse, right * inverse
        return (down * q, down * y), (y, q)

    def from_above(carry: _Three, inputs: Any) -> tuple[_Three, _Three]:
        exiting, ones, right = carry
        rhs, rates_row = inputs  # of the row below
        _, up, down = rates.at(rates_row)
        excess, ones, right = kappa + exiting, 1 + ones, rhs + right
        inverse = 1 / (excess + down)
        q, y = ones * inverse, right * inverse
        return (up * inverse * excess, up * q, up * y), (y, q, down * inverse)

    def rows(first: int, last: int) -> Any:
        return jax.tree.map(lambda rows: rows[first:last], rates.rows)

    zero = jnp.zeros_like(rhs[0])
    inputs = rhs[:source], rows(0, source)
    (ones_below, right_below), (y_below, q_below) = lax.scan(from_below, (zero, zero), inputs)
    inputs = rhs[source + 1 :], rows(source, -1)
    start = rates.exit + zero, zero, zero
    end, (y_above, q_above, ratio) = lax.scan(from_above, start, inputs, reverse=True)
    _, ones_above, right_above = end
    alpha = (rhs[source] + right_below + right_above) / (1 + ones_below + ones_above)

    def outwards(x: Array, inputs: _Three) -> _Two:
        y, q, ratio = inputs
        x = y - alpha * q + ratio * x
        return x, x

    inputs = y_below, q_below, 1 - kappa[None] * q_below
    below = lax.scan(outwards, zero, inputs, reverse=True)[1]
    above = lax.scan(outwards, zero, (y_above, q_above, ratio))[1]
    return jnp.concatenate([below, alpha[None], above])


def recurrence(
    factors: Float[Array, "n 1"], rows: Float[Array, "n v"], *, reverse: bool = False
) -> tuple[Float[Array, "n 1"], Float[Array, "n v"]]:
    r"""Products of the $f$, and $x_j = r_j + f_j x_{j-1}$, or in `reverse` $x_{j+1}$."""

    def add(before: _Two, inputs: _Two) -> tuple[_Two, _Two]:
        (through, x), (factor, row) = before, inputs
        after = factor * through, row + factor * x
        return after, after

    start = jnp.ones_like(factors[0]), jnp.zeros_like(rows[0])
    return lax.scan(add, start, (factors, rows), reverse=reverse)[1]
