r"""Voltage direction: the implicit flux-shift step.

The absorbing operator $A(μ, a)$ moves mass between voltage nodes; what leaves at the threshold
re-enters at the reset potential within the same implicit step (the *flux shift* of Hu, Liu, Xie
and Zhou, arXiv 1911.07619, and He, Hu and Zhou 2022, arXiv 2109.04667).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ..grid import VoltageGrid
from ..machine.blocks import in_blocks
from ..machine.columns import columnwise
from ..machine.machine import HERE, Machine
from ..tridiagonal import log_depth
from ..tridiagonal.exchange import Rates
from ..tridiagonal.two_sided import Eliminated, Solution, eliminate, eliminate_closed
from . import kernel
from .cells import (
    Cells,
    CellsOf,
    Common,
    Inputs,
    exponential_cells,
    firing_rates,
    positive,
    with_cells,
    with_inflow,
)
from .tangent import absorb_flux_tangent, needed, shift_flux_tangent


@partial(jax.custom_jvp, nondiff_argnums=(0, 4))
def shift_flux(
    grid: VoltageGrid,
    inputs: Inputs,
    density: Float[Array, "v w"],
    known: Float[Array, "v w"] | None = None,
    machine: Machine = HERE,
) -> Float[Array, "v w"]:
    r"""One implicit step of drift, diffusion, firing and re-entry, uniform in $κ = ε/Δt ≥ 0$.

    Solves $(κ + A - e_R c^T)\,p = κ p^*$, $c = up_{n-1} e_{n-1}$, as a rank-one correction of the
    absorbing solve: $\hat y = (κ + A)^{-1} p^*$, $z = (κ + A)^{-1} e_R$,
    $p = κ(\hat y + s z)$ with $s = c^T\hat y / (κ Σz)$. The denominator $1 - c^T z = κ Σz$ is a sum
    of positive terms and never formed by subtraction, so the result is non-negative in floating
    point for every κ, and as κ → 0 the step becomes the quasi-static solver, $p = (Σp^*) z/Σz$.
    What rounding does to the mass of a column is returned to that column.

    **Arguments:** the inputs, density $p^*$ `(v, w)`; `known`, the new density if it has been found
    before, and only derivatives are missing; `machine`, how to solve.
    **Returns:** the new density, `(v, w)`.
    """
    if known is not None:
        return known
    return _run(
        grid,
        machine,
        inputs,
        density,
        loops=partial(_shift, grid),
        log_depth=partial(_shift_in_log_depth, grid),
        kernel=kernel.step,
    )


def _shift_flux_jvp(
    grid: VoltageGrid, machine: Machine, primals: Any, tangents: Any
) -> tuple[Array, Array]:
    new = shift_flux(grid, *primals, machine)
    return new, shift_flux_tangent(grid, machine, *needed(primals[:-1], tangents[:-1]), new)


shift_flux.defjvp(_shift_flux_jvp, symbolic_zeros=True)


def _shift(grid: VoltageGrid, common: Common, columns: Any) -> Array:
    drive, density = columns

    def block(common: Common, drive: Array, density: Array) -> Array:
        inputs = Inputs(*common, drive)

        def step(cells: CellsOf) -> Solution:
            return _shifting(grid, cells(grid, inputs), inputs, density).solution()

        found = with_cells(grid, inputs, step, branch=True)
        return _scaled(found.rows(), jnp.sum(density, 0), found.total())

    return in_blocks(block)(common, drive, density)


def _shift_in_log_depth(grid: VoltageGrid, common: Common, columns: Any) -> Array:
    inputs, density = _inputs(common, columns)
    rates = exponential_cells(grid, inputs).rates
    new = log_depth.sweep_down(rates, *_sweep_up(grid, inputs.kappa, rates, density))
    return _scaled(new, jnp.sum(density, 0), jnp.sum(new, 0))


def _shifting(grid: VoltageGrid, cells: Cells, inputs: Inputs, density: Array) -> Eliminated:
    leaving = cells.rates.exit
    return eliminate_closed(cells.chain, leaving, inputs.kappa, density, grid.reset_index)


@partial(jax.custom_jvp, nondiff_argnums=(0, 5))
def absorb_flux(
    grid: VoltageGrid,
    inputs: Inputs,
    density: Float[Array, "v w"],
    inflow: Float[Array, " w"],
    known: Float[Array, "v w"] | None = None,
    machine: Machine = HERE,
) -> Float[Array, "v w"]:
    r"""One implicit step in which the flux that enters at the reset potential is known.

    Solves $(κ + A)\,p = κ p^* + e_R f/h$: what leaves at the threshold is gone, and $f$ enters.
    The result is non-negative. What rounding does to the mass is shared by what stays and what
    leaves, $h Σp + N/κ = h Σp^* + f/κ$ with $N$ the `firing_rates` after the step.

    **Arguments:** as `shift_flux`, with κ > 0; `inflow` f `(w,)` (1 / membrane time / weight).
    **Returns:** the new density, `(v, w)`.
    """
    if known is not None:
        return known
    return _run(
        grid,
        machine,
        inputs,
        density,
        inflow,
        loops=partial(_absorb, grid),
        log_depth=partial(_absorb_in_log_depth, grid),
        kernel=kernel.step,
    )


def _absorb_flux_jvp(
    grid: VoltageGrid, machine: Machine, primals: Any, tangents: Any
) -> tuple[Array, Array]:
    new = absorb_flux(grid, *primals, machine)
    return new, absorb_flux_tangent(grid, machine, *needed(primals[:-1], tangents[:-1]), new)


absorb_flux.defjvp(_absorb_flux_jvp, symbolic_zeros=True)


def _absorb(grid: VoltageGrid, common: Common, columns: Any) -> Array:
    drive, density, inflow = columns

    def block(common: Common, columns: Any, density: Array) -> Array:
        inputs, inflow = _inputs(common, columns)
        given = with_inflow(grid, inputs.kappa[None] * density, inflow)

        def step(cells: CellsOf) -> Solution:
            return _absorbing(cells(grid, inputs), inputs, given).solution()

        found = with_cells(grid, inputs, step, branch=True)
        left = firing_rates(grid, inputs, found.last()) / grid.spacing
        return _scaled(found.rows(), jnp.sum(given, 0), inputs.kappa * found.total() + left)

    return in_blocks(block)(common, (drive, inflow), density)


def _absorb_in_log_depth(grid: VoltageGrid, common: Common, columns: Any) -> Array:
    inputs, density, inflow = _inputs(common, columns)
    rates = exponential_cells(grid, inputs).rates
    given = with_inflow(grid, inputs.kappa[None] * density, inflow)
    kappas = jnp.broadcast_to(inputs.kappa, inputs.drive.shape)
    new = log_depth.sweep_down(rates, *log_depth.sweep_up(rates, kappas, given))
    left = firing_rates(grid, inputs, new[-1]) / grid.spacing
    return _scaled(new, jnp.sum(given, 0), inputs.kappa * jnp.sum(new, 0) + left)


def _absorbing(cells: Cells, inputs: Inputs, given: Array) -> Eliminated:
    return eliminate(cells.chain, cells.rates.exit, inputs.kappa, given)


@partial(jax.custom_jvp, nondiff_argnums=(0, 4))
def probe_firing(
    grid: VoltageGrid,
    inputs: Inputs,
    density: Float[Array, "v w"],
    inflow: Float[Array, " w"] | None = None,
    machine: Machine = HERE,
) -> Float[Array, " w"]:
    """The rates $N(w)$ after `shift_flux`, or with an inflow `absorb_flux`, with the same
    arguments: to rounding, and from the upward sweep alone."""
    last = _run(
        grid,
        machine,
        inputs,
        density,
        *(() if inflow is None else (inflow,)),
        loops=partial(_probe, grid),
        log_depth=partial(_probe_in_log_depth, grid),
        kernel=kernel.probe,
    )
    return firing_rates(grid, inputs, last)


def _probe(grid: VoltageGrid, common: Common, columns: Any) -> Array:
    def block(common: Common, columns: Any, _: Array) -> Array:
        inputs, density, *inflow = _inputs(common, columns)
        given = inputs.kappa[None] * density

        def last(cells: CellsOf) -> Array:
            found = cells(grid, inputs)
            if not inflow:
                return _shifting(grid, found, inputs, given).last()
            return _absorbing(found, inputs, with_inflow(grid, given, *inflow)).last()

        return with_cells(grid, inputs, last, branch=True)

    return in_blocks(block)(common, columns, jnp.zeros_like(columns[0]))


def _probe_in_log_depth(grid: VoltageGrid, common: Common, columns: Any) -> Array:
    inputs, density, *inflow = _inputs(common, columns)
    kappa, rates = inputs.kappa, exponential_cells(grid, inputs).rates
    if not inflow:
        return kappa * _sweep_up(grid, kappa, rates, density)[0][-1]
    given = with_inflow(grid, kappa[None] * density, *inflow)
    return log_depth.sweep_up(rates, jnp.broadcast_to(kappa, inputs.drive.shape), given)[0][-1]


@probe_firing.defjvp
def _probe_firing_jvp(
    grid: VoltageGrid, machine: Machine, primals: Any, tangents: Any
) -> tuple[Array, Array]:
    def firing(inputs: Inputs, density: Array, inflow: Array | None) -> Array:
        step = shift_flux if inflow is None else partial(absorb_flux, inflow=inflow)
        density = step(grid, inputs, density, machine=machine)
        return firing_rates(grid, inputs, density[-1])

    return jax.jvp(firing, primals, tangents)


def _run(
    grid: VoltageGrid,
    machine: Machine,
    inputs: Inputs,
    *columns: Array,
    kernel: Callable[..., Array],
    **ways: Callable[[Any, Any], Any],
) -> Array:
    """The result of the way that the machine chooses, for all columns of a batch at once."""
    inputs = inputs._replace(kappa=positive(inputs.kappa))

    def by_kernel(common: Common, columns: Any) -> Array:
        return kernel(grid, *_inputs(common, columns))

    given = inputs.common, (inputs.drive, *columns)
    ways = {name: columnwise(way) for name, way in (ways | {"kernel": by_kernel}).items()}
    return machine.run(*given, **ways)


def _inputs(common: Common, columns: Any) -> tuple[Inputs, *tuple[Array, ...]]:
    """The inputs of the columns of a batch, and what else the columns have."""
    drive, *others = columns
    return Inputs(*common, drive), *others


def _scaled(density: Array, mass: Array, found: Array) -> Array:
    """The density, with what rounding did to the mass given back to it."""
    return density * jnp.where(found > 0, mass / jnp.where(found > 0, found, 1), 0)[None]


def _sweep_up(grid: VoltageGrid, kappa: Array, rates: Rates, density: Array) -> tuple[Array, Array]:
    r"""$\hat y + s z$ on the way up, and the excesses."""
    source = jnp.asarray(jnp.arange(grid.num)[:, None] == grid.reset_index, density.dtype)
    kappas = jnp.broadcast_to(kappa, density[0].shape)
    (y, z), excess = log_depth.sweep_up(rates, kappas, (density, source))
    entering = rates.exit * y[-1] / jnp.sum(excess * z, 0)
    return y + entering[None] * z, excess
