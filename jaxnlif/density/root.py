r"""The rate that reproduces itself: roots of $F(x) = G(x) - x$, with G the response of a step."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, Int

from .. import _tolerance
from .blowup import MAX_RATE

Response = Callable[[Array], Array]


class Root(NamedTuple):
    """Where a search ended, the evaluations it took, and whether a root is there.

    `exhausted`: not, because the search took all its evaluations; there may be a root elsewhere.
    """

    rate: Float[Array, ""]
    evaluations: Int[Array, ""]
    found: Bool[Array, ""]
    exhausted: Bool[Array, ""]


class _Iterate(NamedTuple):
    """The newest point, and the one before it or on the other side of the root."""

    x: Array
    f: Array
    other_x: Array
    other_f: Array
    bracketed: Array
    evaluations: Array


def nearest_root(
    response: Response,
    start: Float[Array, ""],
    max_evaluations: int,
    *,
    wanted: Bool[Array, ""] | bool = True,
) -> Root:
    r"""The root of F next to `start` in the direction in which F points.

    Fixed-point steps and secant extrapolation approach a root without passing it where F is convex,
    as it is where an excitatory network gains; as soon as a change of sign brackets the root, the
    Illinois variant of false position finishes. A search that runs beyond every physical rate has
    no root ahead. Where none is `wanted`, nothing is evaluated, and none is found.
    """

    def unfinished(s: _Iterate) -> Array:
        searching = ~_solved(s) & (s.x < MAX_RATE) & (s.evaluations < max_evaluations)
        return (searching | (s.evaluations == 0)) & wanted

    # The first evaluation too is one of the loop, in which `response` is compiled once.
    begin = _begin(start, jnp.zeros_like(start), 0)
    end = lax.while_loop(unfinished, lambda s: _improved(response, s, _next(s)), begin)
    found, within = _solved(end) & (end.evaluations > 0), end.x < MAX_RATE
    return Root(end.x, end.evaluations, found & within, ~found & within)


def overshot_root(
    response: Response,
    start: Float[Array, ""],
    fired: Float[Array, ""],
    predicted: Float[Array, ""],
    inhibits: Bool[Array, ""],
    max_evaluations: int,
) -> Root:
    r"""The root of F that the step from `start` to `predicted` has passed.

    A response that falls is passed by every prediction: $F(G(x))$ has the sign opposite to $F(x)$.
    The fixed-point iteration goes on until the sign has changed, which takes more than one step
    only if the prediction was bounded, and the Illinois variant of false position finishes.

    **Arguments:** `fired` $G(x)$ at the start x; `predicted`, between `start` and `fired`;
    `inhibits`, whether the response can fall: if not, nothing is evaluated. **Returns:** a root
    that is not found if the response does not fall.
    """

    def unfinished(s: _Iterate) -> Array:
        passed = ~_solved(s) & (s.bracketed | _falls(s)) & (s.evaluations < max_evaluations)
        return jnp.where(s.evaluations == 1, inhibits, passed)

    def improve(s: _Iterate) -> _Iterate:
        return _improved(response, s, jnp.where(s.evaluations == 1, predicted, _next(s)))

    end = lax.while_loop(unfinished, improve, _begin(start, fired - start, 1))
    passed = (end.evaluations > 1) & (end.bracketed | _falls(end))
    found = passed & _solved(end)
    return Root(end.x, end.evaluations, found, passed & ~found)


def _begin(x: Array, f: Array, evaluations: int) -> _Iterate:
    return _Iterate(x, f, x, f, jnp.zeros((), bool), jnp.asarray(evaluations, jnp.int32))


def _solved(s: _Iterate) -> Array:
    scale = _tolerance.coupling(s.x.dtype) * (1 + jnp.abs(s.x))
    narrow = s.bracketed & (jnp.abs(s.x - s.other_x) <= scale)
    return (jnp.abs(s.f) <= scale) | narrow


def _falls(s: _Iterate) -> Array:
    """Whether $G = F + x$ is lower at the higher of the two points."""
    return (s.f + s.x - s.other_f - s.other_x) * (s.x - s.other_x) <= 0


def _next(s: _Iterate) -> Array:
    """The next point to evaluate."""
    slope = (s.f - s.other_f) / jnp.where(s.x == s.other_x, 1, s.x - s.other_x)
    secant = s.x - s.f / jnp.where(slope == 0, 1, slope)
    # False position that has not ended soon takes turns with halving.
    halve = (s.evaluations > 12) & (s.evaluations % 2 == 0)
    inside = jnp.where(halve, (s.x + s.other_x) / 2, secant)
    # Without a bracket: at first the fixed-point step, then at least that and at most ten.
    eager = jnp.where(slope < 0, (secant - s.x) / jnp.where(s.f == 0, 1, s.f), 10)
    eager = jnp.where(s.evaluations == 1, 1, eager)
    x = jnp.where(s.bracketed, inside, s.x + jnp.clip(eager, 1, 10) * s.f)
    return jnp.where(s.evaluations == 0, s.x, jnp.maximum(x, 0))


def _improved(response: Response, s: _Iterate, x: Array) -> _Iterate:
    f = response(x) - x
    crossed = (jnp.sign(f) != jnp.sign(s.f)) & (s.evaluations > 0)
    retained = s.bracketed & ~crossed
    return _Iterate(
        x,
        f,
        jnp.where(retained, s.other_x, s.x),
        jnp.where(retained, s.other_f / 2, jnp.where(s.evaluations == 0, f, s.f)),
        s.bracketed | crossed,
        s.evaluations + 1,
    )
