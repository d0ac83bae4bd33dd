r"""The conservation law of the weight density, $∂_t H + ∂_w[K \bar N r H^2 - w H] = 0$.

The Hebbian part scales with the density itself, so that the flux is Burgers-like. Hebbian part and
decay are upwinded separately, each by its own sign, which makes the flux monotone.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jax.ad_checkpoint import checkpoint_name
from jaxtyping import Array, Bool, Float, Int

from .. import _tolerance
from ..machine.machine import HERE, Machine
from ..tridiagonal import mmatrix

_MAX_ITERATIONS = 500
_ENOUGH = 1e-8  # of the mass, which the steps that follow square
_EXACT = 2  # steps through which derivatives flow
_SPREAD_AT = 6
_FOUND = "found along weights"
SEARCHED = jax.checkpoint_policies.save_only_these_names(_FOUND)
"""Reverse mode stores what searches have found, and repeats the rest."""


class Faces(NamedTuple):
    r"""Exchange rates at the inner faces in a step, as functions of the weight density.

    - `climb`, `drop`: Hebbian rates upwards and downwards per density of the cell that gives.
    - `rise`, `fall`: rates of the decay of weights towards zero, upwards and downwards.

    Everything is a column, one matrix for all voltages.
    """

    climb: Float[Array, "faces 1"]
    drop: Float[Array, "faces 1"]
    rise: Float[Array, "faces 1"]
    fall: Float[Array, "faces 1"]

    def exchange(self, weights: Float[Array, "w 1"]) -> tuple[Array, Array]:
        """Mass exchanged per step and unit of mass, `up[j]`: j → j+1, `down[j]`: j+1 → j.

        The Hebbian flux of a negative iterate is zero, so that the rates are never negative.
        """
        weights = jnp.maximum(weights, 0)
        up = self.climb * weights[:-1] + self.rise
        down = self.drop * weights[1:] + self.fall
        closed = jnp.zeros_like(weights[:1])
        return jnp.concatenate([up, closed]), jnp.concatenate([down, closed])

    def linearised(self, weights: Float[Array, "w 1"]) -> tuple[Array, Array]:
        """Exchange rates of the Jacobian: the Hebbian flux is quadratic in the weight density."""
        return self._replace(climb=2 * self.climb, drop=2 * self.drop).exchange(weights)


class Courant(NamedTuple):
    r"""The learning flow of one step in units of cells.

    - `hebbian`: $α_j = (Δt/Δw)\,K_j r_j \bar N$, so that $α_j H_j$ is a Courant number.
    - `fall`, `rise`: $(Δt/Δw)\,w^±$ at the inner faces: the decay of weights towards zero.

    Everything is a column.
    """

    hebbian: Float[Array, "w 1"]
    fall: Float[Array, "faces 1"]
    rise: Float[Array, "faces 1"]

    @property
    def faces(self) -> Faces:
        """The exchange at faces that take the values of the cells upstream."""
        climb, drop = (jnp.maximum(sign * self.hebbian, 0) for sign in (1, -1))
        return Faces(climb[:-1], drop[1:], self.rise, self.fall)


class Advected(NamedTuple):
    """The weight density after a step, Newton's iterations, and whether they converged."""

    weights: Float[Array, "w 1"]
    iterations: Int[Array, ""]
    converged: Bool[Array, ""]


def advect(
    courant: Courant,
    weights: Float[Array, "w 1"],
    machine: Machine = HERE,
) -> Advected:
    r"""Solves $H + A(H)\,H = H^*$ for the weight density.

    The last two steps of Newton's method are those through which derivatives flow: from the root,
    the first makes derivatives of first order exact, the second those up to third order. A rule
    for derivatives of the root would be lost where JAX differentiates a loop over steps twice.

    **Arguments:** the Courant numbers and the weight density $H^*$, as a column; how to solve.
    """
    found = _search(*lax.stop_gradient((courant, weights)), machine)
    found = checkpoint_name(found, _FOUND)
    moved, total = found.weights, jnp.sum(weights)
    for _ in range(_EXACT):
        moved = newton_step(courant.faces, weights, moved, machine)
        # More than the mass, by more than rounding, comes of a search that has not converged.
        moved = jnp.where(moved > 2 * total, total, moved)
    return Advected(moved, found.iterations + _EXACT, found.converged)


def newton_step(
    faces: Faces,
    weights: Float[Array, "w 1"],
    moved: Float[Array, "w 1"],
    machine: Machine = HERE,
) -> Float[Array, "w 1"]:
    r"""The iterate `moved` after one step of Newton's method for $H + A(H)\,H = H^*$."""
    return _improved(moved, *_linearised(faces, weights, moved), machine)


def _linearised(faces: Faces, weights: Array, moved: Array) -> tuple[Array, Array, Array]:
    """The residual, and the exchange rates of its Jacobian."""
    return _residual(faces, weights, moved), *faces.linearised(moved)


def _residual(faces: Faces, weights: Array, moved: Array) -> Array:
    up, down = faces.exchange(moved)
    return mmatrix.apply(jnp.ones(1, weights.dtype), up, down, moved) - weights


def _improved(
    moved: Array, residual: Array, up: Array, down: Array, machine: Machine
) -> Float[Array, "w 1"]:
    """After one step of Newton's method."""
    one = jnp.ones(1, moved.dtype)
    moved = moved - mmatrix.solve(one, up, down, residual, machine=machine)
    return jnp.where(moved < 0, 0, moved)


_Point = tuple[Array, Array, Array, Array]
"""An iterate, its residual, and the exchange rates of the Jacobian there."""


def _search(courant: Courant, weights: Array, machine: Machine) -> Advected:
    r"""Newton's method with full steps.

    Where K has one sign, the equation for the mass below each face, $Q_j = Σ_{i≤j} H_i$, is convex
    or concave in Q and its Jacobian an M-matrix, so that Newton's iterates of Q are monotone from
    the second on and converge from every start. They lead mass into empty cells by one cell in an
    iteration, since the linearised flux is zero there, but out of cells that it does not reach at
    once. So what has not converged soon starts again with mass wherever it could go.
    """
    total, faces = jnp.sum(weights), courant.faces

    def begin(moved: Array) -> _Point:
        return moved, *_linearised(faces, weights, moved)

    def improve(carry: tuple[_Point, Array]) -> tuple[_Point, Array]:
        point, iterations = carry
        moved, residual, up, down = lax.cond(
            iterations == _SPREAD_AT,
            lambda _: begin(reach(courant, weights)),
            lambda same: same,
            point,
        )
        moved = _improved(moved, residual, up, down, machine)
        return begin(jnp.minimum(moved, total)), iterations + 1

    def excess(point: _Point) -> Array:  # NaN ends the search, and is not converged
        moved, residual, up, down = point
        rounding = _tolerance.rounding(weights.dtype) * jnp.sum((1 + up + down) * moved)
        return jnp.sum(jnp.abs(residual)) - jnp.maximum(rounding, _ENOUGH * total)

    def unfinished(carry: tuple[_Point, Array]) -> Array:
        point, iterations = carry
        return (excess(point) > 0) & (iterations < _MAX_ITERATIONS)

    start = begin(weights), jnp.zeros((), jnp.int32)
    end, iterations = lax.while_loop(unfinished, improve, start)
    return Advected(end[0], iterations, excess(end) <= 0)


def reach(courant: Courant, weights: Float[Array, "w 1"]) -> Float[Array, "w 1"]:
    r"""Where the search starts again: the weight density with what the Hebbian flux could bring.

    Where K has one sign, that flux, $α_j H_j^2$, is nowhere more than the mass upstream.
    """
    tiny = jnp.finfo(weights.dtype).tiny
    size = jnp.abs(courant.hebbian)
    root = jnp.sqrt(jnp.maximum(size, 1e-6 * jnp.max(size) + tiny))
    upstream = jnp.where(
        courant.hebbian < 0, jnp.cumsum(weights[::-1], 0)[::-1], jnp.cumsum(weights, 0)
    )
    return jnp.maximum(weights, jnp.sqrt(jnp.maximum(upstream, tiny)) / root)
