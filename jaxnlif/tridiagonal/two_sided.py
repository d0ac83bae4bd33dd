r"""The systems of `mmatrix` row by row, from both ends towards a row in the middle.

Elimination from either end is the same: row i keeps an excess, has the pivot $d_i = e_i + o_i$
with the rate $o_i$ onwards, and hands on $e_{i+1} = κ + b_i e_i/d_i$ and $o_i y_i$, with the rate
$b_i$ back into it; of the way back it leaves $x_i = y_i + (b_i/d_i)\,x_{i+1}$. Both ends are taken
in one turn of a loop, which makes turns half as many and twice as wide.

Arrays change row by row in place. On a CPU, XLA runs loop bodies of at most eight kernels several
times faster than larger ones, and what one kernel has stored the next ones read: `_row` of an array
that `_put` has changed. What XLA could otherwise make again in each of them, it does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

_Step = tuple[Array, Array]
_Rows = tuple[Float[Array, "n sides w"], Float[Array, "n sides w"]]

Paths = Sequence[range]
"""The interfaces that each side passes, one after the other: upwards, or by -1 downwards."""


class Chain(NamedTuple):
    """The exchange along paths: `onwards[i]`, and what comes back, `back(i, onwards[i])`."""

    onwards: Float[Array, "n sides w"]
    back: Callable[[Array, Array], Array]

    @classmethod
    def table(cls, up: Float[Array, "v w"], down: Float[Array, "v w"], paths: Paths) -> Chain:
        """That of rates given as arrays."""
        back = along(paths, down, up)
        return cls(along(paths, up, down), lambda i, _: row(back, i))


ChainOf = Callable[[Paths], Chain]


def along(
    paths: Paths, upwards: Float[Array, "v #w"], downwards: Float[Array, "u #w"]
) -> Float[Array, "n sides #w"]:
    """The rows of each path, those of `upwards` or of `downwards`."""

    def one(path: range) -> Array:
        low = path.start if path.step > 0 else path.stop + 1
        rows = (upwards if path.step > 0 else downwards)[low : low + len(path)]
        return rows if path.step > 0 else rows[::-1]

    return jnp.stack([one(path) for path in paths], 1)


def row(rows: Float[Array, "n *shape"], i: Array | int) -> Float[Array, "*shape"]:
    """Row i."""
    return lax.dynamic_index_in_dim(rows, i, 0, keepdims=False, allow_negative_indices=False)


def _put(rows: Array, i: Array | int, new: Array) -> Array:
    return lax.dynamic_update_index_in_dim(rows, new, i, 0, allow_negative_indices=False)


class Solution(NamedTuple):
    """A solution as it is found: each part of the rows `above`, and one side, is upside down."""

    sides: Float[Array, "n 2 w"]
    middle: Float[Array, " w"]
    above: tuple[Float[Array, "m 1 w"], ...]

    def rows(self) -> Float[Array, "v w"]:
        """The rows in their order."""
        upside_down = (self.sides, *self.above)
        above = [x[::-1, -1] for x in upside_down]
        return jnp.concatenate([self.sides[:, 0], self.middle[None], *above])

    def last(self) -> Float[Array, " w"]:
        """The last row."""
        return next((x[0, -1] for x in (*self.above[::-1], self.sides) if len(x)), self.middle)

    def total(self) -> Float[Array, " w"]:
        """The sum of all rows."""
        return sum((jnp.sum(x, (0, 1)) for x in (self.sides, *self.above)), self.middle)


class Eliminated(NamedTuple):
    """All rows but the middle one: its solution, and $y$ and $b/d$ of the others, from it outwards.

    The first of `parts` are those of both sides; all others lie above them.
    """

    middle: Float[Array, " w"]
    parts: tuple[_Rows, ...]

    def solution(self) -> Solution:
        """All rows."""
        x, found = self._both(), []
        for y, ratios in self.parts:
            y, x = _outwards(y, ratios, x)
            x = x[-1:]
            found.append(y)
        return Solution(found[0], self.middle, tuple(found[1:]))

    def last(self) -> Float[Array, " w"]:
        """The last row alone."""
        x = self._both()
        for y, ratios in self.parts:
            x = _end(y, ratios, x)[-1:]
        return x[0]

    def _both(self) -> Float[Array, "2 w"]:
        return jnp.stack([self.middle, self.middle])


def eliminate(
    chain: ChainOf,
    leaving: Float[Array, " w"],
    kappa: Float[Array, " #w"],
    rhs: Float[Array, "n w"],
) -> Eliminated:
    r"""Of $(κ + A)\,x = r$; `leaving`: the rate at which the last row leaves the system."""
    return _meet(chain, kappa[None], rhs, leaving[None], jnp.zeros_like(leaving)[None])


def eliminate_closed(
    chain: ChainOf,
    leaving: Float[Array, " w"],
    kappa: Float[Array, " #w"],
    rhs: Float[Array, "n w"],
    source: int,
) -> Eliminated:
    r"""Of $(κ + A)\,x = r + s\,e_R$, $s$ what leaves at the last row: it re-enters at row R.

    Above R a rate into R, the leak, is eliminated with the rest. It ends at R, where it is from R
    to itself. What it carries while R is still empty enters there.
    """
    kappa = kappa[None]
    paths = [range(len(rhs) - 2, source - 1, -1)]
    given = along(paths, rhs, rhs[1:])
    y, ratios, excess, inflow = _leaking(chain(paths), kappa, given, leaving[None])
    inflow = inflow + leaving[None] * _end(y, ratios, jnp.zeros_like(inflow))
    below = _meet(chain, kappa, rhs[: source + 1], excess, inflow)
    return below._replace(parts=(*below.parts, (y, ratios)))


def _meet(chain: ChainOf, kappa: Array, rhs: Array, excess: Array, inflow: Array) -> Eliminated:
    """From row 0 and from the last row, at which something may have entered, to the middle."""
    last = len(rhs) - 1
    middle, odd = divmod(last, 2)
    one = [range(last - 1, last - 1 - odd, -1)]
    both = [range(middle), range(last - 1 - odd, middle - 1, -1)]
    parts = []
    for paths in (one, both):
        if len(paths) == 2:
            excess, inflow = (jnp.concatenate([jnp.zeros_like(x), x]) for x in (excess, inflow))
        given = along(paths, rhs, rhs[1:])
        y, ratios, excess, inflow = _inwards(chain(paths), kappa, given, excess, inflow)
        parts.append((y, ratios))
    x = (rhs[middle] + jnp.sum(inflow, 0)) / (kappa[0] + jnp.sum(excess, 0))
    return Eliminated(x, (parts[1], parts[0]))


def _inwards(
    chain: Chain, kappa: Array, rhs: Array, excess: Array, inflow: Array
) -> tuple[Array, Array, Array, Array]:
    """$y$ and $b/d$, and what is handed on: the excess without κ, and the inflow."""

    def turn(i: Array, carry: tuple[Array, Array, Array, Array]) -> tuple[Array, ...]:
        y, ratios, excess, inflow = carry
        onwards = row(chain.onwards, i)
        inverse = 1 / (kappa + excess + onwards)
        y = _put(y, i, (row(y, i) + inflow) * inverse)
        ratios = _put(ratios, i, chain.back(i, onwards) * inverse)
        return y, ratios, row(ratios, i) * (kappa + excess), onwards * row(y, i)

    return _turns(len(rhs), turn, (rhs, jnp.zeros_like(rhs), excess, inflow))


def _leaking(chain: Chain, kappa: Array, rhs: Array, leak: Array) -> tuple[Array, ...]:
    """As `_inwards`, with a leak at the first row."""
    kappas = jnp.concatenate([kappa, jnp.zeros_like(kappa)])

    def turn(i: Array, carry: tuple[Array, Array, Array, Array]) -> tuple[Array, ...]:
        y, ratios, leaving, inflow = carry  # leaving: the excess without κ, and the leak
        onwards = row(chain.onwards, i)
        inverse = 1 / (kappa + leaving[:1] + leaving[1:] + onwards)
        y = _put(y, i, (row(y, i) + inflow) * inverse)
        ratios = _put(ratios, i, chain.back(i, onwards) * inverse)
        return y, ratios, row(ratios, i) * (kappas + leaving), onwards * row(y, i)

    leaving = jnp.concatenate([jnp.zeros_like(leak), leak])
    start = rhs, jnp.zeros_like(rhs), leaving, jnp.zeros_like(leak)
    y, ratios, leaving, inflow = _turns(len(rhs), turn, start)
    return y, ratios, leaving[:1], inflow


def _outwards(y: Array, ratios: Array, x: Array) -> _Step:
    """The solution in the place of y, from x on, the one after the last row; and in the first."""

    def turn(i: Array, carry: _Step) -> _Step:
        y, x = carry
        i = len(ratios) - 1 - i
        y = _put(y, i, row(y, i) + row(ratios, i) * x)
        return y, row(y, i)

    return _turns(len(y), turn, (y, x))


def _end(y: Array, ratios: Array, x: Array) -> Array:
    """The second of `_outwards`."""

    def turn(i: Array, x: Array) -> Array:
        i = len(y) - 1 - i
        return row(y, i) + row(ratios, i) * x

    return _turns(len(y), turn, x)


def _turns(num: int, turn: Callable[[Array, Any], Any], start: Any) -> Any:
    return lax.fori_loop(0, num, turn, start) if num else start
