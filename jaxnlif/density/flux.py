r"""Voltage direction: Scharfetter–Gummel rates and the implicit flux-shift step.

The absorbing operator $A(μ, a)$ moves mass between voltage nodes; what leaves at the threshold
re-enters at the reset potential within the same implicit step (the *flux shift* of Hu, Liu, Xie
and Zhou, arXiv 1911.07619, and He, Hu and Zhou 2022, arXiv 2109.04667).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from types import ModuleType
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.custom_batching import custom_vmap
from jax.custom_derivatives import SymbolicZero
from jaxtyping import Array, Float

from .. import _tolerance
from ..execution import AUTOMATIC, AbstractExecution, LogDepth, Loops
from ..grid import VoltageGrid
from . import kernel, log_depth, loops, mmatrix
from .bernoulli import (
    EVEN_LIMIT,
    bernoulli,
    bernoulli_even,
    bernoulli_even_slope,
    bernoulli_slope,
)
from .blocks import in_blocks
from .exchange import Rates, shifted


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
    peclet = (drive[None] - _interfaces(grid)[:, None]) * (h / noise)
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


@partial(jax.custom_jvp, nondiff_argnums=(0, 6))
def shift_flux(
    grid: VoltageGrid,
    kappa: Float[Array, ""],
    drive: Float[Array, " w"],
    noise: Float[Array, ""],
    density: Float[Array, "v w"],
    known: Float[Array, "v w"] | None = None,
    execution: AbstractExecution = AUTOMATIC,
) -> Float[Array, "v w"]:
    r"""One implicit step of drift, diffusion, firing and re-entry, uniform in $κ = ε/Δt ≥ 0$.

    Solves $(κ + A - e_R c^T)\,p = κ p^*$, $c = up_{n-1} e_{n-1}$, as a rank-one correction of the
    absorbing solve: $\hat y = (κ + A)^{-1} p^*$, $z = (κ + A)^{-1} e_R$,
    $p = κ(\hat y + s z)$ with $s = c^T\hat y / (κ Σz)$. The denominator $1 - c^T z = κ Σz$ is a sum
    of positive terms and never formed by subtraction, so the result is non-negative in floating
    point for every κ, and as κ → 0 the step becomes the quasi-static solver, $p = (Σp^*) z/Σz$.
    What rounding does to the mass of a column is returned to that column.

    **Arguments:** `kappa` (1 / membrane time), input μ `(w,)`, noise a, density $p^*$ `(v, w)`;
    `known`, the new density if it has been found before, and only derivatives are missing;
    `execution`, how to solve.
    **Returns:** the new density, `(v, w)`.
    """
    if known is not None:
        return known
    return execution(
        _positive(kappa),
        drive,
        noise,
        density,
        loops=partial(_shift_in_blocks, grid),
        log_depth=partial(_shift, grid, log_depth),
        kernel=partial(_step_by_columns, grid),
    )


def _shift(grid: VoltageGrid, way: ModuleType, kappa, drive, noise, density) -> Array:
    def step(cells):
        return way.sweep_down(cells.rates, *_sweep_up(grid, way, kappa, cells.rates, density))

    unscaled = _with_cells(grid, drive, noise, step, branch=way is loops)
    mass, kept = jnp.sum(density, 0), jnp.sum(unscaled, 0)
    return unscaled * jnp.where(kept > 0, mass / jnp.where(kept > 0, kept, 1), 0)[None]


def _shift_in_blocks(grid: VoltageGrid, kappa, drive, noise, density) -> Array:
    def columns(drive, density):
        return _shift(grid, loops, kappa, drive, noise, density)

    return in_blocks(columns, drive, density)


def _step_by_columns(grid: VoltageGrid, kappa, drive, noise, density, inflow=None) -> Array:
    return kernel.step(grid, _columns(grid, kappa, drive, noise, density, inflow))


def _columns(grid: VoltageGrid, kappa, drive, noise, density, inflow=None) -> kernel.Columns:
    """What a kernel is given: everything in units of the exchange between cells."""
    cells = grid.spacing / noise
    every = jnp.ones_like(drive)
    entering = None if inflow is None else inflow * cells
    return kernel.Columns(
        drive, cells * every, kappa * grid.spacing * cells * every, density, entering
    )


@partial(jax.custom_jvp, nondiff_argnums=(0, 7))
def absorb_flux(
    grid: VoltageGrid,
    kappa: Float[Array, ""],
    drive: Float[Array, " w"],
    noise: Float[Array, ""],
    density: Float[Array, "v w"],
    inflow: Float[Array, " w"],
    known: Float[Array, "v w"] | None = None,
    execution: AbstractExecution = AUTOMATIC,
) -> Float[Array, "v w"]:
    r"""One implicit step in which the flux that enters at the reset potential is known.

    Solves $(κ + A)\,p = κ p^* + e_R f/h$: what leaves at the threshold is gone, and $f$ enters.
    The result is non-negative. What rounding does to the mass is shared by what stays and what
    leaves, $h Σp + N/κ = h Σp^* + f/κ$ with $N$ the `firing_rates` after the step.

    **Arguments:** `kappa` > 0 (1 / membrane time), input μ `(w,)`, noise a, density $p^*$ `(v, w)`,
    `inflow` f `(w,)` (1 / membrane time / weight); `known` and `execution` as in `shift_flux`.
    **Returns:** the new density, `(v, w)`.
    """
    if known is not None:
        return known
    return execution(
        _positive(kappa),
        drive,
        noise,
        density,
        inflow,
        loops=partial(_absorb, grid, loops),
        log_depth=partial(_absorb, grid, log_depth),
        kernel=partial(_step_by_columns, grid),
    )


def _absorb(grid: VoltageGrid, way: ModuleType, kappa, drive, noise, density, inflow) -> Array:
    kappas = jnp.broadcast_to(kappa, density[0].shape)
    given = _with_inflow(grid, kappa * density, inflow)

    def step(cells):
        return way.sweep_down(cells.rates, *way.sweep_up(cells.rates, kappas, given))

    new = _with_cells(grid, drive, noise, step, branch=way is loops)
    left = firing_rates(grid, drive, noise, new[-1]) / grid.spacing
    found = kappa * jnp.sum(new, 0) + left
    return new * jnp.where(found > 0, jnp.sum(given, 0) / jnp.where(found > 0, found, 1), 0)[None]


@partial(jax.custom_jvp, nondiff_argnums=(0, 6))
def probe_firing(
    grid: VoltageGrid,
    kappa: Float[Array, ""],
    drive: Float[Array, " w"],
    noise: Float[Array, ""],
    density: Float[Array, "v w"],
    inflow: Float[Array, " w"] | None = None,
    execution: AbstractExecution = AUTOMATIC,
) -> Float[Array, " w"]:
    """The rates $N(w)$ after `shift_flux`, or with an inflow `absorb_flux`, with the same
    arguments: to rounding, and from the upward sweep alone."""
    given = (density,) if inflow is None else (density, inflow)
    last = execution(
        _positive(kappa),
        drive,
        noise,
        *given,
        loops=partial(_probe_in_blocks, grid),
        log_depth=partial(_probe, grid, log_depth),
        kernel=partial(_probe_by_columns, grid),
    )
    return firing_rates(grid, drive, noise, last)


def _probe(grid: VoltageGrid, way: ModuleType, kappa, drive, noise, density, *inflow) -> Array:
    def last(cells):
        if not inflow:
            return kappa * _sweep_up(grid, way, kappa, cells.rates, density)[0][-1]
        given = _with_inflow(grid, kappa * density, *inflow)
        return way.sweep_up(cells.rates, jnp.broadcast_to(kappa, drive.shape), given)[0][-1]

    return _with_cells(grid, drive, noise, last, branch=way is loops)


def _probe_in_blocks(grid: VoltageGrid, kappa, drive, noise, density, *inflow) -> Array:
    def columns(drive, density, *inflow):
        return _probe(grid, loops, kappa, drive, noise, density, *inflow)

    return in_blocks(columns, drive, density, *inflow)


def _probe_by_columns(grid: VoltageGrid, kappa, drive, noise, density, inflow=None) -> Array:
    return kernel.probe(grid, _columns(grid, kappa, drive, noise, density, inflow))


@probe_firing.defjvp
def _probe_firing_jvp(grid, execution, primals, tangents):
    def firing(kappa, drive, noise, density, inflow):
        step = shift_flux if inflow is None else partial(absorb_flux, inflow=inflow)
        density = step(grid, kappa, drive, noise, density, execution=execution)
        return firing_rates(grid, drive, noise, density[-1])

    return jax.jvp(firing, primals, tangents)


def _positive(kappa: Array) -> Array:
    """κ + a floor. Escape from below threshold can take longer than any floating-point number;
    with the floor the quasi-static step lets such mass stay where it is."""
    return kappa + _tolerance.slowest_rate(kappa.dtype)


def _sweep_up(grid: VoltageGrid, way: ModuleType, kappa: Array, rates: Rates, density: Array):
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
    source = jnp.asarray(np.arange(grid.num)[:, None] == n, density.dtype)
    (y, z), excess = way.sweep_up(rates, kappas, (density, source))
    entering = rates.exit * y[-1] / jnp.sum(excess * z, 0)
    return y + entering[None] * z, excess


def _with_inflow(grid: VoltageGrid, density: Array, inflow: Array) -> Array:
    return density.at[grid.reset_index].add(inflow / grid.spacing)


class _Cells(NamedTuple):
    """The exchange between neighbouring nodes: the rates, row by row, and the flux between them.

    `flux(density, above)`, with `above` the density one node up, is the flux and its slope in the
    cell Péclet number.
    """

    rates: Rates
    flux: Callable[[Array, Array], tuple[Array, Array]]


def _with_cells(grid: VoltageGrid, drive, noise, step: Callable[[_Cells], Any], *, branch: bool):
    """Runs `step` with rates; with a `branch` for small Péclet numbers, which costs no exponential.

    Loops gain by it, but what is in logarithmic depth takes long to compile, twice as long twice.
    """
    if not branch:
        return step(_exponential(grid, drive, noise))
    ends = (drive[None] - _interfaces(grid)[np.array([0, -1]), None]) * (grid.spacing / noise)
    small = _in_all_of_a_batch(jnp.max(jnp.abs(lax.stop_gradient(ends))) <= EVEN_LIMIT)
    # Each branch repeats what it needs: reverse mode would store what either of them makes.
    branches = (
        jax.checkpoint(lambda cells=cells: step(cells(grid, drive, noise)), prevent_cse=False)
        for cells in (_polynomial, _exponential)
    )
    return lax.cond(small, *branches)


def _polynomial(grid: VoltageGrid, drive: Array, noise: Array) -> _Cells:
    """For small Péclet numbers; rates are made row by row."""
    h, faces = grid.spacing, _interfaces(grid)
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

    return _Cells(Rates((shifted(face_cells), face_cells), at), flux)


def _exponential(grid: VoltageGrid, drive: Array, noise: Array) -> _Cells:
    """For all Péclet numbers; rates are a table."""
    up, down = exchange_rates(grid, drive, noise)

    def flux(density, above):
        # B(-x) = B(x) + x, so that the flux is (a/h²) (B(x) (p_i - p_{i+1}) + x p_i).
        h = grid.spacing
        slope = bernoulli_slope((drive[None] - _interfaces(grid)[:, None]) * (h / noise))
        return up * density - down * above, noise / h**2 * (slope * (density - above) + density)

    return _Cells(Rates.table(up, down), flux)


@custom_vmap
def _in_all_of_a_batch(condition: Array) -> Array:
    """A condition that `vmap` does not make many of: a batch takes one branch, and pays for one."""
    return condition


@_in_all_of_a_batch.def_vmap
def _(axis_size, in_batched, condition):
    return jnp.all(condition), False


def _interfaces(grid: VoltageGrid) -> Array:
    """Counted, because reverse mode would store a constant in every step."""
    return grid.minimum + grid.spacing * (jnp.arange(grid.num, dtype=grid.dtype) + 0.5)


def _differentiate(grid: VoltageGrid, cells: _Cells, new: Array, primals, tangents):
    """Right side of the differentiated step, with what it changes in the exit left out."""
    kappa, drive, noise, density = primals
    d_kappa, d_drive, d_noise, d_density = tangents
    h, faces = grid.spacing, _interfaces(grid)
    above = jnp.concatenate([new[1:], jnp.zeros_like(new[:1])])
    flux, slope = cells.flux(new, above)
    # The Péclet number is (μ - v) h/a, and the flux (a/h²) times a function of it.
    relative = jnp.broadcast_to(d_noise / noise, drive.shape)
    rows = jnp.stack([jnp.ones_like(faces), faces], 1)
    d_peclet = rows @ jnp.stack([d_drive - drive * relative, relative]) * (h / noise)
    d_flux = slope * d_peclet + flux * mmatrix.repeated(relative, grid.num)
    gain = jnp.concatenate([jnp.zeros_like(d_flux[:1]), d_flux[:-1]])
    rhs = kappa * d_density + gain - d_flux
    return rhs if d_kappa is None else rhs + d_kappa * (density - new)


def _matrix(grid: VoltageGrid, kappa: Array, drive: Array, noise: Array):
    """κ, and the exchange rates as tables."""
    return jnp.broadcast_to(_positive(kappa), drive.shape), *exchange_rates(grid, drive, noise)


def _shift_flux_jvp(grid, execution, primals, tangents):
    new = shift_flux(grid, *primals, execution)
    return new, _shift_flux_tangent(grid, execution, *_needed(primals[:-1], tangents[:-1]), new)


shift_flux.defjvp(_shift_flux_jvp, symbolic_zeros=True)


def _needed(primals, tangents):
    """Without the density where κ is not differentiated, which is all that it is needed for."""
    kappa, drive, noise, density, *others = primals
    d_kappa, *d_others = tangents
    if isinstance(d_kappa, SymbolicZero):
        d_kappa = density = None
    zeros = (jnp.zeros(d.shape, d.dtype) if isinstance(d, SymbolicZero) else d for d in d_others)
    return (kappa, drive, noise, density, *others), (d_kappa, *zeros)


@partial(jax.checkpoint, static_argnums=(0, 1), prevent_cse=False)
def _shift_flux_tangent(grid, execution, primals, tangents, new):
    # Differentiating the step gives (κ + A - e_R cᵀ) dp = κ dp* + g with Σg = 0 and Σdp = Σdp*;
    # the last condition replaces the division by κ, so that the rule holds as κ → 0 too.
    # Of all this, reverse mode stores the densities alone.
    kappa, drive, noise, _ = primals
    kappas, pin = jnp.broadcast_to(_positive(kappa), drive.shape), jnp.argmax(new, 0)

    def product(x):
        return mmatrix.apply(*_matrix(grid, kappa, drive, noise), x)

    def by(way, *, branch):
        def step(cells):
            rhs = _differentiate(grid, cells, new, primals, tangents)
            system = cells.rates, kappas, grid.reset_index, rhs, jnp.sum(tangents[-1], 0)
            return mmatrix.solve_shifted(*system, pin=pin, matvec=product, execution=way)

        return partial(_with_cells, grid, drive, noise, step, branch=branch)

    return execution(loops=by(Loops(), branch=True), log_depth=by(LogDepth(), branch=False))


def _absorb_flux_jvp(grid, execution, primals, tangents):
    new = absorb_flux(grid, *primals, execution)
    return new, _absorb_flux_tangent(grid, execution, *_needed(primals[:-1], tangents[:-1]), new)


absorb_flux.defjvp(_absorb_flux_jvp, symbolic_zeros=True)


@partial(jax.checkpoint, static_argnums=(0, 1), prevent_cse=False)
def _absorb_flux_tangent(grid, execution, primals, tangents, new):
    *primals, _ = primals
    *tangents, d_inflow = tangents
    kappa, drive, noise, _ = primals

    def step(cells):
        return _differentiate(grid, cells, new, primals, tangents)

    right = _with_cells(grid, drive, noise, step, branch=True)
    rhs = _with_inflow(grid, right, d_inflow)
    return mmatrix.solve(*_matrix(grid, kappa, drive, noise), rhs, execution=execution)
