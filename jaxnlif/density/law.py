r"""The conservation law of the weight density at limited faces, $H + A(H)\,H = H^*$ in a step.

With slopes of $H$ and of $N = r H$, the Hebbian flux is $K \bar N N H$ and the decay $w H$, each
with the values at the face of the cell upstream. They are written as factors of the values in the
cell; with factors held, the problem has three points and an M-matrix as that of `advection`.
"""

from __future__ import annotations

import equinox as eqx
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from ..machine.machine import HERE, Machine
from .advection import Faces, newton_step
from .slopes import face_factors

TURNS = 8
"""How often factors are held."""


class LimitedLaw(eqx.Module):
    r"""The learning flow of one step at limited faces.

    - `conditional`: the rates $r_j$ of the neurons of each cell.
    - `hebbian`: $(Δt/Δw)\,K \bar N$ at the inner faces; `fall`, `rise`: $(Δt/Δw)\,w^±$ there.
    - `limited`: whether values at faces follow slopes; else they are those of cells upstream.
    """

    conditional: Float[Array, " w"]
    hebbian: Float[Array, " faces"]
    fall: Float[Array, " faces"]
    rise: Float[Array, " faces"]
    limited: bool = eqx.field(static=True, default=True)

    def faces(self, weights: Float[Array, "w 1"]) -> Faces:
        """The exchange with the factors of a weight density held."""
        upper, lower = self._factors(weights[:, 0])
        fire_upper, fire_lower = self._factors(self.conditional * weights[:, 0])
        above = (self.conditional * upper * fire_upper)[:-1]
        below = (self.conditional * lower * fire_lower)[1:]
        columns = (
            jnp.maximum(self.hebbian, 0) * above,
            jnp.maximum(-self.hebbian, 0) * below,
            self.rise * upper[:-1],
            self.fall * lower[1:],
        )
        return Faces(*(column[:, None] for column in columns))

    def _factors(self, values: Float[Array, " w"]) -> tuple[Array, Array]:
        if not self.limited:
            return jnp.ones_like(values), jnp.ones_like(values)
        return face_factors(values)


def refrozen(
    law: LimitedLaw,
    weights: Float[Array, "w 1"],
    guess: Float[Array, "w 1"],
    machine: Machine = HERE,
) -> tuple[Float[Array, "w 1"], Faces]:
    r"""Solves $H + A(H)\,H = H^*$ with the factors of one iterate held for the next.

    Derivatives flow through every turn.

    **Arguments:** `law`; the weight density $H^*$; a first `guess`; how to solve.

    **Returns:** the weight density; the faces of the last turn.
    """
    total = jnp.sum(weights)

    def turn(moved: Array, _: None) -> tuple[Array, None]:
        found = newton_step(law.faces(moved), weights, moved, machine)
        return jnp.minimum(found, total), None

    moved, _ = lax.scan(turn, guess, length=TURNS)
    return moved, law.faces(moved)
