r"""`Adaptive`: steps whose length follows an estimate of their error.

Steps come in pairs of equal length h. A third step of 2h, from the same density, differs from the
pair by $2^q - 1$ times the local error of the pair, with q the order of the scheme: it decides how
long the next pair is, and whether this one is repeated. A second run in steps of 2h, that is made
beside and never corrected, differs by as many times the error of the whole run.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any, ClassVar, NamedTuple

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from .. import _tolerance
from .._check import check, check_positive, check_scalar, known, shown
from .._sum import Sum
from ..integrate.loop import bounded_while
from ..integrate.result import Result
from ..integrate.scan import remember
from ..model import Network
from ..model._leaf import as_leaf
from .control import Control
from .pairs import Stepped, searched
from .state import DensityState
from .step_size import AbstractStepSize, Situation, check_max_substeps
from .voltage import frozen

_BRIEF = 0.01  # membrane times
_LEAST = 1e-3  # of a step of the run


class Adaptive(AbstractStepSize):
    r"""Steps as long as their error allows, which is estimated.

    A step is repeated with a shorter one where the local error of the network rate, of any
    population, exceeds a tenth of `atol + rtol * rate`, or that of the density, in the mean
    ($∫∫|δp|$), a tenth of `atol + rtol`: local errors of a membrane time or so add up to what the
    tolerance says. The `dt` of `solve` is the longest pair of steps: take it no longer than what
    happens in the drive lasts. The steps end at the jumps that the drive declares, and begin anew
    there.

    The error of the whole run is estimated by a second one in steps of twice the length:
    `sol.stats["rate_error"]` at the end, `["largest_rate_error"]` of all steps until then; and
    `["accepted_steps"]`, `["rejected_steps"]`. An accepted pair of steps takes four linear solves,
    a rejected one three: `["substeps"]` counts them all.

    Derivatives are those with the steps held as they were chosen.

    **Arguments:**

    - `rtol`: relative tolerance of rate and density (dimensionless); at least 6e-5 in single and
      2e-11 in double precision.
    - `atol`: absolute tolerance of the rate (spikes / neuron / membrane time), and of the density.
    - `max_substeps`: the most linear solves in a step of the run.

    **Raises:** `ValueError` if a tolerance is not positive, or `max_substeps` is not an integer
    from 1 to 10 000.

    **Reference:** the controller is the proportional-integral one of K. Gustafsson, *ACM Trans.
    Math. Softw.* 17:533 (1991), with the constants of diffrax; the estimates are by step doubling.
    """

    rtol: Float[Array, ""] = eqx.field(converter=partial(as_leaf, "rtol"))
    atol: Float[Array, ""] = eqx.field(converter=partial(as_leaf, "atol"))
    max_substeps: int = eqx.field(static=True, default=10_000, kw_only=True)
    divides: ClassVar[bool] = True
    share: ClassVar[float] = 0.1  # of a tolerance, in a pair of steps

    def __check_init__(self):
        for name, value in (("rtol", self.rtol), ("atol", self.atol)):
            check_scalar(name, value)
            check_positive(name, value)
        check_max_substeps(self.max_substeps)

    def validate(self, solver: Any, model: Network) -> None:
        check(
            solver.scheme.order > 1,
            "step_size: Adaptive needs a scheme of second order in time; take scheme=BDF2()",
        )
        synapse = model.connections
        # What these remember are whole steps of the run.
        for name, has in (
            ("events", solver.events is not None),
            ("delay", synapse.delayed),
            ("refractory", model.rest.rests),
            ("adaptation", model.adaptation is not None),
        ):
            check(not has, f"{name}: not followed by Adaptive steps; leave out step_size")
        smallest = {
            "rtol": 10 * _tolerance.coupling(solver.dtype),
            "atol": float(jnp.finfo(solver.dtype).eps),
        }
        for name, least in smallest.items():
            value = getattr(self, name)
            rule = f"must be at least {least:.2g}, the rounding of {solver.dtype}"
            check(known(value) >= least, f"{shown(name, value)}: {rule}")

    def first(self, model: Network, dt: Float[Array, ""]) -> Float[Array, ""]:
        return jnp.clip(self.brief(model, dt), _LEAST * dt, dt)

    def brief(self, model: Network, dt: Float[Array, ""]) -> Float[Array, ""]:
        """The time over which rates are averaged in shorter steps.

        **Arguments:** `model`: what is solved; `dt`: the step of the run (learning time).

        **Returns:** a time, 0 in the quasi-static limit (learning time).
        """
        return _BRIEF * model.epsilon * jnp.min(jnp.asarray(model.membrane_time, dt.dtype))

    def started(self, state: DensityState, t: Array, longest: Array) -> DensityState:
        return replace(state, control=Control.begin(t, longest, replace(state, control=None)))

    def longest(self, situation: Situation) -> Float[Array, ""]:
        return situation.dt

    def usual(self, situation: Situation) -> Float[Array, "..."]:
        return jnp.zeros_like(situation.dt)

    def cover(
        self, solver: Any, model: Network, t: Array, dt: Array, arriving: Any, state: DensityState
    ) -> tuple[DensityState, Float[Array, " w"]]:
        stepped = Stepped(self, solver, model, t, dt, arriving)
        state, fired, control = _covered(stepped, state)
        return replace(state, control=frozen(control)), fired


@eqx.filter_custom_jvp
def _covered(
    stepped: Stepped, state: DensityState
) -> tuple[DensityState, Float[Array, " w"], Control]:
    """The state after a step of the run but for its control, what has fired, and that control."""
    end = searched(stepped, state, record=False)
    return _ended(stepped, end.begin, end.done), end.total.total, end.control


@_covered.def_jvp
def _covered_jvp(primals: Any, tangents: Any) -> tuple[Any, Any]:
    """The same steps once more, now that their lengths are known."""
    end = searched(*frozen(primals), record=True)
    chosen, control = remember(end.chosen), end.control

    def repeated(stepped: Stepped, state: DensityState) -> Any:
        nothing = stepped.begin(), Sum.zero(state.rates), jnp.zeros((), jnp.int32)
        begin = _Repeated(replace(state, control=None), *nothing)
        arguments = stepped, chosen
        loop = partial(bounded_while, most=2 * chosen.size, often_one=False)
        last = loop(arguments, begin, unfinished=_unfinished, body=_step)
        return _ended(stepped, last.state, last.done), last.fired.total, control

    return eqx.filter_jvp(repeated, primals, tangents)


class _Repeated(NamedTuple):
    """How far the repetition is: as `Progress`, by single steps."""

    state: DensityState
    done: Sum
    fired: Sum
    steps: Int[Array, ""]


def _unfinished(arguments: Any, progress: _Repeated) -> Array:
    stepped, chosen = arguments
    within = (progress.done.total < stepped.dt) & (progress.steps < 2 * chosen.size)
    return within & (progress.state.result == Result.completed)


def _step(arguments: Any, progress: _Repeated) -> _Repeated:
    stepped, chosen = arguments
    state, done, fired, steps = progress
    pair, half = stepped.pair(done, chosen[steps // 2]), steps % 2
    state, new = stepped.part(done, pair, half, state)
    done = Sum(*(jnp.where(half == 1, new, old) for new, old in zip(pair.done, done, strict=True)))
    return _Repeated(state, done, fired.plus(new), steps + 1)


def _ended(stepped: Stepped, state: DensityState, done: Sum) -> DensityState:
    """The state at the end, with its result."""
    unfinished = (done.total < stepped.dt) & (state.result == Result.completed)
    result = Result.where(unfinished, Result.tolerance_not_met, state.result)
    return replace(state, result=result)
