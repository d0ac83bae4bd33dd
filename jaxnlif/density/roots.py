r"""The rates of populations that reproduce themselves: roots of $F(x) = G(x) - x$."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, Int

from .. import _tolerance
from .blowup import MAX_RATE

_SHORTEST = 1 / 64


class VectorRoot(NamedTuple):
    """Where a search ended, how often the response was evaluated, and whether a root is there."""

    signals: Float[Array, " k"]
    evaluations: Int[Array, ""]
    found: Bool[Array, ""]


class _Iterate(NamedTuple):
    """The best point so far, the step of Newton from there, and the part of it to be tried next."""

    x: Array
    f: Array
    step: Array
    part: Array
    evaluations: Array


def vector_root(
    response: Callable[[Array], Array],
    start: Float[Array, " k"],
    max_evaluations: Int[Array, ""] | int,
) -> VectorRoot:
    """The root of F that damped steps of Newton's method reach from `start`; rates stay positive.

    A step is halved as long as it does not make the largest of |F| smaller.
    """

    def linearised(x: Array) -> tuple[Array, Array]:
        g, push = jax.linearize(response, x)
        slope = jax.vmap(push, out_axes=1)(jnp.eye(x.size, dtype=x.dtype))
        f = g - x
        return f, jnp.linalg.solve(jnp.eye(x.size, dtype=x.dtype) - slope, f)

    def solved(s: _Iterate) -> Array:
        return jnp.all(jnp.abs(s.f) <= _tolerance.coupling(s.x.dtype) * (1 + jnp.abs(s.x)))

    def unfinished(s: _Iterate) -> Array:
        physical = jnp.all(s.x < MAX_RATE) & (s.part >= _SHORTEST)
        return ~solved(s) & physical & (s.evaluations < max_evaluations)

    def improve(s: _Iterate) -> _Iterate:
        x = jnp.maximum(s.x + s.part * s.step, 0)
        f, step = linearised(x)
        better = jnp.max(jnp.abs(f)) < jnp.max(jnp.abs(s.f))
        best = _Iterate(x, f, step, jnp.ones_like(s.part), s.evaluations)
        kept = s._replace(part=s.part / 2)
        chosen = jax.tree.map(lambda new, old: jnp.where(better, new, old), best, kept)
        return chosen._replace(evaluations=s.evaluations + 1)

    unknown = jnp.full_like(start, jnp.inf)
    nowhere = jnp.zeros_like(start)
    begin = _Iterate(start, unknown, nowhere, jnp.ones((), start.dtype), jnp.zeros((), jnp.int32))
    end = lax.while_loop(unfinished, improve, begin)
    return VectorRoot(end.x, end.evaluations, solved(end) & jnp.all(end.x < MAX_RATE))
