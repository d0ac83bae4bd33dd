"""Derivatives of the steps in `flux`: the solutions of the differentiated equations."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
from jax.custom_derivatives import SymbolicZero
from jaxtyping import Array, Float

from ..execution import AbstractExecution, LogDepth, Loops
from ..grid import VoltageGrid
from ..tridiagonal import mmatrix
from .cells import Cells, exchange_rates, interfaces, positive, with_cells, with_inflow


def needed(primals, tangents):
    """Arguments of a step and their tangents, zeros filled in.

    Without the density where κ is not differentiated, which is all that it is needed for.
    """
    kappa, drive, noise, density, *others = primals
    d_kappa, *d_others = tangents
    if isinstance(d_kappa, SymbolicZero):
        d_kappa = density = None
    zeros = (jnp.zeros(d.shape, d.dtype) if isinstance(d, SymbolicZero) else d for d in d_others)
    return (kappa, drive, noise, density, *others), (d_kappa, *zeros)


@partial(jax.checkpoint, static_argnums=(0, 1), prevent_cse=False)
def shift_flux_tangent(
    grid: VoltageGrid, execution: AbstractExecution, primals, tangents, new: Float[Array, "v w"]
) -> Float[Array, "v w"]:
    r"""The tangent of `new`, the density after `shift_flux`.

    Differentiating the step gives $(κ + A - e_R c^T)\,dp = κ\,dp^* + g$ with $Σg = 0$ and
    $Σdp = Σdp^*$; the last condition replaces the division by κ, so that the rule holds as κ → 0
    too. Of all this, reverse mode stores the densities alone.

    **Arguments:** `primals` and `tangents` of κ, drive, noise and density, as `needed` gives them.
    """
    kappa, drive, noise, _ = primals
    kappas, pin = jnp.broadcast_to(positive(kappa), drive.shape), jnp.argmax(new, 0)

    def product(x):
        return mmatrix.apply(*_matrix(grid, kappa, drive, noise), x)

    def by(way, *, branch):
        def step(cells):
            rhs = _differentiate(grid, cells, new, primals, tangents)
            system = cells.rates, kappas, grid.reset_index, rhs, jnp.sum(tangents[-1], 0)
            return mmatrix.solve_shifted(*system, pin=pin, matvec=product, execution=way)

        return partial(with_cells, grid, drive, noise, step, branch=branch)

    return execution(loops=by(Loops(), branch=True), log_depth=by(LogDepth(), branch=False))


@partial(jax.checkpoint, static_argnums=(0, 1), prevent_cse=False)
def absorb_flux_tangent(
    grid: VoltageGrid, execution: AbstractExecution, primals, tangents, new: Float[Array, "v w"]
) -> Float[Array, "v w"]:
    r"""The tangent of `new`, the density after `absorb_flux`.

    It solves $(κ + A)\,dp = κ\,dp^* + g + e_R\,df/h$, with $g$ as in `shift_flux_tangent`.

    **Arguments:** as in `shift_flux_tangent`, with the inflow behind the density.
    """
    *primals, _ = primals
    *tangents, d_inflow = tangents
    kappa, drive, noise, _ = primals

    def step(cells):
        return _differentiate(grid, cells, new, primals, tangents)

    right = with_cells(grid, drive, noise, step, branch=True)
    rhs = with_inflow(grid, right, d_inflow)
    return mmatrix.solve(*_matrix(grid, kappa, drive, noise), rhs, execution=execution)


def _differentiate(grid: VoltageGrid, cells: Cells, new: Array, primals, tangents):
    """Right side of the differentiated step, with what it changes in the exit left out."""
    kappa, drive, noise, density = primals
    d_kappa, d_drive, d_noise, d_density = tangents
    h, faces = grid.spacing, interfaces(grid)
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
    return jnp.broadcast_to(positive(kappa), drive.shape), *exchange_rates(grid, drive, noise)
