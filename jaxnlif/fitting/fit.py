"""`fit`: find the parameters of a model by gradients."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import lax
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from .._check import check, check_finite, check_integer, check_key, check_positive, is_concrete
from .._fresh import forget_if_changed, holds_traced, remember
from ..integrate.checkpoint import Checkpoint
from ..integrate.progress import AbstractProgress, NoProgress
from ..integrate.solution import Solution
from ..integrate.warning import warning_messages
from .descent import Rules
from .descents import Descents, descend
from .jacobian import jacobian
from .levenberg import LevenbergMarquardt
from .parameters import Parameters, choose
from .problem import Problem, in_one_row, is_number
from .result import Fit, FitResult
from .uncertainty import Uncertainty, estimate

_NOISE_UNKNOWN = (
    "no more residuals than parameters leave the noise unknown; absolute=True takes it as 1"
)
_DEFAULT = optax.chain(optax.scale_by_lbfgs(memory_size=20), optax.scale(-1.0))


def fit(
    model: Any,
    run: Callable[[Any], Any],
    loss: Callable[[Any], Any],
    *,
    where: Any,
    bounds: Any = None,
    optimiser: Any = None,
    steps: int = 200,
    starts: Any = 1,
    spread: float = 0.5,
    key: PRNGKeyArray | None = None,
    tolerance: float | None = None,
    patience: int = 50,
    absolute: Any = False,
    uncertainty: bool = True,
    progress: Any = None,
    checkpoint: Any = None,
) -> Fit:
    r"""Finds the values of some leaves of a model that minimise `loss(run(model))`.

    ```python
    fitted = jn.fit(
        model,
        lambda model: jn.solve(model, solver, y0=y0, t1=5.0, dt=1e-2, throw=False),
        jn.losses.Rate(ts, observed),
        where=lambda model: (model.drive.value, model.noise),
        bounds=(jn.Free(), jn.Positive()),
    )
    ```

    The gradient goes backwards through the run, in bounded memory; a run that fails (blow-up)
    makes the step shorter. One of several starts is compiled as many are, in one `vmap`.

    **Arguments:**

    - `model`: the start, a `Network` or any other pytree.
    - `run`: what is done with a model, usually `solve` with `throw=False` (without that, a run that
      fails ends the fit); a function of stationary rates as well.
    - `loss`: maps what `run` returns to residuals, half of whose squares is minimised, or to one
      number: a loss of `jn.losses` or a function.
    - `where`: picks the leaves to fit, as in `eqx.tree_at`, and does nothing else: it is called
      with names in the places of leaves, too.
    - `bounds`: `Free()`, `Positive()` or `Between(low, high)`, one for all leaves or one for each.
    - `optimiser`: any optax optimiser; by default L-BFGS, with steps that lower the loss. One that
      leads to where no step completes goes on from the best point, in steps a tenth as long. Or
      `LevenbergMarquardt()`, for losses that return residuals.
    - `steps`: the most steps.
    - `starts`: how many descents to make: the first from the model's values, the others from normal
      numbers around them; or the values themselves, as `where` picks them, with a leading axis.
    - `spread`: standard deviation of those numbers in the unbounded coordinates.
    - `key`: random key for them.
    - `tolerance`: of the largest derivative, relative to that at the start, at which a descent has
      arrived; by default $10^{-9}$ in float64 and $10^{-4}$ in float32.
    - `patience`: steps without appreciable progress (a thousandth of the loss) after which a
      descent has converged, or, if runs kept failing meanwhile, found no way on.
    - `absolute`: whether residuals are in units of the noise, so that standard errors are not
      scaled by the residuals that remain; without that there must be more residuals than
      parameters.
    - `uncertainty`: whether to compute standard errors, by forward mode, or by reverse mode where
      the run has that alone.
    - `progress`: for example `ProgressBar("fit")`.
    - `checkpoint`: a `Checkpoint(directory)`, where the fit is written and from which it goes on if
      called again with the same arguments; `steps` may be more.

    **Returns:** a `Fit`, with the best point that was seen, whatever happened; never NaN.

    **Raises:** `ValueError`, before anything compiles, for wrong arguments, a start at or beyond a
    bound, data that do not fit the run, or a loss of one number where the optimiser needs
    residuals; if the directory of the checkpoint holds another fit.
    `OSError` if another process is using it.

    **Reference:** the default optimiser is optax's L-BFGS: D. C. Liu, J. Nocedal, *Math. Program.*
    45:503 (1989); standard errors as in `Uncertainty`.
    """
    if isinstance(optimiser, optax.MultiSteps):
        optimiser = optimiser.gradient_transformation()
    progress = progress or NoProgress()
    _check_arguments(run, loss, optimiser, steps, patience, spread, tolerance, progress, checkpoint)
    check(isinstance(absolute, bool), f"absolute = {absolute!r}: must be True or False")
    check(
        is_concrete(model, starts) and not holds_traced(model, run, loss),
        "model, run, loss: must hold plain numbers; a fit runs on the host, not under jit, grad or "
        "vmap",
    )
    forget_if_changed(model, run, loss)
    parameters = choose(model, where, bounds)
    begun = _starts(parameters, starts, spread, key)
    problem = Problem(parameters, run, loss)
    # Traced with the data as they are, so that they can be held against the run.
    written = jax.eval_shape(lambda: problem.residuals(parameters.start)[0])
    _check_loss(written, optimiser)
    precision = float(jnp.finfo(parameters.start[0].dtype).eps)
    rules = Rules(
        jnp.asarray(tolerance or max(precision**0.6, 1e-9)),
        jnp.asarray(1e-3),
        jnp.asarray(patience, jnp.int32),
        monotone=optimiser is None or isinstance(optimiser, LevenbergMarquardt),
    )
    optimiser = optimiser or _DEFAULT
    found, stopped = descend(problem, optimiser, rules, begun, steps, progress, checkpoint)
    remember(model, run, loss)
    return _gather(
        problem,
        found,
        stopped,
        absolute if uncertainty and not is_number(written) else None,
    )


def _check_arguments(
    run: Any,
    loss: Any,
    optimiser: Any,
    steps: Any,
    patience: Any,
    spread: Any,
    tolerance: Any,
    progress: Any,
    checkpoint: Any,
) -> None:
    for name, function in (("run", run), ("loss", loss)):
        check(callable(function), f"{name} = {function!r}: must be a function")
    check(
        optimiser is None
        or isinstance(optimiser, optax.GradientTransformation | LevenbergMarquardt),
        f"optimiser = {optimiser!r}: must be an optax optimiser such as optax.adam(1e-2), or "
        "LevenbergMarquardt()",
    )
    check_integer("steps", steps, at_least=1)
    check_integer("patience", patience, at_least=1)
    check_positive("spread", spread)
    if tolerance is not None:
        check_positive("tolerance", tolerance)
    check(
        isinstance(progress, AbstractProgress),
        f'progress = {progress!r}: must be one such as ProgressBar("fit")',
    )
    check(
        checkpoint is None or isinstance(checkpoint, Checkpoint),
        f"checkpoint = {checkpoint!r}: must be a Checkpoint, or None",
    )


def _check_loss(written: Any, optimiser: Any) -> None:
    """Requires of the shape of a loss that there is something to minimise, and to differentiate,
    and that it is what the optimiser needs."""
    found = [f"{leaf.dtype}{list(leaf.shape)}" for leaf in jax.tree.leaves(written)]
    check(
        sum(leaf.size for leaf in jax.tree.leaves(written)) > 0
        and all(jnp.issubdtype(leaf.dtype, jnp.floating) for leaf in jax.tree.leaves(written)),
        f"loss: returns {', '.join(found) or written}; must return residuals or one number, "
        "floating-point and not empty",
    )
    check(
        not (isinstance(optimiser, LevenbergMarquardt) and is_number(written)),
        f"loss: returns one number, {', '.join(found)}; must return residuals for optimiser = "
        f"{optimiser!r}, or be minimised by an optax optimiser",
    )


def _starts(
    parameters: Parameters, starts: Any, spread: float, key: PRNGKeyArray | None
) -> list[jax.Array]:
    """The unbounded coordinates of all starts, with a leading axis."""
    # A step makes weakly typed numbers strong, and would be compiled a second time.
    begin = map(jnp.asarray, parameters.free(parameters.start))
    own = [jnp.asarray(x, x.dtype) for x in begin]
    if isinstance(starts, (int, np.integer)):
        num = check_integer("starts", starts, at_least=1)
        if num == 1:
            return [x[None] for x in own]
        check_key(key)
        assert key is not None
        keys = jax.random.split(key, len(own))
        return [
            x + spread * jax.random.normal(k, (num, *x.shape), x.dtype).at[0].set(0)
            for x, k in zip(own, keys, strict=True)
        ]
    given = jax.tree.leaves(starts)
    for x in given:
        check_finite("starts", x)
    shapes = [np.shape(x) for x in given]
    leading = {shape[:1] for shape in shapes}
    check(
        [shape[1:] for shape in shapes] == [x.shape for x in own]
        and len(leading) == 1
        and not leading & {(), (0,)},
        f"starts: shapes {shapes} must be those of the leaves that where picks, "
        f"{[x.shape for x in own]}, after the same leading axis, which is not empty; "
        "or starts an integer",
    )
    values = [jnp.asarray(x, mine.dtype) for x, mine in zip(given, own, strict=True)]
    parameters.check_inside(values)
    return parameters.free(values)


def _gather(
    problem: Problem, found: Descents, stopped: BaseException | None, absolute: bool | None
) -> Fit:
    """The best of the descents, which `stopped` may have cut off."""
    parameters, end, losses = problem.parameters, found.descent, np.stack(found.losses, 1)
    ends = jax.vmap(parameters.values)(end.best)
    best = int(np.argmin(end.lowest))
    values = [x[best] for x in ends]
    result = jax.tree.map(lambda x: x[best], end.result)
    if stopped is not None and not bool(end.ended[best]):
        by_user = isinstance(stopped, KeyboardInterrupt)
        result = FitResult.interrupted if by_user else FitResult.no_way_on
    failed = np.asarray(
        (end.result == FitResult.start_failed) | (end.result == FitResult.no_way_on)
    )
    at_bound = () if bool(failed[best]) else _at_bound(problem, values)
    uncertainty = None
    if absolute is not None and bool(np.isfinite(end.lowest[best])):
        uncertainty = _uncertainty(problem, values, absolute=absolute)
    message = FitResult[result]
    if uncertainty is not None and not np.isfinite(uncertainty.noise):
        message += f"; no standard errors: {_NOISE_UNKNOWN}"
    if at_bound:
        message += f"; at a bound: {', '.join(at_bound)}"
    if not bool(failed[best]):
        message += "".join(f"; {text}" for text in _doubts(problem, values))
    structure = jax.tree.structure(parameters.where(parameters.model))
    trace = losses[best]
    return Fit(
        model=parameters.with_values(values),
        values=jax.tree.unflatten(structure, values),
        names=parameters.names,
        loss=trace[~np.isnan(trace)],
        result=result,
        message=message,
        at_bound=at_bound,
        uncertainty=uncertainty,
        losses=losses,
        ends=jax.tree.unflatten(structure, ends),
        completed=~failed,
        best=best,
    )


def _doubts(problem: Problem, values: list) -> Iterator[str]:
    """What the best run warns of, if it is a `Solution`."""
    output = problem.run(problem.parameters.with_values(values))
    if isinstance(output, Solution):
        yield from dict.fromkeys(
            text for member in output.members() for text in warning_messages(member)
        )


def _at_bound(problem: Problem, values: list) -> tuple[str, ...]:
    """The names of the numbers that have come to a bound, and that the loss drives there."""
    parameters = problem.parameters
    near = parameters.near_bound(values)
    if near.size == 0:
        return ()
    driven = np.asarray(_driven(problem, values, near))
    return tuple(parameters.names[k] for k in near[driven])


@eqx.filter_jit
def _driven(
    problem: Problem, values: list[Array], places: Int[Array | np.ndarray, " k"]
) -> Bool[Array, " k"]:
    """Whether the loss is no larger half as far from the bound, for each of these numbers alone."""
    parameters = problem.parameters
    row, nearer = (parameters.flat(x) for x in (values, parameters.nearer_bound(values)))

    def loss(row: Float[Array, " p"]) -> Float[Array, ""]:
        return problem.value(parameters.unflat(row))[0]

    here = loss(row)
    return lax.map(lambda k: loss(row.at[k].set(nearer[k])) <= here, jnp.asarray(places))


def _uncertainty(problem: Problem, values: list, *, absolute: bool) -> Uncertainty:
    parameters = problem.parameters
    row = parameters.flat(values)
    residuals, derivative = _linearised(problem, row)
    return estimate(
        np.asarray(derivative),
        np.asarray(residuals),
        parameters.sizes(values),
        parameters.names,
        absolute=absolute,
    )


@eqx.filter_jit
def _linearised(problem: Problem, row: Float[Array, " p"]) -> tuple[Array, Array]:
    """The residuals in one row, and the derivatives of predictions in units of the noise."""

    def both(row: Float[Array, " p"]) -> tuple[Float[Array, " r"], Float[Array, " r"]]:
        deviations, residuals = problem.in_deviations(problem.parameters.unflat(row))
        return in_one_row(deviations), in_one_row(residuals)

    derivative, residuals = jacobian(both, row)
    return residuals, derivative
