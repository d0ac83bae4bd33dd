r"""The pseudorates of recurrent networks of theta neurons, which depend on one another.

They solve $r_i = H_{(Wr)_i}(φ_i)/Θ$ for all neurons at once. Where coupling is moderate the
equation is solved by repeating it, and so is the linear equation of its derivative: products of
matrices for all samples together. What that does not solve is continued from no coupling, sample by
sample.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, Int

from .inputs import PRECISION
from .pseudospikes import theta_pseudorate

_RISE, _REPEATS = 24, 120
"""Repetitions while the coupling grows to its strength, and at most afterwards."""

_STEPS, _CORRECTIONS, _ITERATIONS = 800, 4, 50
"""Along the curve of solutions, to come back to it in each, and of Newton's method at its end."""


def theta_pseudorates(
    c: Float[Array, "*batch n"], s: Float[Array, "*batch n"], weights: Float[Array, "n n"]
) -> Float[Array, "*batch n"]:
    r"""The pseudorates of a recurrent network, $r_i = H_{(Wr)_i}(φ_i)/Θ$ for all neurons at once.

    Kicks add up: with the spike of a neuron at the end of the trial its pseudorate falls from 1 to
    0 and the potentials of the others jump by what they received from it, so that the solution
    stays a solution. It is the only one where no neuron hears weights of more than π in total
    (absolute values); with stronger weights there may be others, and spike times may jump where a
    spike passes the end. The one that is found is continued from that of a network without
    coupling; NaN, for that trial, where none is found. Its derivative is that of the implicit
    function.

    **Arguments:** `c`, `s`: cosine and sine of $ωφ$, the state at the end, shape `(…, n)`;
    `weights`: from neuron j to neuron i at `[i, j]`, shape `(n, n)` (q).

    **Returns:** from 0 to 1, shape `(…, n)` (dimensionless).

    **Reference:** jaxnlif's, after `theta_pseudorate`.
    """
    strength = 1 + jnp.max(jnp.sum(jnp.abs(weights), 1), initial=0)
    tolerance = lax.stop_gradient(8 * jnp.finfo(c.dtype).eps * strength)
    excess = partial(_excess, c, s, weights)
    fixed = lax.stop_gradient((c, s, weights))
    rates, found = _found(fixed[0], fixed[1], fixed[2], tolerance)

    # Where none is found the stand-in has a slope, so that what does not need them keeps its own.
    rates = lax.custom_root(
        lambda x: jnp.where(found[..., None], excess(x), x - rates),
        rates,
        lambda _, start: start,
        _solve,
    )
    return jnp.where(found[..., None], rates, jnp.nan)


def _excess(
    c: Float[Array, "*batch n"],
    s: Float[Array, "*batch n"],
    weights: Float[Array, "n n"],
    rates: Float[Array, "*batch n"],
    share: Float[Array, ""] | float = 1.0,
) -> Float[Array, "*batch n"]:
    """By how much rates differ from what they bring about, with a share of the coupling."""
    total = jnp.matmul(rates, weights.T, precision=PRECISION)
    return rates - theta_pseudorate(c, s, share * total)


def _found(
    c: Float[Array, "*batch n"],
    s: Float[Array, "*batch n"],
    weights: Float[Array, "n n"],
    tolerance: Float[Array, ""],
) -> tuple[Float[Array, "*batch n"], Bool[Array, "*batch"]]:
    """Rates without derivative, and whether they solve the equation."""

    def error(rates: Array) -> Array:
        return jnp.max(jnp.abs(_excess(c, s, weights, rates)), axis=-1)

    def rise(k: Int[Array, ""], rates: Array) -> Array:
        return rates - _excess(c, s, weights, rates, (k + 1) / _RISE)

    start = theta_pseudorate(c, s, jnp.zeros_like(c))
    rates = lax.fori_loop(0, _RISE, rise, start)
    rates = _repeated(lambda x: _excess(c, s, weights, x), rates, tolerance)
    solved = error(rates) <= tolerance

    def newton(rates: Array) -> Array:
        flat = [x.reshape(-1, x.shape[-1]) for x in (c, s, rates)]

        def one(row: tuple[Array, ...]) -> Array:
            c, s, rates, solved = row
            return lax.cond(solved, lambda: rates, lambda: _continued(c, s, weights, tolerance))

        return lax.map(one, (*flat, solved.reshape(-1))).reshape(rates.shape)

    rates = lax.cond(jnp.all(solved), lambda x: x, newton, rates)
    return rates, error(rates) <= tolerance


def _repeated(
    excess: Callable[[Array], Array], start: Float[Array, "*batch n"], tolerance: Array
) -> Float[Array, "*batch n"]:
    """Subtracts the excess until it is small everywhere, or no longer falls."""

    def step(carry: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        x, change, n = carry
        x = x - change
        return x, excess(x), n + 1

    def unfinished(carry: tuple[Array, Array, Array]) -> Bool[Array, ""]:
        return jnp.any(jnp.abs(carry[1]) > tolerance) & (carry[2] < _REPEATS)

    return lax.while_loop(unfinished, step, (start, excess(start), jnp.zeros((), jnp.int32)))[0]


def _solve(
    linear: Callable[[Array], Array], y: Float[Array, "*batch n"]
) -> Float[Array, "*batch n"]:
    """Solves a linear equation for each sample; its transpose, too."""
    solve: Any = lax.custom_linear_solve
    return solve(linear, y, _solved, _solved)


def _solved(
    linear: Callable[[Array], Array], y: Float[Array, "*batch n"]
) -> Float[Array, "*batch n"]:
    """The solution, without derivatives."""
    size = jnp.max(jnp.abs(y), axis=-1, initial=0, keepdims=True)
    precise = 8 * jnp.finfo(y.dtype).eps * size
    x = _repeated(lambda x: linear(x) - y, y, precise)
    # rounding leaves more where the solution is large
    error, allowed = jnp.abs(linear(x) - y), precise + 8 * jnp.finfo(y.dtype).eps * jnp.abs(x)

    def directly(x: Array) -> Array:
        n = x.shape[-1]
        unit = jnp.broadcast_to(jnp.eye(n, dtype=x.dtype), (*x.shape, n))
        matrices = jax.vmap(linear, -1, -1)(unit)
        flat = x.reshape(-1, n), y.reshape(-1, n), matrices.reshape(-1, n, n)
        solved = jnp.all(error <= allowed, axis=-1).reshape(-1)

        def one(row: tuple[Array, ...]) -> Array:
            x, y, matrix, solved = row
            return lax.cond(solved, lambda: x, lambda: jnp.linalg.solve(matrix, y))

        return lax.map(one, (*flat, solved)).reshape(x.shape)

    return lax.cond(jnp.all(error <= allowed), lambda x: x, directly, x)


class _Way(NamedTuple):
    """Where a continuation is: rates and the share of the coupling, the point before, and so on."""

    last: Float[Array, " n+1"]
    point: Float[Array, " n+1"]
    direction: Float[Array, " n+1"]
    length: Float[Array, ""]
    number: Int[Array, ""]


def _continued(
    c: Float[Array, " n"], s: Float[Array, " n"], weights: Float[Array, "n n"], tolerance: Array
) -> Float[Array, " n"]:
    """The solution that is continued from no coupling, along a curve that may turn back.

    For every strength of the coupling the equation maps the cube of rates into itself, and without
    coupling it has one solution: the curve of solutions that begins there leads to full strength,
    if need be by strengths that fall on the way (pseudo-arclength continuation).
    """

    def excess(point: Float[Array, " n+1"]) -> Float[Array, " n"]:
        return _excess(c, s, weights, point[:-1], point[-1])

    def step(carry: _Way) -> _Way:
        ahead = carry.point + carry.length * carry.direction
        slopes = jnp.concatenate([jax.jacfwd(excess)(ahead), carry.direction[None]])
        inverse = jnp.linalg.inv(slopes)

        def correct(_: Int[Array, ""], point: Float[Array, " n+1"]) -> Float[Array, " n+1"]:
            along = jnp.sum(carry.direction * (point - ahead))
            error = jnp.append(excess(point), along)
            return point - jnp.matmul(inverse, error, precision=PRECISION)

        point = lax.fori_loop(0, _CORRECTIONS, correct, ahead)
        direction = inverse[:, -1] / jnp.linalg.norm(inverse[:, -1])
        # steps short enough to stay on the curve, where others pass nearby: chosen by measurement
        near = jnp.linalg.norm(point - ahead) < carry.length / 16
        straight = jnp.sum(direction * carry.direction) > 0.99
        # NaN, where there is no inverse, is neither
        solved = jnp.max(jnp.abs(excess(point))) < carry.length / 100 + tolerance
        good = near & straight & solved
        return _Way(
            last=jnp.where(good, carry.point, carry.last),
            point=jnp.where(good, point, carry.point),
            direction=jnp.where(good, direction, carry.direction),
            length=jnp.where(good, 1.5 * carry.length, carry.length / 2),
            number=carry.number + 1,
        )

    begin = jnp.append(theta_pseudorate(c, s, jnp.zeros_like(c)), 0)
    # excess there is the rates less what does not depend on them
    ahead = jnp.append(-jax.jacfwd(excess)(begin)[:, -1], 1)
    way = lax.while_loop(
        lambda way: (way.point[-1] < 1) & (way.number < _STEPS),
        step,
        _Way(
            last=begin,
            point=begin,
            direction=ahead / jnp.linalg.norm(ahead),
            length=jnp.full((), 0.1, c.dtype),
            number=jnp.zeros((), jnp.int32),
        ),
    )
    last, point = way.last, way.point
    passed = point[-1] > last[-1]
    share = jnp.where(passed, (1 - last[-1]) / jnp.where(passed, point[-1] - last[-1], 1), 1)
    start = (last + share * (point - last))[:-1]
    return _newton(lambda x: _excess(c, s, weights, x), start, tolerance)


def _newton(
    function: Callable[[Array], Array], start: Float[Array, " n"], tolerance: Array
) -> Float[Array, " n"]:
    """A zero of the function near `start`, by Newton steps that shrink until they help.

    Where they no longer do, what they have come to. `optimistix.Newton` does not shorten its steps.
    """

    def size(x: Float[Array, " n"]) -> Float[Array, ""]:
        return jnp.max(jnp.abs(function(x)))

    def step(carry: tuple[Array, Array, Array, Array]) -> tuple[Array, Array, Array, Array]:
        x, share, now, n = carry
        change = jnp.linalg.solve(jax.jacfwd(function)(x), function(x))
        tried = x - share * change
        then = size(tried)
        better = then < now
        return (
            jnp.where(better, tried, x),
            jnp.where(better, jnp.minimum(2 * share, 1), share / 2),
            jnp.where(better, then, now),
            n + 1,
        )

    def unfinished(carry: tuple[Array, Array, Array, Array]) -> Bool[Array, ""]:
        return (carry[2] > tolerance) & (carry[3] < _ITERATIONS)

    begin = start, jnp.ones((), start.dtype), size(start), jnp.zeros((), jnp.int32)
    return lax.while_loop(unfinished, step, begin)[0]
