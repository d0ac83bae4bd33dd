"""A run from the host: compiled chunks of steps, between which progress is shown."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array

from ..machine.layout import AbstractLayout
from .chunks import run_chunks
from .record import Passage, Record, close, gather, record, running
from .recorder import AbstractRecorder
from .result import Interrupted
from .saveat import Saves
from .solution import Solution

_SECONDS_PER_CHUNK = 0.2
_BYTES_PER_CHUNK = 2**24


class _Chunk(eqx.Module):
    """Where the run is after `step` steps, and what was saved since the chunk began."""

    passage: Passage
    step: Array
    count: Array
    saved: Record


@eqx.filter_jit
def _begin(model, solver, fn, y0, key, span, between: bool) -> tuple[Passage, Record]:
    """Where the first step begins, and what is saved of the first state: of every save's size."""
    t0, dt = span
    state = solver.start(model, t0, dt, solver.init(model, t0, y0, key))
    first = record(solver, fn, Passage.begin(state, between=False), jnp.ones_like(t0))
    return Passage.begin(state, between=between), first


_finish = eqx.filter_jit(close)


@eqx.filter_jit
def _advance(
    model, solver, fn, span, passage, step, stop, save_steps, save_parts, room: int
) -> tuple[_Chunk, Array]:
    """Steps up to `stop`, or until `room` saves are made; returns whether the run can go on."""
    t0, dt = span

    def to_next_save(chunk: _Chunk):
        save = save_steps[chunk.count]
        target = jnp.minimum(save, stop)
        if chunk.passage.before is not None:  # a stop before the step of the save
            target = jnp.where(chunk.step < save - 1, jnp.minimum(save - 1, stop), target)
        state, n = solver.advance(model, t0, dt, chunk.passage.after, chunk.step, target)
        passage = chunk.passage.to(state, n > chunk.step)
        # A chunk may end between two saves: what it writes then is not counted.
        saved = jax.tree.map(
            lambda every, one: every.at[chunk.count].set(one),
            chunk.saved,
            record(solver, fn, passage, save_parts[chunk.count]),
        )
        due = (n == save) & running(solver, state)
        return _Chunk(passage, n, chunk.count + due, saved)

    def unfinished(chunk: _Chunk):
        more = (chunk.step < stop) | (save_steps[chunk.count] == chunk.step)
        return more & (chunk.count < room) & running(solver, chunk.passage.after)

    saved = jax.eval_shape(lambda: record(solver, fn, passage, save_parts[0]))
    empty = jax.tree.map(lambda x: jnp.zeros((room, *x.shape), x.dtype), saved)
    begin = _Chunk(passage, step, jnp.zeros((), jnp.int32), empty)
    chunk = lax.while_loop(unfinished, to_next_save, begin)
    return chunk, running(solver, chunk.passage.after)


def _padded(values: np.ndarray, length: int, fill: float | int) -> np.ndarray:
    """The first values, as many as `length`, filled up where there are fewer."""
    values = values[:length]
    return np.pad(values, (0, length - len(values)), constant_values=fill)


def run_from_host(
    model,
    solver,
    saveat,
    y0,
    key,
    span,
    saves: Saves,
    num_steps,
    bar,
    recorder: AbstractRecorder,
    layout: AbstractLayout,
) -> Solution:
    given = model, solver
    solver, (model, key) = layout.applied(solver), layout.placed((model, key))
    y0 = layout.placed(y0, split=True)
    passage, first = _begin(model, solver, saveat.fn, y0, key, span, saves.between)
    recorder.start(passage, first)
    arguments = model, solver, saveat.fn, span
    chunks = _chunks(arguments, first, saves, num_steps, recorder, layout)
    stopped = run_chunks(chunks, bar, due=recorder.due, save=recorder.save)
    if stopped is not None and recorder.position.step == recorder.position.count == 0:
        raise stopped
    recorder.save()
    passage, done, count = recorder.position
    state = passage.after
    t0, dt = span
    ts = jnp.asarray(saves.times[:count])
    t_end = jnp.asarray(t0 + np.asarray(done, t0.dtype) * dt)
    closing, logs = jax.tree.map(
        jnp.asarray, layout.fetched((_finish(solver, state), solver.logs(state)))
    )
    solution = gather(
        *given, saveat, state, closing, recorder.records(), ts, t_end, jnp.asarray(dt), done, logs
    )
    if stopped is not None:
        raise Interrupted(solution) from stopped
    return solution


def _chunks(
    arguments: tuple[Any, ...],
    first: Record,
    saves: Saves,
    num_steps: int,
    recorder: AbstractRecorder,
    layout: AbstractLayout,
) -> Iterator[int]:
    """Takes a run to its end in chunks, and yields after each how many steps were made."""
    size = sum(x.size * x.dtype.itemsize for x in jax.tree.leaves(first))
    # How many saves a chunk holds in memory before the host takes them.
    room = max(1, min(len(saves.steps), _BYTES_PER_CHUNK // size))
    never = num_steps + 1
    passage, done, count = recorder.position
    steps, going, begin = 32, True, done
    if saves.steps[0] == done == count:
        recorder.append(passage, 0, jax.tree.map(lambda x: x[None], layout.fetched(first)))
    while going:
        passage, done, count = recorder.position
        if done == num_steps and count == len(saves.steps):
            return
        began = time.perf_counter()
        upcoming = _padded(saves.steps[count:], room + 1, never).astype(np.int32)
        parts = _padded(saves.parts[count:], room + 1, 1)
        stop = np.int32(min(done + steps, num_steps))
        chunk, more = _advance(*arguments, passage, np.int32(done), stop, upcoming, parts, room)
        new = int(chunk.count)
        saved = layout.fetched(chunk.saved)
        saved = jax.tree.map(lambda x: np.asarray(x)[:new], saved)  # noqa: B023
        going = bool(more)
        recorder.append(chunk.passage, int(chunk.step), saved)
        elapsed = layout.agreed(time.perf_counter() - began)
        # The first chunk also compiles; later ones grow until they take a fixed time.
        first_chunk = done == begin
        steps = steps if first_chunk else int(steps * min(4, _SECONDS_PER_CHUNK / elapsed) + 1)
        yield recorder.position.step
