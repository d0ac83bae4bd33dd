"""A run from the host: compiled chunks of steps, between which progress is shown."""

from __future__ import annotations

import time
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array

from .keeper import AbstractKeeper
from .looks import Look, close, gather, look, running, times
from .result import Interrupted
from .sharding import AbstractLayout
from .solution import Solution

_SECONDS_PER_CHUNK = 0.2
_BYTES_PER_CHUNK = 2**24


class _Chunk(eqx.Module):
    """The state after `step` steps, and what was saved since the chunk began."""

    state: Any
    step: Array
    count: Array
    saved: Look


@eqx.filter_jit
def _begin(model, solver, fn, y0, key, span) -> tuple[Any, Look]:
    """The first state, and what is saved of it: of every save's size."""
    t0, dt = span
    state = solver.start(model, t0, dt, solver.init(model, t0, y0, key))
    return state, look(solver, fn, state)


_finish = eqx.filter_jit(close)


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
            look(solver, fn, state),
        )
        due = (n == save_steps[chunk.count]) & running(solver, state)
        return _Chunk(state, n, chunk.count + due, saved)

    def unfinished(chunk: _Chunk):
        more = (chunk.step < stop) | (save_steps[chunk.count] == chunk.step)
        return more & (chunk.count < room) & running(solver, chunk.state)

    saved = jax.eval_shape(lambda: look(solver, fn, state))
    empty = jax.tree.map(lambda x: jnp.zeros((room, *x.shape), x.dtype), saved)
    begin = _Chunk(state, step, jnp.zeros((), jnp.int32), empty)
    chunk = lax.while_loop(unfinished, to_next_save, begin)
    return chunk, running(solver, chunk.state)


def run_from_host(
    model,
    solver,
    saveat,
    y0,
    key,
    span,
    save_steps,
    num_steps,
    bar,
    keeper: AbstractKeeper,
    layout: AbstractLayout,
) -> Solution:
    given = model, solver
    solver, (model, key) = layout.applied(solver), layout.placed((model, key))
    y0 = layout.placed(y0, split=True)
    state, first = _begin(model, solver, saveat.fn, y0, key, span)
    size = sum(x.size * x.dtype.itemsize for x in jax.tree.leaves(first))
    # How many saves a chunk holds in memory before the host takes them.
    room = max(1, min(len(save_steps), _BYTES_PER_CHUNK // size))
    never = num_steps + 1
    steps, interrupt, going = 32, None, True
    keeper.begin(state, first)
    begin, shown = keeper.at.step, 0
    try:
        while going and (keeper.at.step < num_steps or keeper.at.count < len(save_steps)):
            began = time.perf_counter()
            state, done, count = keeper.at
            upcoming = np.full(room + 1, never, np.int32)
            upcoming[: len(save_steps) - count] = save_steps[count : count + room + 1]
            stop = np.int32(min(done + steps, num_steps))
            chunk, more = _advance(
                model, solver, saveat.fn, span, state, np.int32(done), stop, upcoming, room
            )
            new = int(chunk.count)
            saved = layout.fetched(chunk.saved)
            saved = jax.tree.map(lambda x: np.asarray(x)[:new], saved)  # noqa: B023
            going = bool(more)
            keeper.append(chunk.state, int(chunk.step), saved)
            elapsed = layout.agreed(time.perf_counter() - began)
            # The first chunk also compiles; later ones grow until they take a fixed time.
            first_chunk = done == begin
            steps = steps if first_chunk else int(steps * min(4, _SECONDS_PER_CHUNK / elapsed) + 1)
            if keeper.due():
                keeper.keep()
            bar.update(keeper.at.step - shown)
            shown = keeper.at.step
    except KeyboardInterrupt as caught:
        if keeper.at.step == keeper.at.count == 0:
            raise
        interrupt = caught
    keeper.keep()
    state, done, count = keeper.at
    t0, dt = span
    ts = jnp.asarray(times(span, save_steps[:count]))
    t_end = jnp.asarray(t0 + np.asarray(done, t0.dtype) * dt)
    closing, logs = jax.tree.map(
        jnp.asarray, layout.fetched((_finish(solver, state), solver.logs(state)))
    )
    solution = gather(
        *given, saveat, state, closing, keeper.saved(), ts, t_end, jnp.asarray(dt), done, logs
    )
    if interrupt is not None:
        raise Interrupted(solution) from interrupt
    return solution
