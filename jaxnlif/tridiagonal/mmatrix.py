r"""Subtraction-free solution of tridiagonal M-matrix systems with known column excess.

The systems are $(κ + A)\,x = r$ along the leading axis, where $A$ exchanges mass between
neighbours: `up[j]` carries $j → j+1$ (the last one leaves the system), `down[j]` carries
$j+1 → j`. Column $j$ of $A$ sums to zero but for the exit, so every pivot is a sum of positive
terms (Grassmann, Taksar, Heyman 1985; Alfa, Xue, Ye 2002) and $x ≥ 0$ holds in floating point
for every $κ > 0$ when $r ≥ 0$. Columns of trailing axes are independent.

`loops` and `log_depth` are two ways to solve them.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from types import ModuleType

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float, Int

from ..execution import AUTOMATIC, AbstractExecution
from . import log_depth, loops
from .exchange import Rates


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
    axis: int = 0,
    execution: AbstractExecution = AUTOMATIC,
) -> Float[Array, "rows columns"]:
    r"""Solves $(κ + A)\,x = r$; non-negative to the last bit for $r ≥ 0$.

    Derivatives of every order and in both modes come from further solves with the same matrix or
    its transpose (`jax.lax.custom_linear_solve`), never from the recursion.

    **Arguments:** `kappa` > 0, shape `(w,)`; `up`, `down` ≥ 0 exchange rates (1 / membrane time),
    shape `(n, w)`, or `(1,)` and `(n, 1)` for one matrix shared by all columns; `rhs` of shape
    `(n, w)`; `matvec`, the product with the matrix where that is known as a function through which
    derivatives should flow; `axis` 1 if `rhs` comes as `(w, n)`; `execution`, how to solve.
    **Returns:** `x`, shaped like `rhs`.
    """
    rates, fixed = Rates.table(*lax.stop_gradient((up, down))), lax.stop_gradient(kappa)

    forward = _by(execution, lambda way: partial(way.solve, rates, fixed, axis=axis))
    adjoint = _by(execution, lambda way: partial(way.solve_transposed, rates, fixed, axis=axis))

    @partial(jax.checkpoint, prevent_cse=False)
    def product(kappa, up, down, x):  # of which reverse mode stores the factors alone
        if axis == 1:
            up, down = (repeated(rates[:, 0], x.shape[0]) for rates in (up, down))
            return apply(kappa, up, down, x, axis=1)
        return apply(kappa, up, down, x)

    if matvec is None:
        matvec = partial(product, kappa, up, down)
    return lax.custom_linear_solve(matvec, rhs, forward, adjoint)


def solve_shifted(
    rates: Rates,
    kappa: Float[Array, " w"],
    source: int,
    rhs: Float[Array, "n w"],
    mass: Float[Array, " w"],
    *,
    pin: Int[Array, " w"],
    matvec: Callable[[Array], Array],
    execution: AbstractExecution = AUTOMATIC,
) -> Float[Array, "n w"]:
    r"""Solves $(κ + A)\,x = r + s\,e_R$ with $Σx = m$: what is missing comes in at one row.

    As s is whatever row R lacks, the mass takes the place of that row, and the matrix is regular
    for κ = 0 too. Derivatives come, as those of `solve`, from further solves; the transposed one
    needs two sweeps, as one right side has.

    **Arguments:** as `solve`; `source`, the row R; `mass`, m, shape `(w,)`; `matvec`, the product
    with $κ + A$, through which derivatives flow; `pin`, a row that is soon reached from all others,
    such as that of the largest density, shape `(w,)`; `execution`, how to solve.
    """
    rates, fixed = Rates(lax.stop_gradient(rates.rows), rates.at), lax.stop_gradient(kappa)

    def product(x):
        return matvec(x).at[source].set(jnp.sum(x, 0))

    forward = _by(execution, lambda way: partial(_pinned, way, rates, fixed, source, pin))
    adjoint = _by(
        execution, lambda way: partial(way.solve_shifted_transposed, rates, fixed, source)
    )
    # The right side is a single array: of several, JAX can transpose a solve only once.
    return lax.custom_linear_solve(product, rhs.at[source].set(mass), forward, adjoint)


def _pinned(way: ModuleType, rates: Rates, kappa: Array, source: int, pin: Array, right: Array):
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


def _by(execution: AbstractExecution, solver: Callable[[ModuleType], Callable]) -> Callable:
    """A function of a matrix, which both ways know, and a right side, solved the chosen way."""
    return lambda _, rhs: execution(rhs, loops=solver(loops), log_depth=solver(log_depth))
