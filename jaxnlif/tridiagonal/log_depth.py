r"""The systems of `mmatrix` in logarithmic depth, for devices where a loop over rows is slow.

With $e_j = κ c_j$ the elimination reads $c_{j+1} = ((κ + down_j) c_j + up_j) / (κ c_j + up_j)$, a
Möbius map with a non-negative matrix, and maps are composed by multiplying matrices; with the
pivots known, both substitutions are linear recurrences. Products of either kind associate (Blelloch
1990), and no subtraction occurs in them, so that what is non-negative row by row is so here too.
As $c ≥ 1$, numerators are never below denominators, and neither underflows first. Products of
factors are formed before what they multiply is known: one that underflows is lost, though a loop,
which begins with a large number, may not underflow there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from .exchange import Rates, shifted


class _Moebius(NamedTuple):
    """The maps $x → (a x + b) / (c x + d)$ of all rows, up to a factor of each."""

    a: Array
    b: Array
    c: Array
    d: Array

    def after(self, first: _Moebius) -> _Moebius:
        return _Moebius(
            self.a * first.a + self.b * first.c,
            self.a * first.b + self.b * first.d,
            self.c * first.a + self.d * first.c,
            self.c * first.b + self.d * first.d,
        ).scaled()

    def scaled(self) -> _Moebius:
        """The same maps with entries of at most 1, products of which do not overflow."""
        size = jnp.maximum(jnp.maximum(self.a, self.b), jnp.maximum(self.c, self.d))
        return _Moebius(*(x / size for x in self))

    def iterates(self, start: Array, *, axis: int = 0, reverse: bool = False) -> Array:
        """What row after row, from `start` on, is before it is mapped."""

        def compose(first: _Moebius, second: _Moebius) -> _Moebius:
            return second.after(first)

        through = _scan(compose, self.scaled(), axis=axis, reverse=reverse)
        images = (through.a * start + through.b) / (through.c * start + through.d)
        return shifted(images, start, axis=axis, reverse=reverse)


def recurrence(
    factors: Array, rows: Any, *, axis: int = 0, reverse: bool = False
) -> tuple[Array, Any]:
    r"""Products of the $f$, and $x_j = r_j + f_j x_{j-1}$, or in `reverse` $x_{j+1}$, from 0 on.

    **Arguments:** `factors` f and `rows` r (one array or several), with the rows along `axis`.
    """

    def compose(first: tuple[Array, Any], second: tuple[Array, Any]) -> tuple[Array, Any]:
        (f, x), (g, y) = first, second
        return g * f, jax.tree.map(lambda x, y: y + g * x, x, y)

    return _scan(compose, (factors, rows), axis=axis, reverse=reverse)


def sweep_up(
    rates: Rates, kappa: Float[Array, " #w"], rhs: Any, *, kill: Array | None = None
) -> tuple[Any, Float[Array, "n #w"]]:
    """As `loops.sweep_up`."""
    below, up, down = rates.all()
    kappa = kappa[None]
    if kill is None:
        excess = kappa * _numbers(up, down, kappa)
    else:
        onwards = kill + up
        maps = _Moebius(kappa + down, kappa * onwards + down * kill, jnp.ones_like(up), onwards)
        excess = maps.iterates(kappa) + kill
    pivots = excess + up
    return recurrence(below / pivots, jax.tree.map(lambda r: r / pivots, rhs))[1], excess


def sweep_down(
    rates: Rates, y: Float[Array, "n w"], excess: Float[Array, "n #w"]
) -> Float[Array, "n w"]:
    """As `loops.sweep_down`."""
    _, up, down = rates.all()
    return recurrence(down / (excess + up), y, reverse=True)[1]


def solve(
    rates: Rates,
    kappa: Float[Array, " #w"],
    rhs: Float[Array, "rows columns"],
    *,
    axis: int = 0,
    transposed: bool = False,
) -> Float[Array, "rows columns"]:
    r"""Solves $(κ + A)\,x = r$, or the transposed system, along an axis.

    Along the last axis one matrix serves all rows of the right side.
    """
    _, up, down = rates.all()
    if axis == 1:
        up, down = up.T, down.T
    kappa = jnp.expand_dims(kappa, axis)
    pivots = kappa * _numbers(up, down, kappa, axis=axis) + up
    climb, fall = (down, up) if transposed else (up, down)
    y = recurrence(shifted(climb, axis=axis) / pivots, rhs / pivots, axis=axis)[1]
    return recurrence(fall / pivots, y, axis=axis, reverse=True)[1]


def solve_transposed(rates: Rates, kappa: Array, rhs: Array, *, axis: int = 0) -> Array:
    r"""Solves $(κ + A)^T x = r$."""
    return solve(rates, kappa, rhs, axis=axis, transposed=True)


def solve_shifted_transposed(rates: Rates, kappa: Array, source: int, rhs: Array) -> Array:
    """As `loops.solve_shifted_transposed`."""
    (up_below, up_above), (down_below, down_above) = (
        (x[:source], x[source:-1]) for x in rates.all()[1:]
    )
    kappa = kappa[None]
    number = _numbers(up_below, down_below, kappa)
    pivots_below = kappa * number + up_below
    q_below = number / pivots_below
    y_below = recurrence(shifted(down_below) / pivots_below, rhs[:source] / pivots_below)[1]

    # Of what is above, row j belongs to the unknown j + 1.
    maps = _Moebius(kappa + up_above, kappa * down_above, jnp.ones_like(up_above), down_above)
    pivots_above = maps.iterates(kappa + rates.exit[None], reverse=True) + down_above
    given = 1 / pivots_above, rhs[source + 1 :] / pivots_above
    entering = shifted(up_above, reverse=True) / pivots_above
    q_above, y_above = recurrence(entering, given, reverse=True)[1]

    def into_source(below: Array, above: Array) -> Array:
        arriving = [down_below[-1:] * below[-1:], up_above[:1] * above[:1]]
        return jnp.sum(jnp.concatenate(arriving), 0)

    alpha = (rhs[source] + into_source(y_below, y_above)) / (1 + into_source(q_below, q_above))
    below = recurrence(up_below / pivots_below, y_below - alpha[None] * q_below, reverse=True)[1]
    above = recurrence(down_above / pivots_above, y_above - alpha[None] * q_above)[1]
    return jnp.concatenate([below, alpha[None], above])


def _scan(compose: Callable[[Any, Any], Any], rows: Any, *, axis: int, reverse: bool) -> Any:
    """An associative scan, of no rows too."""
    if jax.tree.leaves(rows)[0].shape[axis] == 0:
        return rows
    return lax.associative_scan(compose, rows, axis=axis, reverse=reverse)


def _numbers(up: Array, down: Array, kappa: Array, *, axis: int = 0) -> Array:
    """$c_j = e_j / κ$."""
    maps = _Moebius(kappa + down, up, jnp.broadcast_to(kappa, up.shape), up)
    return maps.iterates(jnp.ones_like(kappa), axis=axis)
