"""Voltage cells: the Scharfetter–Gummel exchange between neighbouring nodes (1969)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.custom_batching import custom_vmap
from jaxtyping import Array, Float

from .. import _tolerance
from ..grid import VoltageGrid
from ..tridiagonal.exchange import Rates, shifted
from .bernoulli import EVEN_LIMIT, bernoulli, bernoulli_even, bernoulli_even_slope, bernoulli_slope


def exchange_rates(
    grid: VoltageGrid, drive: Float[Array, " w"], noise: Float[Array, ""]
) -> tuple[Float[Array, "v w"], Float[Array, "v w"]]:
    r"""Scharfetter–Gummel rates between neighbouring voltage nodes.

    With the cell Péclet number $x = (μ - v_{i+1/2})\,h/a$: `up[i]` $= (a/h^2) B(-x)$ carries
    $i → i+1$ (the last one fires), `down[i]` $= (a/h^2) B(x)$ carries $i+1 → i$.

    **Arguments:** `drive` total input μ, shape `(w,)` (voltage); `noise` a
    (voltage² / membrane time).
    **Returns:** `(up, down)`, each of shape `(v, w)` (1 / membrane time), non-negative.
    """
    h = grid.spacing
    peclet = (drive[None] - interfaces(grid)[:, None]) * (h / noise)
    scale = noise / h**2
    return scale * bernoulli(-peclet), scale * bernoulli(peclet)


def firing_rates(
    grid: VoltageGrid,
    drive: Float[Array, " w"],
    noise: Float[Array, ""],
    last: Float[Array, " w"],
) -> Float[Array, " w"]:
    r"""Flux through the threshold, $N(w) = h\,up_{n-1}\,p_{n-1}$.

    **Arguments:** input μ `(w,)`, noise a, and `last`, the density at the last node below the
    threshold, `(w,)`. **Returns:** rates `(w,)` (spikes / membrane time / weight).
    """
    peclet = (drive - grid.interfaces[-1]) * (grid.spacing / noise)
    return noise / grid.spacing * bernoulli(-peclet) * last


class Cells(NamedTuple):
    """The exchange between neighbouring nodes: the rates, row by row, and the flux between them.

    `flux(density, above)`, with `above` the density one node up, is the flux and its slope in the
    cell Péclet number.
    """

    rates: Rates
    flux: Callable[[Array, Array], tuple[Array, Array]]


def with_cells(grid: VoltageGrid, drive, noise, step: Callable[[Cells], Any], *, branch: bool):
    """Runs `step` with rates; with a `branch` for small Péclet numbers, which costs no exponential.

    Loops gain by it, but what is in logarithmic depth takes long to compile, twice as long twice.
    """
    if not branch:
        return step(_exponential(grid, drive, noise))
    ends = (drive[None] - interfaces(grid)[np.array([0, -1]), None]) * (grid.spacing / noise)
    small = _in_all_of_a_batch(jnp.max(jnp.abs(lax.stop_gradient(ends))) <= EVEN_LIMIT)
    # Each branch repeats what it needs: reverse mode would store what either of them makes.
    branches = (
        jax.checkpoint(lambda cells=cells: step(cells(grid, drive, noise)), prevent_cse=False)
        for cells in (_polynomial, _exponential)
    )
    return lax.cond(small, *branches)


def _polynomial(grid: VoltageGrid, drive: Array, noise: Array) -> Cells:
    """For small Péclet numbers; rates are made row by row."""
    h, faces = grid.spacing, interfaces(grid)
    inverse, scale = h / noise, noise / h**2
    drive_cells, face_cells = drive * inverse, faces * inverse

    def even_and_odd(x):
        return scale * bernoulli_even(x), (0.5 * scale) * x

    def at(faces):
        below, face = faces
        even, odd = even_and_odd(drive_cells - face)
        return sum(even_and_odd(drive_cells - below)), even + odd, even - odd

    def flux(density, above):
        difference, total = density - above, density + above
        x = drive_cells[None] - face_cells[:, None]
        (even, odd), slope = even_and_odd(x), bernoulli_even_slope(x)
        return even * difference + odd * total, scale * (slope * difference + 0.5 * total)

    return Cells(Rates((shifted(face_cells), face_cells), at), flux)


def _exponential(grid: VoltageGrid, drive: Array, noise: Array) -> Cells:
    """For all Péclet numbers; rates are a table."""
    up, down = exchange_rates(grid, drive, noise)

    def flux(density, above):
        # B(-x) = B(x) + x, so that the flux is (a/h²) (B(x) (p_i - p_{i+1}) + x p_i).
        h = grid.spacing
        slope = bernoulli_slope((drive[None] - interfaces(grid)[:, None]) * (h / noise))
        return up * density - down * above, noise / h**2 * (slope * (density - above) + density)

    return Cells(Rates.table(up, down), flux)


@custom_vmap
def _in_all_of_a_batch(condition: Array) -> Array:
    """A condition that `vmap` does not make many of: a batch takes one branch, and pays for one."""
    return condition


@_in_all_of_a_batch.def_vmap
def _(axis_size, in_batched, condition):
    return jnp.all(condition), False


def interfaces(grid: VoltageGrid) -> Array:
    """Counted, because reverse mode would store a constant in every step."""
    return grid.minimum + grid.spacing * (jnp.arange(grid.num, dtype=grid.dtype) + 0.5)


def positive(kappa: Array) -> Array:
    """κ + a floor. Escape from below threshold can take longer than any floating-point number;
    with the floor the quasi-static step lets such mass stay where it is."""
    return kappa + _tolerance.slowest_rate(kappa.dtype)


def with_inflow(grid: VoltageGrid, density: Array, inflow: Array) -> Array:
    return density.at[grid.reset_index].add(inflow / grid.spacing)
