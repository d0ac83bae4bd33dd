"""A run under `jit`, `grad`, `jvp` and `vmap`."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, PRNGKeyArray

from ..machine.layout import AbstractLayout
from ..model import Network
from .chunk import Fn, Span
from .errors import raise_on_derivatives, raise_on_early_end
from .record import Passage, Step, close, gather, record, running
from .result import Result
from .run import Run
from .scan import checkpointed_scan
from .solution import Solution
from .solver import AbstractSolver


class _Plan(NamedTuple):
    """How a scan is laid out: all that sets its shape, and the layout of its arrays.

    `longest` stretch between saves, in steps; `block` of steps and `stretches` of a block, for
    reverse mode; whether the initial and the last state are saved, and states between steps.
    """

    longest: int
    block: int | None
    stretches: int | None
    at_start: bool
    at_end: bool
    between: bool
    layout: AbstractLayout


def run_traced(
    run: Run, store_every: int | None, throw: bool | None, valid: Bool[Array, ""] | None
) -> Solution:
    """One scan over the stretches between saves, in each a scan over steps: all that compiles.

    Stretches are as long as the longest; the steps that a shorter one has not are skipped, which
    under `vmap` costs as much as making them: equally spaced saves are the cheapest.

    **Arguments:** `store_every` and `throw`, as in `solve`; `valid`, whether what is traced passed
    the checks, `None` where nothing was left to check.
    """
    model, solver, y0, saves, num_steps = run.model, run.solver, run.y0, run.saves, run.steps
    t0, dt = jnp.asarray(run.t0), jnp.asarray(run.dt)
    at_start, at_end = saves.steps[0] == 0, saves.steps[-1] == num_steps
    later = saves.steps > 0
    stops, parts = saves.steps[later].astype(np.int32), saves.parts[later]
    if not at_end:
        stops, parts = np.append(stops, np.int32(num_steps)), np.append(parts, parts.dtype.type(1))
    longest = int(np.max(np.diff(stops, prepend=0)))
    # Blocks lie within stretches, or, where those are short, hold several: reverse mode repeats
    # every step once, and a step stores about two states.
    block = max(1, store_every or math.isqrt(longest * len(stops) // 2))
    block, stretches = (None, block // longest) if block >= longest else (block, None)
    ends = bool(at_start), bool(at_end)
    plan = _Plan(longest, block, stretches, *ends, saves.between, run.layout)
    arguments = model, solver, run.fn, y0, run.key, (t0, dt), stops, parts, valid
    state, saved, stats, steps, result = _run(*arguments, plan)
    with jax.ensure_compile_time_eval():  # known, so that data can be held against them
        ts = jnp.asarray(saves.times)
    found = state, saved, stats, solver.reached(state, t0 + steps * dt)
    if throw is None:
        stopped = stats["differentiable_from"] > t0
        found = raise_on_derivatives(found, (model, y0), result, stopped)
    elif throw:
        found = raise_on_early_end(found, result)
    state, saved, stats, t_end = found
    closing, logs = (result, stats), solver.logs(state)
    return gather(run, state, closing, saved, ts, t_end, dt, steps, logs)


# As a whole also where only `grad` or `vmap` trace, and once for all values.
@eqx.filter_jit
def _run(
    model: Network,
    solver: AbstractSolver,
    fn: Fn,
    y0: Any,
    key: PRNGKeyArray | None,
    span: Span,
    stops: Any,
    parts: Any,
    valid: Any,
    plan: _Plan,
) -> Any:
    """The last state, what was saved, what the last state says, the steps made, and the result."""
    solver = plan.layout.applied(solver)
    t0, dt = span

    def to_stop(carry: Any, save: Any) -> tuple[Any, Any]:
        stop = stops[save]

        def step(carry: Any, _: Array) -> tuple[Any, None]:
            passage, n = carry

            def go(passage: Any) -> tuple[Any, Any]:
                state = solver.step(model, t0 + n * dt, dt, passage.after)
                return passage.to(state), n + 1

            going = (n < stop) & running(solver, passage.after)
            going = going if valid is None else going & valid
            return lax.cond(going, go, lambda passage: (passage, n), passage), None

        carry, _ = checkpointed_scan(step, carry, jnp.arange(plan.longest), block=plan.block)
        # What ended before is repeated as it was at the end.
        part = jnp.where(carry[1] == stop, parts[save], 1)
        last = Step(model, t0 + (carry[1] - 1) * dt, dt)
        return carry, record(solver, fn, carry[0], part, last)

    initial = solver.start(model, t0, dt, solver.init(model, t0, y0, key))
    begin = Passage.begin(initial, between=plan.between), jnp.zeros((), jnp.int32)
    every = jnp.arange(len(stops))
    (passage, steps), saved = checkpointed_scan(to_stop, begin, every, block=plan.stretches)
    state = passage.after
    if plan.at_start:
        first = Passage.begin(initial, between=False)
        first = record(solver, fn, first, jnp.ones_like(t0))
        saved = jax.tree.map(lambda one, every: jnp.append(one[None], every, 0), first, saved)
    if not plan.at_end:
        saved = jax.tree.map(lambda every: every[:-1], saved)
    result, stats = close(solver, state)
    if valid is not None:
        result = Result.where(valid, result, Result.invalid_argument)
    return state, saved, stats, steps, result
