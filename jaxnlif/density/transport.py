r"""Weight direction: the learning flow $∂_t p + ∂_w[(K N \bar N - w)\,p] = 0$.

The Hebbian part scales with the density itself, $N = r H$, so that the flux of the weight density
is Burgers-like, $K \bar N r H^2 - w H$. Hebbian part and decay are upwinded separately, each by
its own sign, which makes the flux monotone; $N_j$ moves with the mass inside the implicit step,
which keeps it free of oscillations at every Courant number.
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float, Int

from .. import _tolerance
from ..execution import AUTOMATIC, AbstractExecution
from ..grid import Grid
from ..solve.sharding import ONE_DEVICE, AbstractLayout
from . import mmatrix
from .across import solve_along_weights

_MAX_ITERATIONS = 200
_LENGTHS = 8


class Courant(NamedTuple):
    r"""The learning flow of one step in units of cells.

    - `hebbian`: $α_j = (Δt/Δw)\,K_j r_j \bar N$, so that $α_j H_j$ is a Courant number.
    - `fall`, `rise`: $(Δt/Δw)\,w^±$ at the inner faces: the decay of weights towards zero.

    Everything is a column, one matrix for all voltages.
    """

    hebbian: Float[Array, "w 1"]
    fall: Float[Array, "faces 1"]
    rise: Float[Array, "faces 1"]

    def exchange(self, weights: Float[Array, "w 1"]) -> tuple[Array, Array]:
        """Mass exchanged per step and unit of mass, `up[j]`: j → j+1, `down[j]`: j+1 → j.

        The Hebbian flux of a negative iterate is zero, so that the rates are never negative.
        """
        weights = jnp.maximum(weights, 0)
        up = jnp.maximum(self.hebbian, 0)[:-1] * weights[:-1] + self.rise
        down = jnp.maximum(-self.hebbian, 0)[1:] * weights[1:] + self.fall
        closed = jnp.zeros_like(weights[:1])
        return jnp.concatenate([up, closed]), jnp.concatenate([down, closed])

    def linearised(self, weights: Float[Array, "w 1"]) -> tuple[Array, Array]:
        """Exchange rates of the Jacobian: the Hebbian flux is quadratic in the weight density."""
        return Courant(2 * self.hebbian, self.fall, self.rise).exchange(weights)


def move_weights(
    grid: Grid,
    density: Float[Array, "v w"],
    rates: Float[Array, " w"],
    rate: Float[Array, ""],
    strength: Float[Array, " w"],
    dt: Float[Array, ""],
    layout: AbstractLayout = ONE_DEVICE,
    execution: AbstractExecution = AUTOMATIC,
) -> tuple[Float[Array, "v w"], Int[Array, ""]]:
    r"""One implicit step of the learning flow: positive, conservative, monotone at any `dt`.

    The scalar conservation law for $H$ is solved implicitly with $\bar N$ and the conditional rate
    $r_j = N_j / H_j$ frozen; $p$ is then carried with the resulting exchange rates, which conserve
    mass and positivity whatever the residual of that solve.

    **Arguments:** density $p$ `(v, w)`, rates $N(w)$ `(w,)`, network rate $\bar N$, learning
    strength $K(w)$ `(w,)`, time step (learning time); on which devices the weights lie, each of
    which solves the law for $H$, which is small, as a whole; how to solve.
    **Returns:** the density `(v, w)` and the number of Newton iterations.
    """
    assert grid.w is not None, "only a structured network learns"

    @layout.everywhere
    def exchange(weights, rates, rate, strength, dt):
        courant = _courant(grid, weights, rates, rate, strength, dt)
        moved, iterations = advect(courant, weights[:, None], execution)
        return *_exchange(courant, moved), iterations

    weights = grid.weight_density(density)
    up, down, iterations = exchange(weights, rates, rate, strength, dt)
    return solve_along_weights(layout, up, down, density, execution), iterations


# Of what only weights depend on, reverse mode stores little and repeats the rest.
@partial(jax.checkpoint, static_argnums=0, prevent_cse=False)
def _courant(grid: Grid, weights, rates, rate, strength, dt) -> Courant:
    occupied = weights > _tolerance.floor(grid.dtype)
    conditional = jnp.where(occupied, rates / jnp.where(occupied, weights, 1), 0)
    assert grid.w is not None
    faces = jnp.asarray(grid.w.faces, grid.dtype)
    scale = dt / grid.weight_spacing
    return Courant(
        hebbian=(scale * strength * conditional * rate)[:, None],
        fall=(scale * jnp.maximum(faces, 0))[:, None],
        rise=(scale * jnp.maximum(-faces, 0))[:, None],
    )


@partial(jax.checkpoint, prevent_cse=False)
def _exchange(courant: Courant, moved: Array) -> tuple[Array, Array]:
    return courant.exchange(moved)


def advect(
    courant: Courant, weights: Float[Array, "w 1"], execution: AbstractExecution = AUTOMATIC
) -> tuple[Float[Array, "w 1"], Int[Array, ""]]:
    r"""Solves $H + A(H)\,H = H^*$ for the weight density; derivatives by the implicit function.

    **Arguments:** the Courant numbers and the weight density $H^*$, as a column; how to solve.
    **Returns:** $H$ and the number of Newton iterations.
    """
    found, iterations = _search(*lax.stop_gradient((courant, weights)), execution)
    one = jnp.ones(1, weights.dtype)
    up, down = courant.linearised(found)

    def tangent_solve(jacobian, rhs):
        return mmatrix.solve(one, up, down, rhs, matvec=jacobian, execution=execution)

    moved = lax.custom_root(
        lambda moved: _residual(courant, weights, moved), found, lambda _, root: root, tangent_solve
    )
    return moved, iterations


@partial(jax.checkpoint, prevent_cse=False)
def _residual(courant: Courant, weights: Array, moved: Array) -> Array:
    up, down = courant.exchange(moved)
    return mmatrix.apply(jnp.ones(1, weights.dtype), up, down, moved) - weights


def _search(courant: Courant, weights: Array, execution: AbstractExecution) -> tuple[Array, Array]:
    r"""Newton's method with the best of several step lengths, one of them certain to help.

    The inverse Jacobian is a non-negative matrix with unit column sums, and the flux is quadratic:
    after a step of length t along the Newton direction δ the residual is $(1-t)R + t^2 Q$ with
    $‖Q‖_1 ≤ 2 Σ|α|δ^2$. The t that minimises this bound always reduces the 1-norm; longer steps,
    up to the full one, are tried beside it.
    """
    one = jnp.ones(1, weights.dtype)

    def improve(carry):
        moved, error, _, iterations = carry
        up, down = courant.linearised(moved)
        change = mmatrix.solve(one, up, down, error, execution=execution)
        size, curvature = jnp.sum(jnp.abs(error)), 2 * jnp.sum(jnp.abs(courant.hebbian) * change**2)
        certain = jnp.where(curvature > 0.5 * size, 0.5 * size / curvature, 1)
        lengths = certain ** jnp.linspace(0, 1, _LENGTHS, dtype=weights.dtype)
        tried = moved[None] - lengths[:, None, None] * change[None]
        errors = jax.vmap(partial(_residual, courant, weights))(tried)
        best = jnp.argmin(jnp.sum(jnp.abs(errors), (1, 2)))
        rounding = _tolerance.rounding(weights.dtype) * jnp.sum((1 + up + down) * jnp.abs(moved))
        return tried[best], errors[best], rounding, iterations + 1

    def unfinished(carry):
        _, error, rounding, iterations = carry
        return (jnp.sum(jnp.abs(error)) > rounding) & (iterations < _MAX_ITERATIONS)

    none = jnp.zeros((), weights.dtype), jnp.zeros((), jnp.int32)
    start = weights, _residual(courant, weights, weights), *none
    moved, _, _, iterations = lax.while_loop(unfinished, improve, start)
    return moved, iterations
