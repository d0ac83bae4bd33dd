r"""Levenberg–Marquardt: damped Gauss–Newton steps on residuals.

From a point with residuals r and Jacobian J the step δ minimises $|r + Jδ|^2 + λ|δ|^2$ in the
unbounded coordinates. What the step was to gain is compared with what it gained: the damping λ is
divided by 3.5 if they agree, and multiplied by 4, from the same point, if it gained next to
nothing or the run failed.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from .._check import check_positive, check_scalar
from .._module import Module
from .jacobian import jacobian
from .problem import Free, Problem, Tried, huge, in_one_row


class LevenbergMarquardt(Module):
    r"""An optimiser of `fit` for losses that return residuals.

    Steps are those of `optimistix.LevenbergMarquardt`, damped Gauss–Newton steps solved by QR: near
    a minimum with small residuals each step squares the error. An iteration makes one Jacobian: by
    forward mode where there are no more parameters than residuals, by reverse mode otherwise; of a
    run that has one mode alone, as spike times have reverse mode, by that. A run that fails
    (blow-up, residuals that are no numbers) makes the next step shorter.

    **Arguments:** `damping`: at the start, as a part of the largest squared column of the Jacobian
    (dimensionless): small for steps of Gauss–Newton at once, up to 1 for short ones.

    **Raises:** `ValueError` unless it is a positive number.

    **Reference:** D. W. Marquardt, *SIAM J. Appl. Math.* 11:431 (1963); N. I. M. Gould et al.,
    *4OR* 3:227 (2005), for the factors by which the damping changes.
    """

    damping: float = eqx.field(static=True)

    def __init__(self, damping: float | int = 1e-3):
        check_scalar("damping", damping)
        check_positive("damping", damping)
        self.damping = float(damping)


class Memory(NamedTuple):
    """What a descent knows at its point.

    - `residuals`, `jacobian`: there, of unbounded coordinates in a row.
    - `unit`: in which both are measured, so that the damping is 1 at the start.
    - `search`: of optimistix, the reciprocal of the damping.
    - `length`: of the step that was proposed when the point was accepted.
    """

    residuals: Float[Array, " r"]
    jacobian: Float[Array, "r p"]
    unit: Float[Array, ""]
    search: Any
    length: Float[Array, ""]


def nothing_known(problem: Problem, start: Free) -> Memory:
    """The memory at a start that was not looked at."""
    row = _row(start)
    residuals = jax.eval_shape(_residuals(problem, start), row)[0]
    one = jnp.ones((), residuals.dtype)
    zeros, derivative = (jnp.zeros((residuals.size, *n), one.dtype) for n in ((), (row.size,)))
    search = _solver().search.init(row, _at(zeros, derivative, one))
    search = jax.tree.map(lambda x: x.astype(one.dtype), search)
    return Memory(zeros, derivative, one, search, one)


def try_next(
    problem: Problem,
    optimiser: LevenbergMarquardt,
    first: Bool[Array, ""],
    point: Free,
    updates: Free,
    memory: Memory,
) -> Tried:
    """Tries the point that the updates lead to, and finds the way on from the one that is kept."""
    solver, old, dtype = _solver(), memory, memory.unit.dtype
    eps, step = float(jnp.finfo(dtype).eps), _row(updates).astype(dtype)
    trial = jax.tree.map(jnp.add, point, updates)
    derivative, (residuals, completed) = jacobian(_residuals(problem, point), _row(trial))
    derivative = derivative.astype(dtype)
    value = 0.5 * jnp.sum(residuals**2)
    good = completed & jnp.isfinite(value) & jnp.all(jnp.isfinite(derivative))
    # A failed run is taken for one with a larger loss.
    residuals = jnp.where(good, residuals, 2 * jnp.abs(old.residuals) + 1)
    derivative = jnp.where(good, derivative, 0)

    largest = jnp.sqrt(optimiser.damping * jnp.max(jnp.sum(derivative**2, axis=0)))
    unit = jnp.where(first, jnp.where(largest > 0, largest, 1), old.unit)
    here, there = _at(old.residuals, old.jacobian, unit), _at(residuals, derivative, unit)
    _, accepted, _, search = solver.search.step(
        first, jnp.zeros_like(step), step, here, there, old.search
    )
    accepted &= good
    # A smaller damping than rounding would take as many failures to come back from.
    search = jax.tree.map(lambda size: jnp.minimum(size, 1 / eps), search)
    (size,) = jax.tree.leaves(search)
    kept = jax.tree.map(lambda new, old: jnp.where(accepted, new, old), there, here)
    way = solver.descent.query(step, kept, solver.descent.init(step, kept))
    change, _ = solver.descent.step(size, way)

    length = jnp.linalg.norm(change)
    shortened = length / jnp.where(old.length > 0, old.length, 1)
    gain = -solver.search.predict_reduction(change, kept)
    hopeless = gain <= eps * 0.5 * jnp.sum(kept.residual**2)
    slopes = unit * kept.residual @ (unit * kept.jac.as_matrix())
    return Tried(
        point=trial,
        value=jnp.where(good, value, huge(value.dtype)),
        good=good,
        accepted=accepted,
        slope=jnp.max(jnp.abs(slopes)),
        updates=_leaves(change, point),
        fall=jnp.zeros_like(value),
        factor=jnp.where(hopeless, 0, jnp.where(accepted, 1, shortened)),
        optimiser=Memory(
            residuals=jnp.where(accepted, residuals, old.residuals),
            jacobian=jnp.where(accepted, derivative, old.jacobian),
            unit=unit,
            search=search,
            length=jnp.where(accepted, length, old.length),
        ),
    )


def _solver() -> Any:
    import optimistix  # only here: it takes as long to import as a short fit

    return optimistix.LevenbergMarquardt(rtol=0.0, atol=0.0)  # `fit` says when it ends


def _at(residuals: Array, derivative: Array, unit: Array) -> Any:
    """Residuals and Jacobian as optimistix takes them."""
    import lineax
    import optimistix

    operator = lineax.MatrixLinearOperator(derivative / unit)
    return optimistix.FunctionInfo.ResidualJac(residuals / unit, operator)


def _residuals(problem: Problem, like: Free) -> Any:
    """The residuals at coordinates in a row, and again, with whether the run completed."""

    def function(row: Float[Array, " p"]) -> tuple[Array, tuple[Array, Array]]:
        values = problem.parameters.values(_leaves(row, like))
        residuals, completed = problem.residuals(values)
        residuals = in_one_row(residuals)
        return residuals, (residuals, completed)

    return function


def _row(free: Free) -> Float[Array, " p"]:
    return jnp.concatenate([jnp.ravel(leaf) for leaf in free])


def _leaves(row: Float[Array, " p"], like: Free) -> Free:
    """The leaves, in shapes and types of these, that a row stands for."""
    ends = [sum(leaf.size for leaf in like[: k + 1]) for k in range(len(like) - 1)]
    parts = jnp.split(row, ends)
    return [x.reshape(y.shape).astype(y.dtype) for x, y in zip(parts, like, strict=True)]
