"""Voltage cells: the Scharfetter–Gummel exchange between neighbouring nodes (1969)."""

from __future__ import annotations

import operator
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jax.custom_batching import custom_vmap
from jaxtyping import Array, Float

from .. import _tolerance
from ..grid import VoltageGrid
from ..model import AbstractMembrane
from ..tridiagonal import two_sided
from ..tridiagonal.exchange import Rates, shifted
from .bernoulli import EVEN_LIMIT, bernoulli, bernoulli_even, bernoulli_even_slope, bernoulli_slope

Common = tuple[Array, Array, Array, Array]
"""The inputs that all columns may share: all but the last of `Inputs`."""


class Inputs(NamedTuple):
    r"""What the neurons of a voltage step are given; all but the last may be common to all columns.

    - `kappa`: $κ = ε/Δt ≥ 0$ (1 / membrane time), shape `(1,)` or `(w,)`.
    - `noise`: diffusion coefficient a (voltage² / membrane time), shape `(1,)` or `(w,)`.
    - `force`: drift of the membrane at the interfaces (voltage / membrane time), shape `(v, 1)` or
      `(v, w)`.
    - `extremes`: the lowest and the highest force, shape `(2, 1)` or `(2, w)`.
    - `drive`: total input μ of the columns (voltage), shape `(w,)`.
    """

    kappa: Float[Array, " #w"]
    noise: Float[Array, " #w"]
    force: Float[Array, "v #w"]
    extremes: Float[Array, "2 #w"]
    drive: Float[Array, " w"]

    @property
    def common(self) -> Common:
        """What all columns may share."""
        return self.kappa, self.noise, self.force, self.extremes


def inputs_of(
    grid: VoltageGrid,
    membrane: AbstractMembrane,
    kappa: Float[Array, "..."],
    drive: Float[Array, " w"],
    noise: Float[Array, "..."],
) -> Inputs:
    """Those of neurons of one membrane; noise and κ are of all columns, or of each."""
    force = membrane.drift(interfaces(grid)[:, None])
    lowest, highest = force[0], force[-1]
    if not membrane.linear:
        lowest, highest = (of(lax.stop_gradient(force), 0) for of in (jnp.min, jnp.max))
    extremes = lax.stop_gradient(jnp.stack([lowest, highest]))
    return Inputs(jnp.atleast_1d(kappa), jnp.atleast_1d(noise), force, extremes, drive)


def exchange_rates(
    grid: VoltageGrid, inputs: Inputs
) -> tuple[Float[Array, "v w"], Float[Array, "v w"]]:
    r"""Scharfetter–Gummel rates between neighbouring voltage nodes.

    With the cell Péclet number $x = (μ + f(v_{i+1/2}))\,h/a$: `up[i]` $= (a/h^2) B(-x)$ carries
    $i → i+1$ (the last one fires), `down[i]` $= (a/h^2) B(x)$ carries $i+1 → i$.

    **Returns:** `(up, down)`, each of shape `(v, w)` (1 / membrane time), non-negative.
    """
    peclet, scale = _peclet(grid, inputs), inputs.noise[None] / grid.spacing**2
    return scale * bernoulli(-peclet), scale * bernoulli(peclet)


def _peclet(grid: VoltageGrid, inputs: Inputs) -> Float[Array, "v w"]:
    """The cell Péclet numbers."""
    return (inputs.drive[None] + inputs.force) * (grid.spacing / inputs.noise)[None]


def firing_rates(grid: VoltageGrid, inputs: Inputs, last: Float[Array, " w"]) -> Float[Array, " w"]:
    r"""Flux through the threshold, $N(w) = h\,up_{n-1}\,p_{n-1}$.

    **Arguments:** `last`, the density at the last node below the threshold, `(w,)`.
    **Returns:** rates `(w,)` (spikes / membrane time / weight).
    """
    peclet = (inputs.drive + inputs.force[-1]) * (grid.spacing / inputs.noise)
    return inputs.noise / grid.spacing * bernoulli(-peclet) * last


class Cells(NamedTuple):
    """The exchange between neighbouring nodes: the rates, row by row and along paths, and the flux.

    `flux(density, above)`, with `above` the density one node up, is the flux and its slope in the
    cell Péclet number.
    """

    rates: Rates
    chain: two_sided.ChainOf
    flux: Callable[[Array, Array], tuple[Array, Array]]


CellsOf = Callable[[VoltageGrid, Inputs], Cells]


def with_cells(
    grid: VoltageGrid, inputs: Inputs, step: Callable[[CellsOf], Any], *, branch: bool
) -> Any:
    """Runs `step` with a function that makes the cells of inputs; with a `branch` for small Péclet
    numbers, which costs no exponential.

    Loops gain by it, but what is in logarithmic depth takes long to compile, twice as long twice.
    """
    if not branch:
        return step(exponential_cells)
    drive, ends, noise = lax.stop_gradient((inputs.drive, inputs.extremes, inputs.noise))
    largest = jnp.max(jnp.abs((drive[None] + ends) * (grid.spacing / noise)[None]))
    small = _in_all_of_a_batch(largest <= EVEN_LIMIT)
    # Each branch repeats what it needs: reverse mode would store what either of them makes.
    branches = (
        jax.checkpoint(lambda cells=cells: step(cells), prevent_cse=False)
        for cells in (_polynomial, exponential_cells)
    )
    return lax.cond(small, *branches)


def _polynomial(grid: VoltageGrid, inputs: Inputs) -> Cells:
    """For small Péclet numbers; rates are made row by row."""
    h = grid.spacing
    inverse, scale = h / inputs.noise, inputs.noise / h**2
    common = inverse.shape[-1] == 1
    # Where the noise is common, Péclet numbers are sums of a number of the column and of the row.
    drive_cells = inputs.drive * inverse if common else inputs.drive
    rows = inputs.force * inverse[None] if common else inputs.force

    def peclet(rows: Array) -> Array:
        """Of a row, or of all of them."""
        above = (None,) * (rows.ndim - 1)
        x = drive_cells[above] + rows
        return x if common else x * inverse[above]

    def even_and_odd(x: Array) -> tuple[Array, Array]:
        return scale * bernoulli_even(x), (0.5 * scale) * x

    def at(rows: tuple[Array, Array]) -> tuple[Array, Array, Array]:
        below, row = rows
        even, odd = even_and_odd(peclet(row))
        return operator.add(*even_and_odd(peclet(below))), even + odd, even - odd

    def flux(density: Array, above: Array) -> tuple[Array, Array]:
        difference, total = density - above, density + above
        x, rates = peclet(rows), scale[None]
        even, odd, slope = rates * bernoulli_even(x), (0.5 * rates) * x, bernoulli_even_slope(x)
        return even * difference + odd * total, rates * (slope * difference + 0.5 * total)

    def chain(paths: two_sided.Paths) -> two_sided.Chain:
        signs = jnp.asarray([[path.step] for path in paths], drive_cells.dtype)
        x = signs[None] * peclet(two_sided.along(paths, rows, rows))
        onwards = scale[None, None] * (bernoulli_even(x) + 0.5 * x)
        # The rates of either direction differ by (μ + f)/h, whose sign is that of the direction.
        drive = (signs / h) * inputs.drive[None]
        force = (signs / h)[None] * two_sided.along(paths, inputs.force, inputs.force)

        def back(i: Array, onwards: Array) -> Array:
            return onwards - (drive + two_sided.row(force, i))

        return two_sided.Chain(onwards, back)

    return Cells(Rates((shifted(rows), rows), at), chain, flux)


def exponential_cells(grid: VoltageGrid, inputs: Inputs) -> Cells:
    """For all Péclet numbers; rates are a table."""
    up, down = exchange_rates(grid, inputs)

    def flux(density: Array, above: Array) -> tuple[Array, Array]:
        # B(-x) = B(x) + x, so that the flux is (a/h²) (B(x) (p_i - p_{i+1}) + x p_i).
        slope = bernoulli_slope(_peclet(grid, inputs))
        scale = inputs.noise[None] / grid.spacing**2
        return up * density - down * above, scale * (slope * (density - above) + density)

    return Cells(Rates.table(up, down), partial(two_sided.Chain.table, up, down), flux)


@custom_vmap
def _in_all_of_a_batch(condition: Array) -> Array:
    """A condition that `vmap` does not make many of: a batch takes one branch, and pays for one."""
    return condition


@_in_all_of_a_batch.def_vmap
def _(axis_size: int, in_batched: list[bool], condition: Array) -> tuple[Array, bool]:
    return jnp.all(condition), False


def interfaces(grid: VoltageGrid) -> Array:
    """Counted, because reverse mode would store a constant in every step."""
    return grid.minimum + grid.spacing * (jnp.arange(grid.num, dtype=grid.dtype) + 0.5)


def positive(kappa: Array) -> Array:
    """κ + a floor. Escape from below threshold can take longer than any floating-point number;
    with the floor the quasi-static step lets such mass stay where it is."""
    return kappa + _tolerance.slowest_rate(kappa.dtype)


def with_inflow(grid: VoltageGrid, density: Array, inflow: Array) -> Array:
    """The density with what enters at the reset potential."""
    return density.at[grid.reset_index].add(inflow / grid.spacing)
