r"""Voltage direction: the implicit flux-shift step.

The absorbing operator $A(μ, a)$ moves mass between voltage nodes; what leaves at the threshold
re-enters at the reset potential within the same implicit step (the *flux shift* of Hu, Liu, Xie
and Zhou, arXiv 1911.07619, and He, Hu and Zhou 2022, arXiv 2109.04667).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from types import ModuleType
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ..grid import VoltageGrid
from ..machine.blocks import in_blocks
from ..machine.columns import columnwise
from ..machine.machine import HERE, Machine
from ..tridiagonal import log_depth, loops
from ..tridiagonal.exchange import Rates
from . import kernel
from .cells import (
    CellsOf,
    Common,
    Inputs,
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
        loops=in_blocks(partial(_shift, grid, loops)),
        log_depth=partial(_shift, grid, log_depth),
        kernel=kernel.step,
    )


def _shift_flux_jvp(
    grid: VoltageGrid, machine: Machine, primals: Any, tangents: Any
) -> tuple[Array, Array]:
    new = shift_flux(grid, *primals, machine)
    return new, shift_flux_tangent(grid, machine, *needed(primals[:-1], tangents[:-1]), new)


shift_flux.defjvp(_shift_flux_jvp, symbolic_zeros=True)


def _shift(grid: VoltageGrid, way: ModuleType, common: Common, columns: Any) -> Array:
    inputs, density = _inputs(common, columns)

    def step(cells: CellsOf) -> Array:
        rates = cells(grid, inputs).rates
        return way.sweep_down(rates, *_sweep_up(grid, way, inputs.kappa, rates, density))

    unscaled = with_cells(grid, inputs, step, branch=way is loops)
    mass, kept = jnp.sum(density, 0), jnp.sum(unscaled, 0)
    return unscaled * jnp.where(kept > 0, mass / jnp.where(kept > 0, kept, 1), 0)[None]


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
        loops=in_blocks(partial(_absorb, grid, loops)),
        log_depth=partial(_absorb, grid, log_depth),
        kernel=kernel.step,
    )


def _absorb_flux_jvp(
    grid: VoltageGrid, machine: Machine, primals: Any, tangents: Any
) -> tuple[Array, Array]:
    new = absorb_flux(grid, *primals, machine)
    return new, absorb_flux_tangent(grid, machine, *needed(primals[:-1], tangents[:-1]), new)


absorb_flux.defjvp(_absorb_flux_jvp, symbolic_zeros=True)


def _absorb(grid: VoltageGrid, way: ModuleType, common: Common, columns: Any) -> Array:
    inputs, density, inflow = _inputs(common, columns)
    kappas = jnp.broadcast_to(inputs.kappa, density[0].shape)
    given = with_inflow(grid, inputs.kappa[None] * density, inflow)

    def step(cells: CellsOf) -> Array:
        rates = cells(grid, inputs).rates
        return way.sweep_down(rates, *way.sweep_up(rates, kappas, given))

    new = with_cells(grid, inputs, step, branch=way is loops)
    left = firing_rates(grid, inputs, new[-1]) / grid.spacing
    found = inputs.kappa * jnp.sum(new, 0) + left
    return new * jnp.where(found > 0, jnp.sum(given, 0) / jnp.where(found > 0, found, 1), 0)[None]


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
        loops=in_blocks(partial(_probe, grid, loops)),
        log_depth=partial(_probe, grid, log_depth),
        kernel=kernel.probe,
    )
    return firing_rates(grid, inputs, last)


def _probe(grid: VoltageGrid, way: ModuleType, common: Common, columns: Any) -> Array:
    inputs, density, *inflow = _inputs(common, columns)
    kappa = inputs.kappa

    def last(cells: CellsOf) -> Array:
        rates = cells(grid, inputs).rates
        if not inflow:
            return kappa * _sweep_up(grid, way, kappa, rates, density)[0][-1]
        given = with_inflow(grid, kappa[None] * density, *inflow)
        return way.sweep_up(rates, jnp.broadcast_to(kappa, density[0].shape), given)[0][-1]

    return with_cells(grid, inputs, last, branch=way is loops)


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


def _sweep_up(
    grid: VoltageGrid, way: ModuleType, kappa: Array, rates: Rates, density: Array
) -> tuple[Array, Array]:
    r"""$\hat y + s z$ on the way up, and the excesses."""
    kappas = jnp.broadcast_to(kappa, density[0].shape)
    n = grid.reset_index
    if way is loops and density.shape[1] > 1:
        y, excess = loops.sweep_up(rates, kappas, density)
        source = jnp.zeros_like(density[n:]).at[0].set(1)
        z, _ = loops.sweep_up(rates.above(n), kappas, source, first=excess[n])
        entering = rates.exit * y[-1] / jnp.sum(excess[n:] * z, 0)
        return y.at[n:].add(entering[None] * z), excess
    # Both in one sweep, where it is not the numbers that cost, but the turns.
    source = jnp.asarray(jnp.arange(grid.num)[:, None] == n, density.dtype)
    (y, z), excess = way.sweep_up(rates, kappas, (density, source))
    entering = rates.exit * y[-1] / jnp.sum(excess * z, 0)
    return y + entering[None] * z, excess
