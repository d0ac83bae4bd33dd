"""A run from the host: compiled chunks of steps, between which progress is shown."""

from __future__ import annotations

import time
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float, Int, PRNGKeyArray

from .._compiled import Compiled
from .._once import once
from ..machine.layout import ONE_DEVICE
from ..model import Network
from . import chunk as chunks
from .keeper import AbstractKeeper, Kept
from .looks import Look, Passage, gather, on_device
from .result import Interrupted
from .run import Run
from .solution import Solution
from .solver import AbstractSolver

_SECONDS_PER_CHUNK = 0.2
_BYTES_PER_CHUNK = 2**24

_begin = Compiled(chunks.begin)
_finish = Compiled(chunks.finish)


class _Chunk(NamedTuple):
    """What a chunk comes to.

    - `passage`: at its end. `saved`: what was saved.
    - `counts`: the steps made since the beginning of the run, the saves made in the chunk, and
      whether the run can go on, shape `(3,)`.
    - `ended`: what the last state says about the run, and what was recorded.
    - `times`: those given, on the device, where they come faster so than alone.
    """

    passage: Passage
    saved: Look
    counts: Int[Array, " 3"]
    ended: Any
    times: Any


@Compiled
def _advance(
    model: Network,
    solver: AbstractSolver,
    fn: chunks.Fn,
    y0: Any,
    key: PRNGKeyArray | None,
    span: chunks.Span,
    between: bool,
    passage: Passage,
    step: Int[Array, ""],
    stop: Int[Array, ""],
    upcoming: Int[Array, " k"],
    parts: Float[Array, " k"],
    room: int,
    times: Any,
) -> _Chunk:
    """A chunk, from a `passage`, or from the beginning of the run where `step` is negative."""

    def begun() -> Any:
        return chunks.begin(model, solver, fn, y0, key, span, between)[0]

    passage = lax.cond(step < 0, begun, lambda: passage)
    step = jnp.maximum(step, 0)
    arguments = model, solver, fn, span, passage, step, stop, upcoming, parts, room
    chunk, more = chunks.advance(*arguments)
    counts = jnp.stack([chunk.step, chunk.count, more.astype(jnp.int32)])
    ended = chunks.finish(solver, chunk.passage.after)
    return _Chunk(chunk.passage, chunk.saved, counts, ended, times)


class _Blank(NamedTuple):
    """A passage and a look of zeros, as those at the beginning of a run are."""

    passage: Passage
    first: Look


def _blank(*arguments: Any) -> _Blank | None:
    """What `chunks.begin` returns, with zeros; `None` where that has random keys."""
    shapes = eqx.filter_eval_shape(chunks.begin, *arguments)
    if any(jax.dtypes.issubdtype(x.dtype, jax.dtypes.prng_key) for x in jax.tree.leaves(shapes)):
        return None
    return _Blank(*jax.tree.map(lambda x: np.zeros(x.shape, x.dtype), shapes))


def _padded(values: np.ndarray, length: int, fill: float | int) -> np.ndarray:
    """The first values, as many as `length`, filled up where there are fewer."""
    padded = np.full(length, fill, values.dtype)
    padded[: len(values)] = values[:length]
    return padded


def _after(run: Run, steps: int) -> Float[np.ndarray, ""]:
    """The time after so many steps (learning time)."""
    return np.asarray(run.t0 + np.asarray(steps, run.t0.dtype) * run.dt)


def run_from_host(run: Run, bar: Any, keeper: AbstractKeeper) -> Solution:
    """Makes a run in chunks, after each of which `bar` and `keeper` are told what was done.

    **Raises:** `Interrupted` at Ctrl-C, with what was saved so far.
    """
    layout, saves, num_steps = run.layout, run.saves, run.steps
    solver, span, placed = layout.applied(run.solver), (run.t0, run.dt), layout.placed
    model, key = placed((run.model, run.key))
    y0 = placed(run.y0, split=True)
    given = model, solver, run.fn, y0, key, span, saves.between
    # Where nothing may be found to go on from, the first chunk begins the run by itself.
    alone = isinstance(keeper, Kept) and layout is ONE_DEVICE
    blank = once(_blank, *given) if alone else None
    passage, first = _begin(*given) if blank is None else blank
    size = sum(x.nbytes for x in jax.tree.leaves(first))
    # How many saves a chunk holds in memory before the host takes them.
    room = max(1, min(len(saves.steps), _BYTES_PER_CHUNK // size))
    never = num_steps + 1
    steps, stop, interrupt, going = 32, -1, None, True
    keeper.begin(passage, first)
    begin, shown, chunk = keeper.at.step, 0, None
    try:
        while going and (keeper.at.step < num_steps or keeper.at.count < len(saves.steps)):
            began = time.perf_counter()
            passage, done, count = keeper.at
            upcoming = _padded(saves.steps[count:], room + 1, never).astype(np.int32)
            parts = _padded(saves.parts[count:], room + 1, 1)
            stop = min(done + steps, num_steps)
            first_step = -1 if blank is not None and passage is blank.passage else done
            now = np.int32(first_step), np.int32(stop)
            times = _after(run, stop), run.dt, saves.times
            chunk = _advance(*given, passage, *now, upcoming, parts, room, times)
            saved, counts = layout.fetched((chunk.saved, chunk.counts))
            step, new, more = np.asarray(counts).tolist()
            if new < room:
                saved = jax.tree.map(lambda x: np.asarray(x)[:new], saved)  # noqa: B023
            going = bool(more)
            keeper.append(chunk.passage, step, saved)
            if done > begin:  # the first chunk also compiles; later ones grow to take a fixed time
                elapsed = layout.agreed(time.perf_counter() - began)
                steps = int(steps * min(4, _SECONDS_PER_CHUNK / elapsed) + 1)
            if keeper.due():
                keeper.keep()
            bar.update(keeper.at.step - shown)
            shown = keeper.at.step
    except KeyboardInterrupt as caught:
        if keeper.at.step == keeper.at.count == 0:
            raise
        interrupt = caught
    keeper.keep()
    passage, done, count = keeper.at
    t_end, dt, ts = _after(run, done), run.dt, saves.times[:count]
    if chunk is None or chunk.passage is not passage:
        ended = _finish(solver, passage.after)
    else:
        ended, t_end = chunk.ended, chunk.times[0] if done == stop else t_end
        dt, ts = chunk.times[1], chunk.times[2] if count == len(saves.times) else ts
    (closing, logs), (t_end, dt, ts) = jax.tree.map(
        on_device, layout.fetched((ended, (t_end, dt, ts)))
    )
    solution = gather(run, passage.after, closing, keeper.saved(), ts, t_end, dt, done, logs)
    if interrupt is not None:
        raise Interrupted(solution) from interrupt
    return solution
