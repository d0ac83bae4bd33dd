"""One descent by an optimiser: an evaluation per iteration, a step back where runs fail."""

from __future__ import annotations

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int

from . import levenberg
from .levenberg import LevenbergMarquardt
from .problem import Free, Problem, Tried
from .result import FitResult

Optimiser = optax.GradientTransformation | LevenbergMarquardt

_SHORTEST = 1e-8


class Rules(eqx.Module):
    """How a descent goes on, and when it ends.

    - `tolerance`: it ends at a largest derivative that many times that at the start.
    - `progress`, `patience`: it ends if the best loss fell by less than `progress` times its
      magnitude within `patience` iterations.
    - `monotone`: whether the loss must fall in each step (by Armijo's rule, where the optimiser
      chooses directions rather than steps).
    """

    tolerance: Float[Array, ""]
    progress: Float[Array, ""]
    patience: Int[Array, ""]
    monotone: bool = eqx.field(static=True)


class Descent(NamedTuple):
    """How far a descent is.

    - `point`, `height`: the last point that was accepted, and the loss there.
    - `updates`: the way that the optimiser goes from there, shortened by `factor` and, in all that
      follows, `stride`; `fall`: the derivative of the loss along it. `optimiser`: its state.
    - `value`: the loss at the point tried last, infinite if the run failed there.
    - `best`, `lowest`: the best point so far, and the loss there.
    - `slope`: the largest derivative at the start.
    - `reference`, `stale`: the best loss when it last fell appreciably, and the iterations since,
      of which `failures` had no loss.
    - `result`, `ended`: why it ended, and whether it has.
    """

    point: Free
    height: Array
    updates: Free
    fall: Array
    factor: Array
    stride: Array
    optimiser: Any
    value: Array
    best: Free
    lowest: Array
    slope: Array
    reference: Array
    stale: Array
    failures: Array
    iterations: Array
    result: FitResult
    ended: Array


def begin(problem: Problem, optimiser: Optimiser, start: Free) -> Descent:
    """A descent of which nothing is known yet."""
    value = jax.eval_shape(problem.objective, start)[0]
    infinite, zero = jnp.full((), jnp.inf, value.dtype), jnp.zeros((), value.dtype)
    none = jnp.zeros((), jnp.int32)
    return Descent(
        point=start,
        height=infinite,
        updates=jax.tree.map(jnp.zeros_like, start),
        fall=zero,
        factor=zero + 1,
        stride=zero + 1,
        optimiser=_nothing_known(problem, optimiser, start),
        value=infinite,
        best=start,
        lowest=infinite,
        slope=infinite,
        reference=infinite,
        stale=none,
        failures=none,
        iterations=none,
        result=FitResult.step_limit,
        ended=jnp.zeros((), bool),
    )


def iterate(problem: Problem, optimiser: Optimiser, rules: Rules, old: Descent) -> Descent:
    """Tries the next point. The optimiser goes on from it; if the run fails there, or the loss does
    not fall where it must, a shorter step is tried in the next iteration."""
    first = old.iterations == 0
    if isinstance(optimiser, LevenbergMarquardt):
        tried = levenberg.try_next(problem, optimiser, first, old.point, old.updates, old.optimiser)
    else:
        tried = _try_next(problem, optimiser, rules, old)
    value, good, accepted, factor = tried.value, tried.good, tried.accepted, tried.factor
    slope_at_start = jnp.where(first, tried.slope, old.slope)
    better = good & (value < old.lowest)
    lowest = jnp.where(better, value, old.lowest)
    fell = lowest < _appreciably_below(old.reference, rules)
    stale = jnp.where(fell, 0, old.stale + 1)
    failures = jnp.where(fell, 0, old.failures + ~good)

    flat = factor < _SHORTEST
    vanished = accepted & (tried.slope <= rules.tolerance * slope_at_start)
    settled = (good & (stale >= rules.patience)) | (good & flat)
    stuck = (~good & flat) | (accepted & ~_finite(tried.updates))
    failed = first & ~good
    # Optimisers that may raise the loss can come to where nothing completes: back to the best.
    height = jnp.where(accepted, value, old.height)
    back = stuck & ~failed & (height > lowest) & (old.stride > _SHORTEST)
    # At the edge of where there is a loss, every few steps fail; at a minimum, none do.
    at_edge = 4 * failures > stale
    result = FitResult.where(settled, FitResult.converged, FitResult.step_limit)
    result = FitResult.where(settled & at_edge, FitResult.no_way_on, result)
    result = FitResult.where(vanished, FitResult.gradient_vanished, result)
    result = FitResult.where(stuck, FitResult.no_way_on, result)
    result = FitResult.where(failed, FitResult.start_failed, result)

    point, best = (
        jax.tree.map(lambda new, old, where=where: jnp.where(where, new, old), tried.point, kept)
        for where, kept in ((accepted, old.point), (better, old.best))
    )
    new = Descent(
        point=point,
        height=height,
        updates=tried.updates,
        fall=tried.fall,
        factor=factor,
        stride=old.stride,
        optimiser=tried.optimiser,
        value=jnp.where(good, value, jnp.inf),
        best=best,
        lowest=lowest,
        slope=slope_at_start,
        reference=jnp.where(fell, lowest, old.reference),
        stale=stale,
        failures=failures,
        iterations=old.iterations + 1,
        result=result,
        ended=vanished | settled | (stuck & ~back) | failed,
    )
    if not rules.monotone:
        again = _back(problem, optimiser, new)
        new = jax.tree.map(lambda there, here: jnp.where(back, there, here), again, new)
    # Once ended a descent stays as it is, in the types that it began with.
    return jax.tree.map(
        lambda new, same: jnp.where(old.ended, same, new).astype(same.dtype), new, old
    )


def _nothing_known(problem: Problem, optimiser: Optimiser, start: Free) -> Any:
    """The state of an optimiser at a start."""
    if isinstance(optimiser, LevenbergMarquardt):
        return levenberg.nothing_known(problem, start)
    return optimiser.init(start)


def _try_next(
    problem: Problem, optimiser: optax.GradientTransformation, rules: Rules, old: Descent
) -> Tried:
    """Goes on by an optimiser of optax."""
    trial = jax.tree.map(lambda x, dx: x + old.factor.astype(x.dtype) * dx, old.point, old.updates)
    (value, good), gradient = jax.value_and_grad(problem.objective, has_aux=True)(trial)
    good &= _finite(gradient)
    gradient = [jnp.where(good, g, 0) for g in gradient]
    low_enough = value <= old.height + 1e-4 * old.factor * old.fall
    accepted = good & (low_enough | (old.iterations == 0) | (not rules.monotone))
    state, updates = _next(problem, optimiser, rules, old.optimiser, trial, value, gradient)
    updates = [old.stride.astype(u.dtype) * u for u in updates]
    fall = _dot(gradient, updates).astype(value.dtype)

    def if_accepted(new: Any, old: Any) -> Any:
        return jax.tree.map(lambda new, old: jnp.where(accepted, new, old), new, old)

    return Tried(
        point=trial,
        value=value,
        good=good,
        accepted=accepted,
        slope=jnp.max(jnp.stack([jnp.max(jnp.abs(g)) for g in gradient])).astype(value.dtype),
        updates=if_accepted(updates, old.updates),
        fall=if_accepted(fall, old.fall),
        factor=jnp.where(accepted, 1, old.factor * _shorter(old, value)),
        optimiser=if_accepted(state, old.optimiser),
    )


def _back(problem: Problem, optimiser: Optimiser, descent: Descent) -> Descent:
    """The descent begun again at its best point, with shorter steps."""
    return descent._replace(
        point=descent.best,
        height=descent.lowest,
        updates=jax.tree.map(jnp.zeros_like, descent.updates),
        fall=jnp.zeros_like(descent.fall),
        factor=jnp.ones_like(descent.factor),
        stride=0.1 * descent.stride,
        optimiser=_nothing_known(problem, optimiser, descent.best),
        stale=jnp.zeros_like(descent.stale),
        failures=jnp.zeros_like(descent.failures),
    )


def _appreciably_below(reference: Array, rules: Rules) -> Array:
    """What a loss must fall below to be appreciably lower, also where losses are negative."""
    known = jnp.where(jnp.isfinite(reference), reference, 0)
    return jnp.where(jnp.isfinite(reference), known - rules.progress * jnp.abs(known), jnp.inf)


def _next(
    problem: Problem,
    optimiser: optax.GradientTransformation,
    rules: Rules,
    state: Any,
    trial: Free,
    value: Float[Array, ""],
    gradient: Free,
) -> tuple[Any, Any]:
    """The optimiser's state and way on from an accepted point."""
    extended = optax.with_extra_args_support(optimiser)
    known = {
        "value": value,
        "grad": gradient,
        "value_fn": lambda free: problem.objective(free)[0],
    }
    updates, new = extended.update(gradient, state, trial, **known)
    if not rules.monotone:
        return new, updates
    # A direction that does not lead down has a curvature in it that was none: forget the past.
    fresh, begun = extended.update(gradient, optimiser.init(trial), trial, **known)
    down = _dot(gradient, updates) < 0
    return jax.tree.map(lambda x, y: jnp.where(down, x, y), (new, updates), (begun, fresh))


def _shorter(old: Descent, value: Array) -> Array:
    """By how much a step is shortened: to the minimum of the parabola through what is known."""
    step = -old.factor * old.fall
    excess = value - old.height + step
    part = 0.5 * step / jnp.where(excess > 0, excess, 1)
    # Where the slope is beyond floating-point numbers, so is the parabola.
    return jnp.clip(jnp.where(jnp.isnan(part), 0, part), 0.1, 0.5)


def _dot(one: Any, other: Any) -> Array:
    """The product of two lists of arrays."""
    products = [jnp.vdot(x, y) for x, y in zip(one, other, strict=True)]
    return sum(products[1:], products[0])


def _finite(leaves: Free) -> Array:
    return jnp.all(jnp.stack([jnp.all(jnp.isfinite(leaf)) for leaf in leaves]))
