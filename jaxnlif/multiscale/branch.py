"""What happens to a state in some steps only."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool


def once(when: Bool[Array, ""], change: Callable[[Any], Any], state: Any) -> Any:
    """`change(state)` where `when` holds, else `state`."""
    return lax.cond(when, change, lambda same: same, state)


def choose(when: Bool[Array, ""], new: Any, old: Any) -> Any:
    """`new` where `when` holds, else `old`."""
    return jax.tree.map(lambda new, old: jnp.where(when, new, old), new, old)


def once_in_place(when: Bool[Array, ""], change: Callable[[Any], Any], state: Any) -> Any:
    """The same for a large state that is never differentiated.

    A loop of at most one turn leaves the state where it is; a branch would copy it, which costs
    more than a step of the density.
    """
    arrays, rest = eqx.partition(state, eqx.is_array)

    def turn(carry: tuple[Array, Any]) -> tuple[Array, Any]:
        _, arrays = carry
        return jnp.zeros((), bool), eqx.filter(change(eqx.combine(arrays, rest)), eqx.is_array)

    return eqx.combine(lax.while_loop(lambda carry: carry[0], turn, (when, arrays))[1], rest)
