r"""The solve along the weights of a density whose weights are split over devices.

One matrix is shared by all voltages, so that every device eliminates all of it, a few numbers for
each weight. With the pivots known, both substitutions are recurrences $x_j = r_j + f_j x_{j-1}$.
What leaves a device is the last row that it finds if nothing enters, and $∏f_j$ times what enters.
So each runs over its own weights, hands on one row of voltages, and adds what has entered.

Two rows are all that a device sends in a step. Turning the density, to be split by voltage, and
back again would send all of it twice: on 300 × 8192 cells in eight parts that took five times as
long, in two parts 1.6 times. No number of voltages need divide, and as in the sweeps of `mmatrix`
nothing is subtracted, so that the result is non-negative in floating point.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from ..machine.layout import Sharded
from ..machine.machine import HERE, Machine
from . import log_depth, loops, mmatrix
from .exchange import Rates, shifted


def solve_along_weights(
    up: Float[Array, "w 1"],
    down: Float[Array, "w 1"],
    rhs: Float[Array, "v w"],
    machine: Machine = HERE,
) -> Float[Array, "v w"]:
    r"""Solves $(1 + A)\,x = r$ along the weights, for all voltages.

    **Arguments:** `up`, `down` ≥ 0 as for `mmatrix.solve`; `rhs`; `machine`, how to solve, and
    where the weights lie. **Returns:** x, non-negative to the last bit for r ≥ 0.
    """
    one = jnp.ones(1, rhs.dtype)
    layout = machine.layout
    if not isinstance(layout, Sharded):
        return mmatrix.solve(one, up, down, rhs, axis=1, machine=machine)

    @partial(jax.checkpoint, prevent_cse=False)
    def product(up: Array, down: Array, x: Array) -> Array:
        up, down = (mmatrix.repeated(rates[:, 0], x.shape[0]) for rates in (up, down))
        return mmatrix.apply(one, up, down, x, axis=1)

    rates = lax.stop_gradient((up, down))
    eliminate, substitute = partial(_eliminate, machine), partial(_substitute, layout, machine)

    def forward(_: Any, rhs: Array) -> Array:
        inverse, climb, fall = layout.everywhere(eliminate)(*rates)
        return substitute(inverse, climb, fall, rhs)

    def adjoint(_: Any, rhs: Array) -> Array:
        inverse, climb, fall = layout.everywhere(partial(eliminate, transposed=True))(*rates)
        return substitute(inverse, climb, fall, rhs)

    return lax.custom_linear_solve(partial(product, up, down), rhs, forward, adjoint)


def _eliminate(
    machine: Machine, up: Array, down: Array, *, transposed: bool = False
) -> tuple[Array, Array, Array]:
    """The inverse pivots, and the factors of the substitutions upwards and downwards, `(w,)`."""
    rates, one = Rates.table(up, down), jnp.ones(1, up.dtype)
    sweep, levels = (partial(way.sweep_up, rates, one) for way in (loops, log_depth))
    _, excess = machine.run((), loops=sweep, log_depth=levels)
    inverse = 1 / (excess + up)
    climb, fall = (down, up) if transposed else (up, down)
    return inverse[:, 0], (shifted(climb) * inverse)[:, 0], (fall * inverse)[:, 0]


def _substitute(
    layout: Sharded,
    machine: Machine,
    inverse: Array,
    climb: Array,
    fall: Array,
    rhs: Array,
) -> Array:
    def columns(inverse: Array, climb: Array, fall: Array, rhs: Array) -> Array:
        rows = _recurrence(layout, machine, climb, (rhs * inverse[None]).T)
        return _recurrence(layout, machine, fall, rows, reverse=True).T

    return layout.by_part(columns, rank=2)(inverse, climb, fall, rhs)


def _recurrence(
    layout: Sharded,
    machine: Machine,
    factors: Array,
    rows: Array,
    *,
    reverse: bool = False,
) -> Array:
    """$x_j = r_j + f_j x_{j-1}$, or in `reverse` $x_{j+1}$, over the rows of all devices."""
    through, alone = machine.run(
        factors[:, None],
        rows,
        loops=partial(loops.recurrence, reverse=reverse),
        log_depth=partial(log_depth.recurrence, reverse=reverse),
    )
    end = 0 if reverse else -1
    return alone + through * layout.carried(alone[end], through[end, 0], reverse=reverse)[None]
