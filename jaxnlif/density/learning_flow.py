r"""Mass that neighbouring weights exchange in a step of the learning flow.

$N_j$ moves with the mass inside the implicit step, which keeps it free of oscillations at every
Courant number. Where a front enters cells that held little or nothing, those who arrive fire at the
rate of a neuron that comes from the cell they come from and feels the input of the cell they enter.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, Int

from .. import _tolerance
from ..grid import Grid
from ..machine.machine import Machine
from ..tridiagonal.sharded import solve_along_weights
from .advection import SEARCHED, Advected, Courant, Faces, advect, reach
from .law import TURNS, LimitedLaw, refrozen
from .transport import Firing, Learning

_PARTS = 4
_LITTLE = 0.1  # of what comes
_EMPTY = 1e-12  # of the mean
_NEGLIGIBLE = 1e-3  # of the mass


class Exchange(NamedTuple):
    """Mass that neighbours exchange per unit of mass, and how it was found; the weight density
    after it."""

    up: Float[Array, "w 1"]
    down: Float[Array, "w 1"]
    weights: Float[Array, "w 1"]
    iterations: Int[Array, ""]
    converged: Bool[Array, ""]


class LearningFlow(eqx.Module):
    """What moves the weight density `weights` in the time `dt`, at upwind or `limited` faces."""

    grid: Grid
    weights: Float[Array, " w"]
    rates: Float[Array, " w"]
    rate: Float[Array, ""]
    strength: Float[Array, " w"]
    dt: Float[Array, ""]
    machine: Machine
    limited: bool = eqx.field(static=True)

    @classmethod
    def of(cls, learning: Learning, density: Float[Array, "v w"], *, limited: bool) -> LearningFlow:
        """That of a step that begins with a density."""
        grid, weights = learning.grid, learning.grid.weight_density(density)
        flow = learning.rates, learning.rate, learning.strength, learning.dt, learning.machine
        return cls(grid, weights, *flow, limited)

    def arrivals(self, alone: Float[Array, " w"]) -> _Arrivals:
        """What arrives at most: where all fire as the fastest do, or as those in their cell do."""
        courant = self.fastest()
        reached = reach(courant, self.weights[:, None])
        reached = jnp.minimum(reached, jnp.max(self.weights))
        # As much as there is of a front: its rates enter continuously.
        limit = _front(self.weights, alone) * jnp.sum(self.weights)
        mass = jnp.minimum(jnp.maximum(alone, self.gain(reached[:, 0], courant)), limit)
        return _Arrivals(mass, *courant.faces.exchange(reached))

    def exchange(self, conditional: Float[Array, " w"]) -> Exchange:
        """The exchange of a step at given conditional rates."""
        courant = self.courant(conditional, 1 / _PARTS)
        law = self.law(conditional, jnp.full_like(courant.fall[:, 0], 1 / _PARTS))

        def advance(weights: Array, _: None) -> tuple[Array, tuple[Array, Array, Array, Array]]:
            moved, faces = self._advected(courant, law, weights)
            up, down = faces.exchange(moved.weights)
            climbs, falls = up * moved.weights, down * _above(moved.weights)
            return moved.weights, (climbs, falls, moved.iterations, moved.converged)

        weights, parts = lax.scan(advance, self.weights[:, None], length=_PARTS)
        climbs, falls, iterations, converged = parts
        held = jnp.maximum(weights, self.least())
        return Exchange(
            jnp.sum(climbs, 0) / held,
            jnp.sum(falls, 0) / _above(held),
            weights,
            jnp.sum(iterations, dtype=jnp.int32),
            jnp.all(converged),
        )

    def _advected(
        self, courant: Courant, law: LimitedLaw, weights: Array
    ) -> tuple[Advected, Faces]:
        """After a part of the step, and the faces through which the mass moved."""
        moved = advect(courant, weights, self.machine)
        if not self.limited:
            return moved, courant.faces
        found, faces = refrozen(law, weights, moved.weights, self.machine)
        return moved._replace(weights=found, iterations=moved.iterations + TURNS), faces

    def courant(self, conditional: Float[Array, " w"], part: Array | float = 1.0) -> Courant:
        """The flow of a part of the step at given conditional rates, from cells upstream."""
        assert self.grid.w is not None
        faces = jnp.asarray(self.grid.w.faces, self.grid.dtype)
        scale = part * self.dt / self.grid.weight_spacing
        return Courant(
            hebbian=(scale * self.strength * conditional * self.rate)[:, None],
            fall=(scale * jnp.maximum(faces, 0))[:, None],
            rise=(scale * jnp.maximum(-faces, 0))[:, None],
        )

    def law(self, conditional: Float[Array, " w"], part: Float[Array, " faces"]) -> LimitedLaw:
        """The same with values at faces, of a part of the step for each face."""
        assert self.grid.w is not None
        faces = jnp.asarray(self.grid.w.faces, self.grid.dtype)
        scale = part * (self.dt / self.grid.weight_spacing)
        strength = (self.strength[:-1] + self.strength[1:]) / 2
        fall, rise = (scale * jnp.maximum(sign * faces, 0) for sign in (1, -1))
        return LimitedLaw(conditional, scale * strength * self.rate, fall, rise, self.limited)

    def fastest(self) -> Courant:
        """The flow if all fire as the fastest do."""
        most = jnp.max(self.conditional(self.rates))
        return self.courant(jnp.full_like(self.weights, most))

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


def _alone(flow: LearningFlow, conditional: Array) -> tuple[Exchange, tuple[()]]:
    """The exchange of a step that knows no other."""
    return flow.exchange(conditional), ()


def _front(weights: Float[Array, " w"], gain: Float[Array, " w"]) -> Float[Array, ""]:
    """The share of the mass that cells gain which held little before, beyond what is negligible."""
    total = jnp.sum(weights)
    return jnp.maximum(jnp.sum(gain) / jnp.where(total > 0, total, 1) - _NEGLIGIBLE, 0)


def exchange_of(
    flow: LearningFlow,
    firing: Firing,
    density: Float[Array, "v w"],
    solve: Callable[[Any, Array], tuple[Exchange, Any]] = _alone,
    problem: Any = None,
) -> tuple[Exchange, Any]:
    """The exchange of a step, and what else its solution tells.

    First all in a cell fire as those who were there. Where mass then comes into cells that held
    little or nothing, the exchange is found again, at the rates of those who arrive.

    **Arguments:** `flow`, what moves the weights; the rates that `firing` columns have; `density`
    at the beginning; how to `solve` a `problem`, by default that of the flow, at conditional rates.
    """
    everywhere = flow.machine.layout.everywhere
    problem = flow if problem is None else problem

    def gained(flow: LearningFlow, problem: Any, conditional: Array) -> tuple[Any, Array]:
        found = solve(problem, conditional)
        return found, flow.gain(found[0].weights[:, 0], flow.fastest())

    # Reverse mode repeats all but the searches, since storing the rest would cost more.
    @partial(jax.checkpoint, prevent_cse=False, policy=SEARCHED)
    def exchange() -> tuple[Exchange, Any]:
        first, gain = everywhere(gained)(flow, problem, flow.conditional(flow.rates))

        def again() -> tuple[Exchange, Any]:
            conditional = _with_arrivals(flow, firing, density, gain)
            found, more = everywhere(solve)(problem, conditional)
            return found._replace(iterations=first[0].iterations + found.iterations), more

        return lax.cond(_front(flow.weights, gain) > 0, again, lambda: first)

    return exchange()


def _with_arrivals(
    flow: LearningFlow, firing: Firing, density: Float[Array, "v w"], gain: Float[Array, " w"]
) -> Float[Array, " w"]:
    r"""Conditional rates where mass comes into cells that held little or nothing.

    There the rate of those who were there says nothing about those who arrive, and 0/0 would hold
    them up for a step. They fire at $\hat r_j$, as neurons do after a voltage step with the input
    of cell j whom the fastest flow has brought there, and the rate of the cell is
    $r_j = (N_j + A_j \hat r_j) / (H_j + A_j)$, with $A_j$ what arrives.
    """
    arrivals = flow.machine.layout.everywhere(LearningFlow.arrivals)(flow, gain)
    brought = solve_along_weights(arrivals.up, arrivals.down, density, flow.machine)
    held = flow.grid.weight_density(brought)
    reached = held > _tolerance.divisor(density.dtype)
    arriving = jnp.where(reached, firing(brought), 0) / jnp.where(reached, held, 1)
    return flow.conditional(flow.rates + arrivals.mass * arriving, arrivals.mass)


def _above(column: Float[Array, "w 1"]) -> Float[Array, "w 1"]:
    """What the next cell has; the last one, what it has itself."""
    return jnp.concatenate([column[1:], column[-1:]])
