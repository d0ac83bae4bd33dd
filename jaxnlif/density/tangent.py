"""Derivatives of the steps in `flux`: the solutions of the differentiated equations."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax.custom_derivatives import SymbolicZero
from jaxtyping import Array, Float

from ..execution import AbstractExecution, LogDepth, Loops
from ..grid import VoltageGrid
from ..machine.machine import Machine
from ..tridiagonal import mmatrix
from ..tridiagonal.exchange import Rates
from .cells import Cells, CellsOf, Common, Inputs, exchange_rates, positive, with_cells, with_inflow


def needed(primals: Any, tangents: Any) -> tuple[Any, Any]:
    """Arguments of a step and their tangents, zeros filled in but for what is often constant.

    The tangents of κ and of the force are `None` where they are not differentiated, and then the
    density, which the tangent of κ alone needs, is too.
    """
    inputs, density, *others = primals
    d_inputs, *d_others = tangents
    seldom = {
        name: None if isinstance(d, SymbolicZero) else d
        for name, d in (("kappa", d_inputs.kappa), ("force", d_inputs.force))
    }
    d_inputs, d_others = jax.tree.map(_filled, (d_inputs, d_others))
    density = None if seldom["kappa"] is None else density
    return (inputs, density, *others), (d_inputs._replace(**seldom), *d_others)


def _filled(tangent: Any) -> Any:
    if not isinstance(tangent, SymbolicZero):
        return tangent
    like: Any = tangent.aval
    return jnp.zeros(like.shape, like.dtype)


@partial(jax.checkpoint, static_argnums=(0, 1), prevent_cse=False)
def shift_flux_tangent(
    grid: VoltageGrid, machine: Machine, primals: Any, tangents: Any, new: Float[Array, "v w"]
) -> Float[Array, "v w"]:
    r"""The tangent of `new`, the density after `shift_flux`.

    Differentiating the step gives $(κ + A - e_R c^T)\,dp = κ\,dp^* + g$ with $Σg = 0$ and
    $Σdp = Σdp^*$; the last condition replaces the division by κ, so that the rule holds as κ → 0
    too. Of all this, reverse mode stores the densities alone.

    **Arguments:** `primals` and `tangents` of inputs and density, as `needed` gives them.
    """
    inputs, pin = primals[0], jnp.argmax(new, 0)

    def product(x: Array) -> Array:
        return mmatrix.apply(*_matrix(grid, inputs), x)

    def by(execution: AbstractExecution, *, branch: bool) -> Callable[[], Array]:
        way = Machine(execution, machine.layout)

        def step(cells: CellsOf) -> Array:
            def rates_of(common: Common, drive: Array) -> tuple[Rates, Array]:
                inputs = Inputs(*common, drive)
                kappa = jnp.broadcast_to(positive(inputs.kappa), drive.shape)
                return cells(grid, inputs).rates, kappa

            rhs = _differentiate(grid, cells(grid, inputs), new, primals, tangents)
            system = rates_of, inputs.common, inputs.drive, grid.reset_index
            mass = jnp.sum(tangents[-1], 0)
            return mmatrix.solve_shifted(*system, rhs, mass, pin=pin, matvec=product, machine=way)

        return lambda: with_cells(grid, inputs, step, branch=branch)

    return machine.run(loops=by(Loops(), branch=True), log_depth=by(LogDepth(), branch=False))


@partial(jax.checkpoint, static_argnums=(0, 1), prevent_cse=False)
def absorb_flux_tangent(
    grid: VoltageGrid, machine: Machine, primals: Any, tangents: Any, new: Float[Array, "v w"]
) -> Float[Array, "v w"]:
    r"""The tangent of `new`, the density after `absorb_flux`.

    It solves $(κ + A)\,dp = κ\,dp^* + g + e_R\,df/h$, with $g$ as in `shift_flux_tangent`.

    **Arguments:** as in `shift_flux_tangent`, with the inflow behind the density.
    """
    *primals, _ = primals
    *tangents, d_inflow = tangents
    inputs = primals[0]

    def step(cells: CellsOf) -> Array:
        return _differentiate(grid, cells(grid, inputs), new, primals, tangents)

    right = with_cells(grid, inputs, step, branch=True)
    rhs = with_inflow(grid, right, d_inflow)
    return mmatrix.solve(*_matrix(grid, inputs), rhs, machine=machine)


def _differentiate(
    grid: VoltageGrid, cells: Cells, new: Array, primals: Any, tangents: Any
) -> Array:
    """Right side of the differentiated step, with what it changes in the exit left out."""
    (kappa, noise, force, _, drive), density = primals
    (d_kappa, d_noise, d_force, _, d_drive), d_density = tangents
    above = jnp.concatenate([new[1:], jnp.zeros_like(new[:1])])
    flux, slope = cells.flux(new, above)
    # The Péclet number is (μ + f) h/a, and the flux (a/h²) times a function of it.
    relative = jnp.broadcast_to(d_noise / noise, drive.shape)
    d_column = d_drive - drive * relative
    if force.shape[1] == 1:  # a product, whose transpose is one too
        rows = jnp.concatenate([jnp.ones_like(force), -force], 1)
        d_cell = rows @ jnp.stack([d_column, relative])
    else:
        d_cell = d_column[None] - force * relative[None]
    d_cell = d_cell if d_force is None else d_cell + d_force
    d_peclet = d_cell * (grid.spacing / noise)[None]
    d_flux = slope * d_peclet + flux * mmatrix.repeated(relative, grid.num)
    gain = jnp.concatenate([jnp.zeros_like(d_flux[:1]), d_flux[:-1]])
    rhs = kappa[None] * d_density + gain - d_flux
    return rhs if d_kappa is None else rhs + d_kappa[None] * (density - new)


def _matrix(grid: VoltageGrid, inputs: Inputs) -> tuple[Array, Array, Array]:
    """κ, and the exchange rates as tables."""
    kappa = jnp.broadcast_to(positive(inputs.kappa), inputs.drive.shape)
    return kappa, *exchange_rates(grid, inputs)
