"""One descent by an optax optimiser: an evaluation per iteration, a step back where runs fail."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Bool, Float, Int

from ..integrate.result import Result
from ..integrate.solution import Solution
from .parameters import Parameters
from .result import FitResult

Free = list[Array]
_SHORTEST = 1e-8


class Problem(eqx.Module):
    """What is minimised: `loss(run(model))` over the free leaves of a model."""

    parameters: Parameters
    run: Callable[[Any], Any]
    loss: Callable[[Any], Any]

    def residuals(self, values: list[Array]) -> tuple[Any, Bool[Array, ""]]:
        """The loss as it was written, and whether the run completed."""
        output = self.run(self.parameters.with_values(values))
        completed = jnp.ones((), bool)
        if isinstance(output, Solution):
            completed = jnp.all(output.result == Result.completed)
        return jax.tree.map(jnp.asarray, self.loss(output)), completed

    def in_deviations(self, values: list[Array]) -> tuple[Any, Any]:
        """What has the derivatives of predictions in units of their noise, and the residuals.

        The first are the residuals too, unless the loss has an `in_deviations`, as where the noise
        follows from the prediction."""
        output = self.run(self.parameters.with_values(values))
        losses = getattr(self.loss, "in_deviations", self.loss), self.loss
        deviations, residuals = (jax.tree.map(jnp.asarray, loss(output)) for loss in losses)
        return deviations, residuals

    def objective(self, free: Free) -> tuple[Float[Array, ""], Bool[Array, ""]]:
        """The number to minimise, and whether it is one that a completed run gave."""
        return self.value(self.parameters.values(free))

    def value(self, values: list[Array]) -> tuple[Float[Array, ""], Bool[Array, ""]]:
        """The same for values within the bounds."""
        residuals, completed = self.residuals(values)
        value = as_number(residuals)
        good = completed & jnp.isfinite(value)
        return jnp.where(good, value, _huge(value.dtype)), good


def is_number(residuals: Any) -> bool:
    """Whether a loss is one number to be minimised, and not residuals."""
    leaves = jax.tree.leaves(residuals)
    return len(leaves) == 1 and leaves[0].ndim == 0


def as_number(residuals: Any) -> Float[Array, ""]:
    """Half the sum of squares of residuals, or the number that a loss is."""
    if is_number(residuals):
        return jax.tree.leaves(residuals)[0]
    return jnp.asarray(0.5) * sum(jnp.sum(leaf**2) for leaf in jax.tree.leaves(residuals))


def _huge(dtype: np.dtype) -> float:
    """A loss beyond every other, of which an optimiser can still compute."""
    return float(jnp.finfo(dtype).max) ** 0.25


class Rules(eqx.Module):
    """How a descent goes on, and when it ends.

    - `tolerance`: it ends at a largest derivative that many times that at the start.
    - `progress`, `patience`: it ends if the best loss fell by less than `progress` times its
      magnitude within `patience` iterations.
    - `monotone`: whether the loss must fall (Armijo's rule), for optimisers that choose directions
      rather than steps.
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


def begin(problem: Problem, optimiser: optax.GradientTransformation, start: Free) -> Descent:
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
        optimiser=optimiser.init(start),
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


def iterate(
    problem: Problem, optimiser: optax.GradientTransformation, rules: Rules, old: Descent
) -> Descent:
    """Tries the next point. The optimiser goes on from it; if the run fails there, or the loss does
    not fall where it must, a shorter step is tried in the next iteration."""
    trial = jax.tree.map(lambda x, dx: x + old.factor.astype(x.dtype) * dx, old.point, old.updates)
    (value, good), gradient = jax.value_and_grad(problem.objective, has_aux=True)(trial)
    good &= _finite(gradient)
    gradient = [jnp.where(good, g, 0) for g in gradient]
    first = old.iterations == 0
    low_enough = value <= old.height + 1e-4 * old.factor * old.fall
    accepted = good & (low_enough | first | (not rules.monotone))

    state, updates = _next(problem, optimiser, rules, old.optimiser, trial, value, gradient)
    updates = [old.stride.astype(u.dtype) * u for u in updates]
    slope = jnp.max(jnp.stack([jnp.max(jnp.abs(g)) for g in gradient])).astype(value.dtype)
    slope_at_start = jnp.where(first, slope, old.slope)
    better = good & (value < old.lowest)
    lowest = jnp.where(better, value, old.lowest)
    fell = lowest < _appreciably_below(old.reference, rules)
    stale = jnp.where(fell, 0, old.stale + 1)
    failures = jnp.where(fell, 0, old.failures + ~good)
    factor = jnp.where(accepted, 1, old.factor * _shorter(old, value))

    flat = factor < _SHORTEST
    vanished = accepted & (slope <= rules.tolerance * slope_at_start)
    settled = (good & (stale >= rules.patience)) | (good & flat)
    stuck = (~good & flat) | (accepted & ~_finite(updates))
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

    def if_accepted(new: Any, old: Any) -> Any:
        return jax.tree.map(lambda new, old: jnp.where(accepted, new, old), new, old)

    fall = _dot(gradient, updates)
    best = jax.tree.map(lambda new, old: jnp.where(better, new, old), trial, old.best)
    new = Descent(
        point=if_accepted(trial, old.point),
        height=height,
        updates=if_accepted(updates, old.updates),
        fall=if_accepted(fall.astype(value.dtype), old.fall),
        factor=factor,
        stride=old.stride,
        optimiser=if_accepted(state, old.optimiser),
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
    again = _back(optimiser, new)
    new = jax.tree.map(lambda there, here: jnp.where(back, there, here), again, new)
    # Once ended a descent stays as it is, in the types that it began with.
    return jax.tree.map(
        lambda new, same: jnp.where(old.ended, same, new).astype(same.dtype), new, old
    )


def _back(optimiser: optax.GradientTransformation, descent: Descent) -> Descent:
    """The descent begun again at its best point, with shorter steps."""
    return descent._replace(
        point=descent.best,
        height=descent.lowest,
        updates=jax.tree.map(jnp.zeros_like, descent.updates),
        fall=jnp.zeros_like(descent.fall),
        factor=jnp.ones_like(descent.factor),
        stride=0.1 * descent.stride,
        optimiser=optimiser.init(descent.best),
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
