r"""Weight direction: the learning flow $∂_t p + ∂_w[(K N \bar N - w)\,p] = 0$.

$N_j$ moves with the mass inside the implicit step, which keeps it free of oscillations at every
Courant number. Where a front enters cells that held little or nothing, those who arrive fire at the
rate of a neuron that comes from the cell they come from and feels the input of the cell they enter.
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, Int

from .. import _tolerance
from ..grid import Grid
from ..machine.machine import Machine
from ..tridiagonal.sharded import solve_along_weights
from .advection import SEARCHED, Advected, Courant, advect, reach
from .transport import AbstractTransport, Firing, Learning, Moved

_PARTS = 4
_LITTLE = 0.1  # of what comes
_EMPTY = 1e-12  # of the mean
_NEGLIGIBLE = 1e-3  # of the mass


class Upwind(AbstractTransport):
    r"""One implicit upwind step: positive, conservative and monotone at any step, of first order.

    The scalar conservation law for $H$ is solved implicitly with $\bar N$ and the conditional rate
    $r_j = N_j / H_j$ frozen, in four parts of the step, which cost little as H is small; $p$ is
    then carried with the resulting exchange rates, which conserve mass and positivity whatever the
    residual of that solve. If that brings more than 0.1 % of the mass into cells which held little
    or nothing before, `_with_arrivals` finds other rates. Each device solves the law for
    $H$, which is small, as a whole.

    **Reference:** jaxnlif's; the equation is that of Q. He, J. Hu, Z. Zhou, arXiv 2109.04667.
    """

    def move(self, learning: Learning, density: Float[Array, "v w"]) -> Moved:
        flow = _Flow.of(learning, learning.grid.weight_density(density))
        exchange = _exchange_of(flow, learning.firing, density)
        moved = solve_along_weights(exchange.up, exchange.down, density, flow.machine)
        return Moved(moved, exchange.iterations, exchange.converged)


class _Exchange(NamedTuple):
    """Mass that neighbours exchange per unit of mass, and how it was found."""

    up: Float[Array, "w 1"]
    down: Float[Array, "w 1"]
    iterations: Int[Array, ""]
    converged: Bool[Array, ""]


class _Flow(eqx.Module):
    """What moves the weight density `weights` in the time `dt`."""

    grid: Grid
    weights: Float[Array, " w"]
    rates: Float[Array, " w"]
    rate: Float[Array, ""]
    strength: Float[Array, " w"]
    dt: Float[Array, ""]
    machine: Machine

    @classmethod
    def of(cls, learning: Learning, weights: Float[Array, " w"]) -> _Flow:
        """That of a step that begins with the weight density `weights`."""
        rates, rate = learning.rates, learning.rate
        flow = learning.strength, learning.dt, learning.machine
        return cls(learning.grid, weights, rates, rate, *flow)

    def found(self, conditional: Float[Array, " w"]) -> tuple[_Exchange, Float[Array, " w"]]:
        """The exchange at given conditional rates, and what cells gain by it."""
        exchange, weights = self.exchange(conditional)
        return exchange, self.gain(weights, self.fastest())

    def arrivals(self, alone: Float[Array, " w"]) -> _Arrivals:
        """What arrives at most: where all fire as the fastest do, or as those in their cell do."""
        courant = self.fastest()
        reached = reach(courant, self.weights[:, None])
        reached = jnp.minimum(reached, jnp.max(self.weights))
        # As much as there is of a front: its rates enter continuously.
        limit = _front(self.weights, alone) * jnp.sum(self.weights)
        mass = jnp.minimum(jnp.maximum(alone, self.gain(reached[:, 0], courant)), limit)
        return _Arrivals(mass, *courant.exchange(reached))

    def exchange(self, conditional: Float[Array, " w"]) -> tuple[_Exchange, Float[Array, " w"]]:
        """The exchange of a step at given conditional rates, and the weight density at the end."""
        courant = Courant(*(number / _PARTS for number in _courant(self, conditional)))

        def advance(weights: Array, _: None) -> tuple[Array, tuple[Array, Array, Array, Array]]:
            moved = advect(courant, weights, self.machine)
            up, down, iterations, converged = _exchange(courant, moved)
            climbs, falls = up * moved.weights, down * _above(moved.weights)
            return moved.weights, (climbs, falls, iterations, converged)

        weights, parts = lax.scan(advance, self.weights[:, None], length=_PARTS)
        climbs, falls, iterations, converged = parts
        held = jnp.maximum(weights, self.least())
        exchange = _Exchange(
            jnp.sum(climbs, 0) / held,
            jnp.sum(falls, 0) / _above(held),
            jnp.sum(iterations, dtype=jnp.int32),
            jnp.all(converged),
        )
        return exchange, weights[:, 0]

    def fastest(self) -> Courant:
        """The flow if all fire as the fastest do."""
        most = jnp.max(self.conditional(self.rates))
        return _courant(self, jnp.full_like(self.weights, most))

    def conditional(self, rates: Array, arriving: Array | float = 0.0) -> Float[Array, " w"]:
        """Rates per mass of those who are in a cell and those who arrive."""
        return rates / (jnp.maximum(self.weights, self.least()) + arriving)

    def gain(self, moved: Float[Array, " w"], fastest: Courant) -> Float[Array, " w"]:
        """What comes into cells that held little of it, as far as it would leave them."""
        gain = jnp.maximum(moved - self.weights / _LITTLE - self.least(), 0)
        return gain * jnp.minimum(jnp.abs(fastest.hebbian[:, 0]) * gain, 1)

    def least(self) -> Float[Array, ""]:
        """A weight density below this leads nothing on: the same in both precisions, as sums of
        positive numbers keep their digits however small they are."""
        floor = _tolerance.floor(self.weights.dtype)
        return jnp.maximum(_EMPTY * jnp.mean(self.weights), floor)


class _Arrivals(NamedTuple):
    """The weight density that arrives in each cell, and the exchange that brings it there."""

    mass: Float[Array, " w"]
    up: Float[Array, "w 1"]
    down: Float[Array, "w 1"]


def _front(weights: Float[Array, " w"], gain: Float[Array, " w"]) -> Float[Array, ""]:
    """The share of the mass that cells gain which held little before, beyond what is negligible."""
    total = jnp.sum(weights)
    return jnp.maximum(jnp.sum(gain) / jnp.where(total > 0, total, 1) - _NEGLIGIBLE, 0)


def _exchange_of(flow: _Flow, firing: Firing, density: Float[Array, "v w"]) -> _Exchange:
    """The exchange of a step.

    First all in a cell fire as those who were there. Where mass then comes into cells that held
    little or nothing, the exchange is found again, at the rates of those who arrive.
    """
    everywhere = flow.machine.layout.everywhere

    # Reverse mode repeats all but the searches, since storing the rest would cost more.
    @partial(jax.checkpoint, prevent_cse=False, policy=SEARCHED)
    def exchange() -> _Exchange:
        first, gain = everywhere(_Flow.found)(flow, flow.conditional(flow.rates))

        def again() -> _Exchange:
            conditional = _with_arrivals(flow, firing, density, gain)
            found, _ = everywhere(_Flow.exchange)(flow, conditional)
            return found._replace(iterations=first.iterations + found.iterations)

        return lax.cond(_front(flow.weights, gain) > 0, again, lambda: first)

    return exchange()


def _with_arrivals(
    flow: _Flow, firing: Firing, density: Float[Array, "v w"], gain: Float[Array, " w"]
) -> Float[Array, " w"]:
    r"""Conditional rates where mass comes into cells that held little or nothing.

    There the rate of those who were there says nothing about those who arrive, and 0/0 would hold
    them up for a step. They fire at $\hat r_j$, as neurons do after a voltage step with the input
    of cell j whom the fastest flow has brought there, and the rate of the cell is
    $r_j = (N_j + A_j \hat r_j) / (H_j + A_j)$, with $A_j$ what arrives.
    """
    arrivals = flow.machine.layout.everywhere(_Flow.arrivals)(flow, gain)
    brought = solve_along_weights(arrivals.up, arrivals.down, density, flow.machine)
    held = flow.grid.weight_density(brought)
    reached = held > _tolerance.divisor(density.dtype)
    arriving = jnp.where(reached, firing(brought), 0) / jnp.where(reached, held, 1)
    return flow.conditional(flow.rates + arrivals.mass * arriving, arrivals.mass)


def _above(column: Float[Array, "w 1"]) -> Float[Array, "w 1"]:
    """What the next cell has; the last one, what it has itself."""
    return jnp.concatenate([column[1:], column[-1:]])


def _courant(flow: _Flow, conditional: Float[Array, " w"]) -> Courant:
    grid = flow.grid
    assert grid.w is not None
    faces = jnp.asarray(grid.w.faces, grid.dtype)
    scale = flow.dt / grid.weight_spacing
    return Courant(
        hebbian=(scale * flow.strength * conditional * flow.rate)[:, None],
        fall=(scale * jnp.maximum(faces, 0))[:, None],
        rise=(scale * jnp.maximum(-faces, 0))[:, None],
    )


def _exchange(courant: Courant, moved: Advected) -> _Exchange:
    return _Exchange(*courant.exchange(moved.weights), moved.iterations, moved.converged)
