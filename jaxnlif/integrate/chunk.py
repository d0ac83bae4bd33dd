"""Chunks of steps, from one save to the next, as they are compiled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float, Int, PRNGKeyArray

from ..model import Network
from .log import Log
from .record import Passage, Record, Step, close, record, running
from .result import Result
from .solver import AbstractSolver, Snapshot

Fn = Callable[[Snapshot], Any] | None
Span = tuple[Float[Array, ""], Float[Array, ""]]
"""Where the first step begins, and the length of each (learning time)."""


class Chunk(eqx.Module):
    """Where the run is after `step` steps, and what was saved since the chunk began."""

    passage: Passage
    step: Int[Array, ""]
    count: Int[Array, ""]
    saved: Record


def begin(
    model: Network,
    solver: AbstractSolver,
    fn: Fn,
    y0: Any,
    key: PRNGKeyArray | None,
    span: Span,
    between: bool,
) -> tuple[Passage, Record]:
    """Where the first step begins, and what is saved of the first state: of every save's size."""
    t0, dt = span
    state = solver.start(model, t0, dt, solver.init(model, t0, y0, key))
    first = record(solver, fn, Passage.begin(state, between=False), jnp.ones_like(t0))
    return Passage.begin(state, between=between), first


def advance(
    model: Network,
    solver: AbstractSolver,
    fn: Fn,
    span: Span,
    passage: Passage,
    step: Int[Array, ""],
    stop: Int[Array, ""],
    save_steps: Int[Array, " k"],
    save_parts: Float[Array, " k"],
    room: int,
) -> tuple[Chunk, Array]:
    """Steps up to `stop`, or to a save for which there is no `room`; whether the run can go on."""
    t0, dt = span

    def to_next_save(chunk: Chunk) -> Chunk:
        save = save_steps[chunk.count]
        target = jnp.minimum(save, stop)
        if chunk.passage.before is not None:  # a stop before the step of the save
            target = jnp.where(chunk.step < save - 1, jnp.minimum(save - 1, stop), target)
        state, n = solver.advance(model, t0, dt, chunk.passage.after, chunk.step, target)
        passage = chunk.passage.to(state, n > chunk.step)
        last = Step(model, t0 + (n - 1) * dt, dt)
        part = jnp.where(n == save, save_parts[chunk.count], 1)
        # A chunk may end between two saves: what it writes then is not counted.
        saved = jax.tree.map(
            lambda every, one: every.at[chunk.count].set(one),
            chunk.saved,
            record(solver, fn, passage, part, last),
        )
        due = (n == save) & (running(solver, state) | (save == 0))
        return Chunk(passage, n, chunk.count + due, saved)

    def unfinished(chunk: Chunk) -> Array:
        more = (chunk.step < stop) | (save_steps[chunk.count] == chunk.step)
        # The first state is saved whatever it is.
        going = running(solver, chunk.passage.after) | (save_steps[chunk.count] == 0)
        # A full chunk goes on where it has nothing more to save.
        free = (chunk.count < room) | (save_steps[chunk.count] > stop)
        return more & free & going

    saved = jax.eval_shape(lambda: record(solver, fn, passage, save_parts[0]))
    empty = jax.tree.map(lambda x: jnp.zeros((room, *x.shape), x.dtype), saved)
    first = Chunk(passage, step, jnp.zeros((), jnp.int32), empty)
    chunk = lax.while_loop(unfinished, to_next_save, first)
    return chunk, running(solver, chunk.passage.after)


def finish(
    solver: AbstractSolver, state: Any
) -> tuple[tuple[Result, dict[str, Array]], dict[str, Log]]:
    """What the last state says about the run, and what was recorded."""
    return close(solver, state), solver.logs(state)
