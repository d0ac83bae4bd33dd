"""`solve`: check the arguments, run the loop, gather the solution."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.typing import ArrayLike
from jaxtyping import Array, PRNGKeyArray

from .._check import check, check_finite, check_positive, check_scalar, is_concrete
from ..model import Network
from . import saveat as saveat_module
from .progress import AbstractProgress, NoProgress
from .refusal import refuse_derivatives, refuse_early_end
from .result import Interrupted, Result, SolveError
from .saveat import SaveAt
from .scan import checkpointed_scan
from .solution import Solution
from .solver import AbstractSolver

_SECONDS_PER_CHUNK = 0.2
_BYTES_PER_CHUNK = 2**24


def solve(
    model: Any,
    solver: AbstractSolver,
    *,
    y0: Any,
    t0: ArrayLike = 0.0,
    t1: ArrayLike,
    dt: ArrayLike,
    saveat: SaveAt | None = None,
    key: PRNGKeyArray | None = None,
    progress: AbstractProgress | None = None,
    checkpoint: int | None = None,
    throw: bool | None = None,
) -> Solution:
    r"""Solves a network from `t0` to `t1`.

    Called plainly, the loop runs in compiled chunks from the host: progress is shown, Ctrl-C
    raises `Interrupted` with what was saved so far as its `.solution`, and new
    parameters or times at equal shapes never recompile. Under `jit`, `grad`, `jvp` or `vmap` it is
    one nested scan, in forward and in reverse mode.

    **Arguments:**

    - `model`: what to solve, a `Network`.
    - `solver`: how, for example `FluxShift(grid)`.
    - `y0`: initial state, for `FluxShift` a density of mass 1, shape `(v, w)`.
    - `t0`, `t1`: first and last time (slow time: units of the learning time, which for $ε = 1$ is
      the membrane time).
    - `dt`: longest step (slow time); steps are `t1 - t0` divided by the next whole number.
    - `saveat`: what is saved and when; 101 equally spaced times by default.
    - `key`: random key, for solvers that draw numbers.
    - `progress`: for example `ProgressBar()`.
    - `checkpoint`: steps between the states that reverse mode stores, and repeats from; by default
      the square root of half their number, which makes memory grow as that root too.
    - `throw`: whether a run that does not complete raises an error. By default it does where it is
      differentiated, as does a derivative across an event or a switch, which would be wrong; the
      value alone comes with a `Solution.result`. `False` never raises, `True` always does.

    **Raises:** `ValueError`, before anything compiles, naming the argument, its value and the rule;
    as `throw` says, `SolveError`, or, from compiled code, `eqx.EquinoxRuntimeError`.
    """
    saveat = SaveAt(num=101) if saveat is None else saveat
    progress = NoProgress() if progress is None else progress
    for name, value, kind, rule in (
        ("saveat", saveat, SaveAt, "must be a SaveAt"),
        ("progress", progress, AbstractProgress, "must be a progress display, as ProgressBar()"),
        ("solver", solver, AbstractSolver, "must be a solver such as FluxShift(grid)"),
        ("model", model, Network, "must be a Network"),
    ):
        if not isinstance(value, kind):
            raise ValueError(f"{name} = {value!r}: {rule}")
    num_steps = _count_steps(t0, t1, dt)
    save_steps = saveat.steps(float(t0), float(t1), num_steps)
    solver.validate(model, y0, (float(t1) - float(t0)) / num_steps, key)
    model = _cast(model, solver.dtype)
    span = tuple(np.asarray(x, solver.dtype) for x in (t0, (float(t1) - float(t0)) / num_steps))
    # Inside jit the sum is traced even where no argument is.
    if is_concrete(model, y0, key, jnp.asarray(span[0]) + 0):
        bar = progress.start(num_steps)
        try:
            solution = _run_from_host(
                model, solver, saveat, y0, key, span, save_steps, num_steps, bar
            )
        finally:
            bar.close()
        if throw and solution.result != Result.completed:
            raise SolveError(f"t = {float(solution.t_end):g}: {Result[solution.result]}")  # pyright: ignore
        return solution
    return _run_traced(
        model, solver, saveat, y0, key, span, save_steps, num_steps, checkpoint, throw
    )


def _count_steps(t0, t1, dt) -> int:
    for name, value in (("t0", t0), ("t1", t1), ("dt", dt)):
        check(
            is_concrete(value),
            f"{name}: must be a plain number, also under jit, because it sets the number of steps",
        )
        check_scalar(name, value)
        check_finite(name, value)
    check_positive("dt", dt)
    check(float(t1) > float(t0), f"t1 = {t1}: must exceed t0 = {t0}")
    steps = (float(t1) - float(t0)) / float(dt) * (1 - 1e-12)
    check(steps < 2**31 - 2, f"dt = {dt}: gives {steps:.3g} steps, more than can be counted")
    return max(1, math.ceil(steps))


def _cast(model: Any, dtype: np.dtype) -> Any:
    """Floating-point leaves in the dtype of the run, so that new values never recompile."""

    def cast(leaf):
        inexact = isinstance(leaf, float) or eqx.is_inexact_array(leaf)
        return jnp.asarray(leaf, dtype) if inexact else leaf

    return jax.tree.map(cast, model)


class _Saved(eqx.Module):
    """Everything that is saved at one time, or, stacked, at all of them."""

    rate: Array
    rates: Array
    weights: Array
    spikes: Array
    refractory: Array
    regime: Array
    mass: Array
    minimum: Array
    extra: Any


def _look(solver: AbstractSolver, fn: Callable[..., Any] | None, state: Any) -> _Saved:
    seen = solver.observe(state)
    return _Saved(
        rate=seen.rate,
        rates=seen.rates,
        weights=seen.weights,
        spikes=seen.spikes,
        refractory=seen.refractory,
        regime=seen.regime,
        mass=solver.grid.mass(seen.density) + seen.refractory,
        minimum=jnp.min(seen.density),
        extra=None if fn is None else fn(seen),
    )


def _running(solver: AbstractSolver, state: Any) -> Array:
    return solver.result(state) == Result.completed


def _close(solver: AbstractSolver, state: Any) -> tuple[Result, dict[str, Array]]:
    """What the last state says about the run."""
    stats = {"differentiable_from": solver.differentiable_from(state)}
    return solver.result(state), stats | solver.iterations(state)


def _gather(model, solver, saveat, state, closing, saved: _Saved, ts, t_end, steps) -> Solution:
    result, stats = closing
    drift = abs(saved.mass - saved.mass[0]).max()
    stats = {
        "mass_drift": drift,
        "minimum": saved.minimum.min(),
        "steps": steps,
        **stats,
    }
    saved = jax.tree.map(jnp.asarray, saved)
    return Solution(
        ts=ts,
        rate=saved.rate,
        rates=saved.rates,
        weights=saved.weights,
        spikes=saved.spikes,
        refractory=saved.refractory,
        regime=saved.regime,
        saved=saved.extra,
        result=result,
        t_end=t_end,
        stats=stats,
        logs=solver.logs(state),
        state=state,
        model=model,
        solver=solver,
        holds_density=saveat.fn is saveat_module.density,
    )


def _times(span, steps: np.ndarray) -> np.ndarray:
    """The times of steps; in NumPy, because JAX would compile the sum."""
    t0, dt = span
    return t0 + steps.astype(t0.dtype) * dt


# ---- from the host ---------------------------------------------------------------------------


class _Chunk(eqx.Module):
    """The state after `step` steps, and what was saved since the chunk began."""

    state: Any
    step: Array
    count: Array
    saved: _Saved


@eqx.filter_jit
def _begin(model, solver, fn, y0, key, t0) -> tuple[Any, _Saved]:
    """The first state, and what is saved of it: of every save's size."""
    state = solver.init(model, t0, y0, key)
    return state, _look(solver, fn, state)


_finish = eqx.filter_jit(_close)


@eqx.filter_jit
def _advance(
    model, solver, fn, span, state, step, stop, save_steps, room: int
) -> tuple[_Chunk, Array]:
    """Steps up to `stop`, or until `room` saves are made; returns whether the run can go on."""
    t0, dt = span

    def to_next_save(chunk: _Chunk):
        target = jnp.minimum(save_steps[chunk.count], stop)
        state, n = solver.advance(model, t0, dt, chunk.state, chunk.step, target)
        # A chunk may end between two saves: what it writes then is not counted.
        saved = jax.tree.map(
            lambda every, one: every.at[chunk.count].set(one),
            chunk.saved,
            _look(solver, fn, state),
        )
        due = (n == save_steps[chunk.count]) & _running(solver, state)
        return _Chunk(state, n, chunk.count + due, saved)

    def unfinished(chunk: _Chunk):
        more = (chunk.step < stop) | (save_steps[chunk.count] == chunk.step)
        return more & (chunk.count < room) & _running(solver, chunk.state)

    look = jax.eval_shape(lambda: _look(solver, fn, state))
    empty = jax.tree.map(lambda x: jnp.zeros((room, *x.shape), x.dtype), look)
    begin = _Chunk(state, step, jnp.zeros((), jnp.int32), empty)
    chunk = lax.while_loop(unfinished, to_next_save, begin)
    return chunk, _running(solver, chunk.state)


def _run_from_host(model, solver, saveat, y0, key, span, save_steps, num_steps, bar) -> Solution:
    state, look = _begin(model, solver, saveat.fn, y0, key, span[0])
    size = sum(x.size * x.dtype.itemsize for x in jax.tree.leaves(look))
    # How many saves a chunk holds in memory before the host takes them.
    room = max(1, min(len(save_steps), _BYTES_PER_CHUNK // size))
    never = num_steps + 1
    done, count, steps, interrupt, pieces = 0, 0, 32, None, []
    going = True
    try:
        while going and (done < num_steps or count < len(save_steps)):
            began = time.perf_counter()
            upcoming = np.full(room + 1, never, np.int32)
            upcoming[: len(save_steps) - count] = save_steps[count : count + room + 1]
            stop = np.int32(min(done + steps, num_steps))
            chunk, running = _advance(
                model, solver, saveat.fn, span, state, np.int32(done), stop, upcoming, room
            )
            new = int(chunk.count)
            pieces.append(jax.tree.map(lambda x: np.asarray(x)[:new], chunk.saved))  # noqa: B023
            state, count, going = chunk.state, count + new, bool(running)
            elapsed = time.perf_counter() - began
            # The first chunk also compiles; later ones grow until they take a fixed time.
            steps = steps if done == 0 else int(steps * min(4, _SECONDS_PER_CHUNK / elapsed) + 1)
            moved, done = int(chunk.step) - done, int(chunk.step)
            bar.update(moved)
    except KeyboardInterrupt as caught:
        if not pieces:
            raise
        interrupt = caught
    saved = jax.tree.map(lambda *parts: np.concatenate(parts), *pieces)
    t0, dt = span
    ts = jnp.asarray(_times(span, save_steps[:count]))
    t_end = jnp.asarray(t0 + np.asarray(done, t0.dtype) * dt)
    closing = _finish(solver, state)
    solution = _gather(model, solver, saveat, state, closing, saved, ts, t_end, done)
    if interrupt is not None:
        raise Interrupted(solution) from interrupt
    return solution


# ---- under jit, grad, jvp and vmap -----------------------------------------------------------


def _run_traced(
    model, solver, saveat, y0, key, span, save_steps, num_steps, checkpoint, throw
) -> Solution:
    """One scan over the stretches between saves, in each a scan over steps: all that compiles.

    Stretches are as long as the longest; the steps that a shorter one has not are skipped, which
    under `vmap` costs as much as making them: equally spaced saves are the cheapest.
    """
    t0, dt = (jnp.asarray(x) for x in span)
    at_start, at_end = save_steps[0] == 0, save_steps[-1] == num_steps
    stops = (
        save_steps[save_steps > 0] if at_end else np.append(save_steps[save_steps > 0], num_steps)
    )
    longest = int(np.max(np.diff(stops, prepend=0)))
    # Blocks lie within stretches, or, where those are short, hold several: reverse mode repeats
    # every step once, and a step stores about two states.
    block = max(1, checkpoint or math.isqrt(longest * len(stops) // 2))
    block, stretches = (None, block // longest) if block >= longest else (block, None)

    def to_stop(carry, stop):
        def step(carry, _):
            state, n = carry

            def go(state):
                return solver.step(model, t0 + n * dt, dt, state), n + 1

            going = (n < stop) & _running(solver, state)
            return lax.cond(going, go, lambda state: (state, n), state), None

        carry, _ = checkpointed_scan(step, carry, jnp.arange(longest), block=block)
        return carry, _look(solver, saveat.fn, carry[0])

    begin = solver.init(model, t0, y0, key)
    (state, steps), saved = checkpointed_scan(
        to_stop,
        (begin, jnp.zeros((), jnp.int32)),
        jnp.asarray(stops, jnp.int32),
        block=stretches,
    )
    if at_start:
        first = _look(solver, saveat.fn, begin)
        saved = jax.tree.map(lambda one, every: jnp.append(one[None], every, 0), first, saved)
    if not at_end:
        saved = jax.tree.map(lambda every: every[:-1], saved)
    with jax.ensure_compile_time_eval():  # known, so that data can be held against them
        ts = jnp.asarray(_times(span, save_steps))
    result, stats = _close(solver, state)
    if throw is None:
        stopped = stats["differentiable_from"] > t0
        state, saved = refuse_derivatives((state, saved), (model, y0), result, stopped)
    elif throw:
        state, saved = refuse_early_end((state, saved), result)
    closing = result, stats
    return _gather(model, solver, saveat, state, closing, saved, ts, t0 + steps * dt, steps)
