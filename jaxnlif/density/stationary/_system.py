"""Roots of several equations that know how to differentiate themselves."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, Int

Vector = Float[Array, " n"]
System = Callable[[Vector], Vector]

_STEPS = 200
_LEAST_PART = 2.0**-12


def known_vector(function: System, root: Vector) -> Vector:
    r"""A root that has been found already, as an implicit function.

    Everything that `function` closes over is differentiated: $dx = -J^{-1} \partial_θ f\,dθ$.
    """

    def tangent(slope: System, y: Vector) -> Vector:
        return jnp.linalg.solve(jax.jacfwd(slope)(jnp.zeros_like(y)), y)

    return lax.custom_root(
        lambda x: function(x), lax.stop_gradient(root), lambda _, start: start, tangent
    )


class _At(NamedTuple):
    """A point with residual and slopes there, and the part of a step that is tried next."""

    turns: Int[Array, ""]
    x: Vector
    value: Vector
    slope: Float[Array, "n n"]
    part: Float[Array, ""]


def newton_vector(
    function: System, start: Vector, largest: Vector
) -> tuple[Vector, Bool[Array, ""]]:
    """Newton's method, and whether the residual is what rounding leaves.

    Where a step does not make the residual smaller, a quarter of it is tried.

    **Arguments:** `largest`: bounds of the steps, shape `(n,)`.
    """
    return newton_with_slopes(partial(with_slopes, function), start, largest, lax.while_loop)


def with_slopes(function: System, x: Vector) -> tuple[Vector, Float[Array, "n n"]]:
    """Values and the matrix of their derivatives."""
    basis = jnp.eye(x.shape[0], dtype=x.dtype)
    values, columns = jax.vmap(lambda e: jax.jvp(function, (x,), (e,)))(basis)
    return values[0], columns.T


def host_loop(unfinished: Callable[[Any], Any], improve: Callable[[Any], Any], state: Any) -> Any:
    """`lax.while_loop` of known numbers, which compiles no loop."""
    while unfinished(state):
        state = improve(state)
    return state


def newton_with_slopes(
    at: Callable[[Vector], tuple[Vector, Float[Array, "n n"]]],
    start: Vector,
    largest: Vector,
    loop: Callable[..., Any],
) -> tuple[Vector, Bool[Array, ""]]:
    """`newton_vector` of a function that gives slopes too, by `lax.while_loop` or `host_loop`."""
    eps = jnp.finfo(start.dtype).eps

    def improve(here: _At) -> _At:
        step = jnp.linalg.solve(here.slope, here.value)
        step = jnp.where(jnp.all(jnp.isfinite(step)), step, here.value)  # where it is singular
        step = jnp.where(here.turns == 0, 0, step)  # what is there at the start is not known
        step = step / jnp.maximum(jnp.max(jnp.abs(step) / largest), 1)
        x = here.x - here.part * step
        value, slope = at(x)
        better = jnp.max(jnp.abs(value)) < jnp.max(jnp.abs(here.value))  # NaN is not
        other = _At(here.turns + 1, x, value, slope, jnp.minimum(2 * here.part, 1))
        same = here._replace(turns=here.turns + 1, part=here.part / 4)
        return jax.tree.map(lambda a, b: jnp.where(better, a, b), other, same)

    def unfinished(here: _At) -> Bool[Array, ""]:
        return (here.turns < _STEPS) & (here.part > _LEAST_PART) & jnp.any(here.value != 0)

    unknown = jnp.full_like(start, jnp.inf), jnp.eye(start.shape[0], dtype=start.dtype)
    first = _At(jnp.zeros((), int), start, *unknown, jnp.ones((), start.dtype))
    end = loop(unfinished, improve, first)
    slopes = 1 + jnp.sum(jnp.abs(end.slope), axis=1)
    allowed = 256 * eps * (1 + jnp.max(jnp.abs(end.x))) * slopes
    return end.x, jnp.all(jnp.abs(end.value) <= allowed) & jnp.all(jnp.isfinite(end.x))
