r"""Weight direction at limited faces: the learning flow of a step, of second order in weight."""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import Array, Float

from .. import _tolerance
from ..grid import Grid
from ..tridiagonal.sharded import solve_along_weights
from .learning_flow import Exchange, LearningFlow, exchange_of
from .slopes import half_slopes
from .transport import AbstractTransport, Learning, Moved

MOST_CROSSED = 100.0  # cells in a step


class Limited(AbstractTransport):
    r"""One implicit step with limited slopes in weight: positive and conservative at any step.

    As `Upwind`, with values at faces that follow limited slopes of $H$, of $N$ and, at each
    voltage, of $p$: order 2 in weight where the density is smooth, and free of oscillations at
    fronts. Some fifty weights do where `Upwind` needs hundreds. The factors by which values at
    faces differ from those in cells are held while the scalar law for $H$ is solved, and found
    again from the result, eight times. What the slopes of $p$ move is explicit, and as much of it
    in each column as leaves the density non-negative.

    **Reference:** jaxnlif's; the slopes are those of B. van Leer, *J. Comput. Phys.* 14:361 (1974).
    """

    def move(self, learning: Learning, density: Float[Array, "v w"]) -> Moved:
        flow = LearningFlow.of(learning, density, limited=True)
        exchange, _ = exchange_of(flow, learning.firing, density)
        num = density.shape[0]
        both = jnp.concatenate([density, divergence(flow.grid, exchange, density)])
        both = solve_along_weights(exchange.up, exchange.down, both, flow.machine)
        moved = positive_sum(flow.grid, both[:num], -both[num:])
        return Moved(moved, exchange.iterations, exchange.converged)


def divergence(
    grid: Grid,
    exchange: Exchange,
    density: Float[Array, "v w"],
    most: float = MOST_CROSSED,
) -> Float[Array, "v w"]:
    """What slopes of the density carry out of each cell in a step, of no mass at any weight.

    A face is crossed with the profile in voltage that the density has at the face, and not in the
    cell upstream. Courant numbers are bounded: of larger ones, rounding would be felt.
    """
    half = half_slopes(density)
    profile = _profile(grid, density)
    upper, lower = (_profile(grid, density + sign * half) - profile for sign in (1, -1))
    mass = exchange.weights.T
    climb, drop = (jnp.minimum(rates.T, most) for rates in (exchange.up, exchange.down))
    through = (climb * mass * upper)[:, :-1] - drop[:, :-1] * (mass * lower)[:, 1:]
    closed = jnp.zeros_like(density[:, :1])
    return jnp.diff(jnp.concatenate([closed, through, closed], axis=1), axis=1)


def _profile(grid: Grid, density: Float[Array, "v w"]) -> Float[Array, "v w"]:
    """The density of each weight over its mass, none where there is none."""
    density = jnp.maximum(density, 0)
    mass = grid.weight_density(density)[None]
    held = mass > _tolerance.divisor(density.dtype)
    return jnp.where(held, density, 0) / jnp.where(held, mass, 1)


def positive_sum(
    grid: Grid,
    density: Float[Array, "v w"],
    more: Float[Array, "v w"],
    weights: Float[Array, " w"] | None = None,
) -> Float[Array, "v w"]:
    """The density and, in each column, as much as leaves it non-negative of something that has no
    mass but by rounding; with the mass of the density, or another."""
    least = _tolerance.divisor(density.dtype)
    short = -more > jnp.maximum(density, least)
    share = jnp.where(short, density, 1) / jnp.where(short, -more, 1)
    moved = jnp.maximum(density + jnp.min(share, 0, keepdims=True) * more, 0)
    given = grid.weight_density(density) if weights is None else weights
    return moved * over(given, grid.weight_density(moved), 1.0)[None]


def over(
    given: Float[Array, " w"], weights: Float[Array, " w"], otherwise: float = 0.0
) -> Float[Array, " w"]:
    """Quotients by a weight density, or something else where that is not."""
    held = weights > _tolerance.divisor(weights.dtype)
    return jnp.where(held, given, otherwise) / jnp.where(held, weights, 1)
