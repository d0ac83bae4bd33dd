"""A run from the host: compiled chunks of steps, between which progress is shown."""

from __future__ import annotations

import time
from collections.abc import Iterator
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
from . import chunk
from .chunks import run_chunks
from .record import Passage, Record, gather, on_device
from .recorder import AbstractRecorder, MemoryRecorder
from .result import Interrupted
from .run import Run
from .solution import Solution
from .solver import AbstractSolver

_SECONDS_PER_CHUNK = 0.2
_BYTES_PER_CHUNK = 2**24

_begin = Compiled(chunk.begin)
_finish = Compiled(chunk.finish)


class _Chunk(NamedTuple):
    """What a chunk comes to.

    - `passage`: at its end. `saved`: what was saved.
    - `counts`: the steps made since the beginning of the run, the saves made in the chunk, and
      whether the run can go on, shape `(3,)`.
    - `ended`: what the last state says about the run, and what was recorded.
    - `times`: those given, on the device, where they come faster so than alone.
    """

    passage: Passage
    saved: Record
    counts: Int[Array, " 3"]
    ended: Any
    times: Any


@Compiled
def _advance(
    model: Network,
    solver: AbstractSolver,
    fn: chunk.Fn,
    y0: Any,
    key: PRNGKeyArray | None,
    span: chunk.Span,
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
        return chunk.begin(model, solver, fn, y0, key, span, between)[0]

    passage = lax.cond(step < 0, begun, lambda: passage)
    step = jnp.maximum(step, 0)
    arguments = model, solver, fn, span, passage, step, stop, upcoming, parts, room
    found, more = chunk.advance(*arguments)
    counts = jnp.stack([found.step, found.count, more.astype(jnp.int32)])
    ended = chunk.finish(solver, found.passage.after)
    return _Chunk(found.passage, found.saved, counts, ended, times)


class _Blank(NamedTuple):
    """A passage and a record of zeros, as those at the beginning of a run are."""

    passage: Passage
    first: Record


def _blank(*arguments: Any) -> _Blank | None:
    """What `chunk.begin` returns, with zeros; `None` where that has random keys."""
    shapes = eqx.filter_eval_shape(chunk.begin, *arguments)
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


def run_from_host(run: Run, bar: Any, recorder: AbstractRecorder) -> Solution:
    """Makes a run in chunks, after each of which `bar` and `recorder` are told what was done.

    **Raises:** `Interrupted` at Ctrl-C, with what was saved so far.
    """
    course = _Course(run, recorder)
    stopped = run_chunks(course.chunks(), bar, due=recorder.due, save=recorder.save)
    if stopped is not None and recorder.position.step == recorder.position.count == 0:
        raise stopped
    recorder.save()
    solution = course.solution()
    if stopped is not None:
        raise Interrupted(solution) from stopped
    return solution


class _Course:
    """Where a run is, and how it goes on.

    Where nothing may be found to go on from, the first chunk begins the run by itself.
    """

    def __init__(self, run: Run, recorder: AbstractRecorder) -> None:
        self._run, self._recorder, layout = run, recorder, run.layout
        model, key = layout.placed((run.model, run.key))
        y0 = layout.placed(run.y0, split=True)
        solver, span = layout.applied(run.solver), (run.t0, run.dt)
        self._given = model, solver, run.fn, y0, key, span, run.saves.between
        alone = isinstance(recorder, MemoryRecorder) and layout is ONE_DEVICE
        self._blank = once(_blank, *self._given) if alone else None
        passage, first = _begin(*self._given) if self._blank is None else self._blank
        size = sum(x.nbytes for x in jax.tree.leaves(first))
        # How many saves a chunk holds in memory before the host takes them.
        self._room = max(1, min(len(run.saves.steps), _BYTES_PER_CHUNK // size))
        self._last: _Chunk | None = None
        recorder.start(passage, first)

    def chunks(self) -> Iterator[int]:
        """Takes the run to its end in chunks, and yields after each how many steps were made."""
        run, recorder, layout = self._run, self._recorder, self._run.layout
        steps, going, first = 32, True, recorder.position.step
        while going:
            _, done, count = recorder.position
            if done == run.steps and count == len(run.saves.steps):
                return
            began = time.perf_counter()
            chunk = self._last = self._chunk(min(done + steps, run.steps))
            saved, counts = layout.fetched((chunk.saved, chunk.counts))
            step, new, going = np.asarray(counts).tolist()
            if new < self._room:
                saved = jax.tree.map(lambda x: np.asarray(x)[:new], saved)  # noqa: B023
            recorder.append(chunk.passage, step, saved)
            if done > first:  # the first chunk also compiles; later ones grow to take a fixed time
                elapsed = layout.agreed(time.perf_counter() - began)
                steps = int(steps * min(4, _SECONDS_PER_CHUNK / elapsed) + 1)
            yield recorder.position.step

    def solution(self) -> Solution:
        """What the run has come to."""
        run = self._run
        passage, done, count = self._recorder.position
        t_end, dt, ts = _after(run, done), run.dt, run.saves.times[:count]
        if self._last is None or self._last.passage is not passage:
            ended = _finish(self._given[1], passage.after)
        else:
            ended, times = self._last.ended, self._last.times
            t_end, dt = times[0] if done == self._stop else t_end, times[1]
            ts = times[2] if count == len(run.saves.times) else ts
        (closing, logs), (t_end, dt, ts) = jax.tree.map(
            on_device, run.layout.fetched((ended, (t_end, dt, ts)))
        )
        saved = self._recorder.records()
        t_end = run.solver.reached(passage.after, t_end)
        return gather(run, passage.after, closing, saved, ts, t_end, dt, done, logs)

    def _chunk(self, stop: int) -> _Chunk:
        """The chunk that follows, up to a step."""
        run, self._stop = self._run, stop
        passage, done, count = self._recorder.position
        upcoming = _padded(run.saves.steps[count:], self._room + 1, run.steps + 1).astype(np.int32)
        parts = _padded(run.saves.parts[count:], self._room + 1, 1)
        begins = self._blank is not None and passage is self._blank.passage
        now = np.int32(-1 if begins else done), np.int32(stop)
        times = _after(run, stop), run.dt, run.saves.times
        return _advance(*self._given, passage, *now, upcoming, parts, self._room, times)
