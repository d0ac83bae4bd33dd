r"""Subtraction-free solution of tridiagonal M-matrix systems with known column excess.

The systems are $(κ + A)\,x = r$ along the leading axis, where $A$ exchanges mass between
neighbours: `up[j]` carries $j → j+1$ (the last one leaves the system), `down[j]` carries
$j+1 → j`. Column $j$ of $A$ sums to zero but for the exit, so every pivot is a sum of positive
terms (Grassmann, Taksar, Heyman 1985; Alfa, Xue, Ye 2002) and $x ≥ 0$ holds in floating point
for every $κ > 0$ when $r ≥ 0$. Columns of trailing axes are independent.

`loops` and `log_depth` are two ways to solve them; `two_sided`, for one right side, is a third.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from types import ModuleType
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float, Int

from ..machine.columns import columnwise
from ..machine.machine import HERE, Machine
from . import log_depth, loops
from .exchange import Rates

RatesOf = Callable[[Any, Any], tuple[Rates, Array]]
"""Exchange rates and κ `(w,)` of what all columns share and of what each is given."""


def apply(
    kappa: Float[Array, "#columns"],
    up: Float[Array, "n #columns"],
    down: Float[Array, "n #columns"],
    x: Float[Array, "rows columns"],
    *,
    axis: int = 0,
) -> Float[Array, "rows columns"]:
    r"""The product $(κ + A)\,x$ along an axis, along which `up` and `down` are given too."""

    def shifted(rows: Array, by: int) -> Array:
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
    axis: int = 0,
    machine: Machine = HERE,
) -> Float[Array, "rows columns"]:
    r"""Solves $(κ + A)\,x = r$; non-negative to the last bit for $r ≥ 0$.

    Derivatives of every order and in both modes come from further solves with the same matrix or
    its transpose (`jax.lax.custom_linear_solve`), never from the recursion.

    **Arguments:** `kappa` > 0, shape `(w,)`; `up`, `down` ≥ 0 exchange rates (1 / membrane time),
    shape `(n, w)`, or `(1,)` and `(n, 1)` for one matrix shared by all columns; `rhs` of shape
    `(n, w)`; `axis` 1 if `rhs` comes as `(w, n)`; `machine`, how to solve.
    **Returns:** `x`, shaped like `rhs`.
    """
    fixed = lax.stop_gradient((kappa, up, down))

    def by(name: str) -> Callable[[Any, Array], Array]:
        def run(way: ModuleType, matrix: tuple[Array, Array, Array], rhs: Array) -> Array:
            kappa, up, down = matrix
            width = max(x.shape[-1] for x in matrix)
            kappa = jnp.broadcast_to(kappa, (width,))
            return getattr(way, name)(Rates.table(up, down), kappa, rhs, axis=axis)

        return lambda _, rhs: _run(run, fixed, rhs, machine, columns_last=axis == 0)

    @partial(jax.checkpoint, prevent_cse=False)
    def product(kappa: Array, up: Array, down: Array, x: Array) -> Array:
        # Of which reverse mode stores the factors alone.
        if axis == 1:
            up, down = (repeated(rates[:, 0], x.shape[0]) for rates in (up, down))
            return apply(kappa, up, down, x, axis=1)
        return apply(kappa, up, down, x)

    matvec = partial(product, kappa, up, down)
    return lax.custom_linear_solve(matvec, rhs, by("solve"), by("solve_transposed"))


def solve_shifted(
    rates_of: RatesOf,
    common: Any,
    columns: Any,
    source: int,
    rhs: Float[Array, "n w"],
    mass: Float[Array, " w"],
    *,
    pin: Int[Array, " w"],
    matvec: Callable[[Array], Array],
    machine: Machine = HERE,
) -> Float[Array, "n w"]:
    r"""Solves $(κ + A)\,x = r + s\,e_R$ with $Σx = m$: what is missing comes in at one row.

    As s is whatever row R lacks, the mass takes the place of that row, and the matrix is regular
    for κ = 0 too. Derivatives come, as those of `solve`, from further solves; the transposed one
    needs two sweeps, as one right side has.

    **Arguments:** `rates_of(common, columns)`, the matrix, made of what all columns share and of
    what each is given; `source`, the row R; `mass`, m, shape `(w,)`; `matvec`, the product with
    $κ + A$, through which derivatives flow; `pin`, a row that is soon reached from all others, such
    as that of the largest density, shape `(w,)`; `machine`, how to solve.
    """
    fixed = lax.stop_gradient((columns, pin))
    common = lax.stop_gradient(common)

    def product(x: Array) -> Array:
        return matvec(x).at[source].set(jnp.sum(x, 0))

    def forward(way: ModuleType, common: Any, columns: Any) -> Array:
        (given, pin), right = columns
        return _pinned(way, *rates_of(common, given), source, pin, right)

    def adjoint(way: ModuleType, common: Any, columns: Any) -> Array:
        (given, _), right = columns
        return way.solve_shifted_transposed(*rates_of(common, given), source, right)

    # The right side is a single array: of several, JAX can transpose a solve only once.
    return lax.custom_linear_solve(
        product,
        rhs.at[source].set(mass),
        lambda _, right: _run(forward, common, (fixed, right), machine),
        lambda _, right: _run(adjoint, common, (fixed, right), machine),
    )


def _pinned(
    way: ModuleType, rates: Rates, kappa: Array, source: int, pin: Array, right: Array
) -> Array:
    r"""The solution of `solve_shifted`, however seldom the last row is reached.

    What is missing at row R is what leaves, $s = up_{n-1} x_{n-1}$, and what makes up for the sum
    of the right side. With that the matrix is closed, and singular for κ = 0. With a rate γ added
    at the diagonal of the pinned row k it is not: the solution is that for this matrix, and as much
    of its response q to row k as the mass asks for. The answer z to row R enters with
    $1 - up_{n-1} z_{n-1} = κ Σz + γ z_k$ in the denominator.
    """
    mass, rest = right[source], right.at[source].set(0)
    given = rest.at[source].set(kappa * mass - jnp.sum(rest, 0))
    at_source = jnp.zeros_like(right).at[source].set(1)
    at_pin = jnp.asarray(jnp.arange(len(right))[:, None] == pin[None], right.dtype)
    kill = at_pin * (rates.exit + rates.at(jax.tree.map(lambda rows: rows[0], rates.rows))[2])[None]
    parts, excess = way.sweep_up(rates, kappa, (given, at_source, at_pin), kill=kill)
    y, z, q = (way.sweep_down(rates, part, excess) for part in parts)
    stays = kappa * jnp.sum(z, 0) + jnp.sum(kill * z, 0)
    y, q = (x + (rates.exit * x[-1] / stays)[None] * z for x in (y, q))
    return y + ((mass - jnp.sum(y, 0)) / jnp.sum(q, 0))[None] * q


def _run(
    function: Callable[[ModuleType, Any, Any], Array],
    common: Any,
    columns: Any,
    machine: Machine,
    *,
    columns_last: bool = True,
) -> Array:
    """A function of a way to solve, and of what columns share and are given, run the chosen way."""
    over = columnwise if columns_last else lambda function: function
    ways = (over(partial(function, way)) for way in (loops, log_depth))
    return machine.run(common, columns, **dict(zip(("loops", "log_depth"), ways, strict=True)))
