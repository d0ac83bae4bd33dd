r"""How the weights of a density move, $∂_t p + ∂_w[(K N \bar N - w)\,p] = 0$ in a step."""

from __future__ import annotations

import abc
from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from .._module import Module
from ..grid import Grid
from ..machine.machine import HERE, Machine
from ..model import Network

Firing = Callable[[Float[Array, "v w"]], Float[Array, " w"]]


class Learning(NamedTuple):
    r"""What moves the weights of a density in a step.

    - `grid`: the `Grid` of the density.
    - `rates`, `rate`: $N(w)$ `(w,)` (spikes / neuron / membrane time / weight) and the network rate
      $\bar N$ (spikes / neuron / membrane time) that set the flow.
    - `strength`: $K(w)$ `(w,)` (weight² × membrane time²).
    - `dt`: length of the step (learning time).
    - `firing`: the rates `(w,)` of given columns `(v, w)` after a voltage step.
    - `machine`: how to solve, and on which devices the weights lie.
    """

    grid: Grid
    rates: Float[Array, " w"]
    rate: Float[Array, "*k"]
    strength: Float[Array, " w"]
    dt: Float[Array, ""]
    firing: Firing
    machine: Machine = HERE

    @classmethod
    def of(
        cls, solver: Any, model: Network, dt: Array, rates: Array, rate: Array, firing: Firing
    ) -> Learning:
        """What moves the weights of a `FluxShift` in a step, at these rates."""
        rule = model.plasticity
        strength, speed = rule.strength(solver.weights(model)), rule.speed * dt
        return cls(solver.grid, rates, rate, strength, speed, firing, solver.machine)


class Moved(NamedTuple):
    """What a step of the weights comes to.

    - `density`: that after the step, shape `(v, w)` (1 / voltage / weight).
    - `iterations`: how many it took; `converged`: whether they converged.
    """

    density: Float[Array, "v w"]
    iterations: Int[Array, ""]
    converged: Bool[Array, ""]


class AbstractTransport(Module):
    r"""A scheme for the learning flow $∂_t p + ∂_w[(K N \bar N - w)\,p] = 0$ of a step.

    A scheme keeps the mass and the sign of the density; no mass passes the ends of the weight grid.
    """

    @abc.abstractmethod
    def move(self, learning: Learning, density: Float[Array, "v w"]) -> Moved:
        """The density after a step of the weights.

        **Arguments:** `learning`, what moves them; `density` $p$, shape `(v, w)`
        (1 / voltage / weight).
        """


class Still(AbstractTransport):
    """Weights that do not move."""

    def move(self, learning: Learning, density: Float[Array, "v w"]) -> Moved:
        return Moved(density, jnp.zeros((), jnp.int32), jnp.ones((), bool))
