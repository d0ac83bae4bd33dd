r"""A network of neurons followed from event to event, with an adjoint written by hand.

An event is a spike of a neuron, an input, or the end of the trial. Events come in blocks of a fixed
number, and blocks are made until all trials of the batch have ended: what remains of the budget
costs nothing, and a trial that has ended waits in events that change nothing. The backward pass
goes through the blocks that were made, in reverse; see `neuron` for the equations.

Neurons and trials are the trailing axes `(n, b)`, the trials contiguous.
"""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Float, Int

from .neuron import AbstractDynamics, State

BLOCK = 32
"""Events in a block: chosen by measurement on a CPU."""


class Schedule(NamedTuple):
    """What arrives in each of b trials.

    - `times`: ascending, `inf` for none, shape `(b, m)`.
    - `rows`: which row of the table of kicks each takes, shape `(b, m)`.
    """

    times: Float[Array, "b m"]
    rows: Int[Array, "b m"]


class Events(NamedTuple):
    """What happened in each trial; arrays over events are as long as there is room for.

    - `times`: when, the end of the trial for rows not needed, shape `(…, k)` (time).
      Differentiable; those of inputs have the derivative 1 in the time of the input.
    - `sources`: who: a neuron below n, n + j for input j (for volleys and bins, the j-th of them),
      and n + m where nothing happened, shape `(…, k)`.
    - `ranks`: how often that neuron had spiked before; for inputs, how many had arrived; `(…, k)`.
    - `num`: how many events there were, shape `(…)`.
    - `states`: at the begin of the trial and after each event, shape `(…, k + 1, n)` each. Not
      differentiable.
    """

    times: Float[Array, "*batch k"]
    sources: Int[Array, "*batch k"]
    ranks: Int[Array, "*batch k"]
    num: Int[Array, "*batch"]
    states: State


class Course(NamedTuple):
    """What `follow` returns: events along the first axis, trials along the last.

    - `times`, `rows`, `ranks`: as in `Events`, where `rows` counts neurons, then rows of the table
      of kicks, then one for nothing; shape `(k, b)`.
    - `end`: the state at the end of the trial, shape `(n, b)`. Differentiable, as `times`.
    - `counts`: spikes of each neuron, shape `(n, b)`. `num`: events, shape `(b,)`.
    - `finished`: whether the end of the trial was reached within the budget, shape `(b,)`.
    - `dts`, `states`: lengths of the intervals that end with the events, `(k, b)`, and the states
      at the begin of each interval, one more than events, `(k + 1, n, b)`.
    """

    times: Float[Array, "k b"]
    rows: Int[Array, "k b"]
    ranks: Int[Array, "k b"]
    end: State
    counts: Int[Array, "n b"]
    num: Int[Array, " b"]
    finished: Bool[Array, " b"]
    dts: Float[Array, "k b"]
    states: State


class _Moment(NamedTuple):
    """Where a trial is: time, state, and how many inputs have arrived."""

    time: Array
    state: State
    arrived: Array


_Made = tuple[Int[Array, ""], _Moment, Int[Array, "c b"], Any]
"""Blocks made, where the trials are, how many events there were of each kind, what was written."""


@partial(jax.custom_vjp, nondiff_argnums=(0, 1))
def follow(
    dynamics: AbstractDynamics,
    budget: int,
    weights: Float[Array, "n n"],
    kicks: Float[Array, "r n"],
    start: State,
    inputs: Schedule,
    end: Float[Array, ""],
) -> Course:
    """Follows b trials of a network until `end`, through no more than `budget` events each.

    An input is processed before a spike only if it is strictly earlier.

    **Arguments:**

    - `weights`: from neuron j to neuron i at `[j, i]`, zero from each to itself.
    - `kicks`: what inputs add to the neurons, by rows.
    - `start`: initial states, shape `(n, b)` each. `inputs`: what arrives. `end`: duration of the
      trials; all of them in the units of `dynamics`.
    """
    return _forward(dynamics, budget, weights, kicks, start, inputs, end)[0]


Residuals = tuple[Array, Schedule, Array, Course]
"""What the way back needs: the table of all weights, inputs, blocks made, events."""


def _table(weights: Float[Array, "n n"], kicks: Float[Array, "r n"]) -> Float[Array, "s n"]:
    """What each event adds to the neurons: spikes, inputs, and nothing at all in the last row."""
    return jnp.concatenate([weights, kicks, jnp.zeros_like(weights[:1])])


def _forward(
    dynamics: AbstractDynamics,
    budget: int,
    weights: Float[Array, "n n"],
    kicks: Float[Array, "r n"],
    start: State,
    inputs: Schedule,
    end: Float[Array, ""],
) -> tuple[Course, Residuals]:
    blocks = -(-(budget + 1) // BLOCK)  # the end of the trial takes one
    n = weights.shape[0]
    table = _table(weights, kicks)
    nothing = table.shape[0] - 1
    times = jnp.pad(inputs.times, ((0, 0), (0, 1)), constant_values=jnp.inf)
    rows = jnp.pad(inputs.rows, ((0, 0), (0, 1))) + n
    samples, neurons = jnp.arange(times.shape[0]), jnp.arange(n)[:, None]

    def event(now: _Moment, _: None) -> tuple[_Moment, tuple[Array, Array, Array, State]]:
        first, wait = dynamics.next_spike(now.state)
        arrival = times[samples, now.arrived]
        arrives = arrival - now.time < wait
        dt = jnp.where(arrives, arrival - now.time, wait)
        happens = dt < end - now.time
        dt = jnp.where(happens, dt, end - now.time)
        arrives, spikes = arrives & happens, happens & ~arrives
        time = jnp.where(arrives, arrival, jnp.where(spikes, now.time + dt, end))
        arriving = rows[samples, now.arrived]
        row = jnp.where(arrives, arriving, jnp.where(spikes, first, nothing))
        fired = (neurons == first[None]) & spikes[None]

        state = dynamics.evolve(now.state, dt[None])
        state = dynamics.kick(state, table[row].T)
        state = dynamics.reset(state, fired)
        return _Moment(time, state, now.arrived + arrives), (time, row, dt, state)

    def block(carry: _Made) -> _Made:
        number, now, counts, written = carry
        now, (time, row, dt, state) = lax.scan(event, now, None, length=BLOCK)
        kinds = jnp.where(row < nothing, jnp.minimum(row, n), n + 1)
        ranks, counts = _count(kinds, counts)
        written = jax.tree.map(
            lambda all, new: lax.dynamic_update_slice_in_dim(all, new, number * BLOCK + 1, 0),
            written,
            (time, row, ranks, dt, state),
        )
        return number + 1, now, counts, written

    none = jnp.zeros(samples.shape, jnp.int32)
    ends = jnp.full(samples.shape, end)
    written = jax.tree.map(
        lambda x: jnp.full((blocks * BLOCK + 1, *x.shape), x),
        (ends, jnp.full_like(none, nothing, rows.dtype), none, jnp.zeros_like(ends), start),
    )
    made, last, counts, written = lax.while_loop(
        lambda carry: (carry[0] < blocks) & jnp.any(carry[1].time < end),
        block,
        (
            jnp.zeros((), jnp.int32),
            _Moment(jnp.zeros_like(ends), start, none),
            jnp.zeros((n + 2, *samples.shape), jnp.int32),
            written,
        ),
    )
    row_times, row_rows, ranks, dts, states = written
    num = jnp.sum(counts[:-1], axis=0)
    course = Course(
        times=row_times[1:],
        rows=row_rows[1:],
        ranks=ranks[1:],
        end=last.state,
        counts=counts[:n],
        num=num,
        finished=(last.time >= end) & (num <= budget),
        dts=dts[1:],
        states=states,
    )
    return course, (table, inputs, made, course)


def _count(kinds: Int[Array, "k b"], counts: Int[Array, "c b"]) -> tuple[Array, Array]:
    """For each of k events how many of its kind there were before, and the counts after them."""
    before = jnp.tri(kinds.shape[0], k=-1, dtype=bool)[..., None]
    ranks = jnp.sum(before & (kinds[:, None] == kinds[None]), axis=1, dtype=jnp.int32)
    of_kind = kinds[:, None] == jnp.arange(counts.shape[0])[None, :, None]
    made = jnp.sum(of_kind, axis=0, dtype=jnp.int32)
    return jnp.take_along_axis(counts, kinds, axis=0) + ranks, counts + made


def _backward(
    dynamics: AbstractDynamics, budget: int, residuals: Residuals, cotangent: Course
) -> tuple[Array, Array, State, Schedule, Array]:
    table, inputs, made, course = residuals
    n, samples = course.counts.shape
    nothing = table.shape[0] - 1
    neurons, sample = jnp.arange(n), jnp.arange(samples)

    def events(carried: Any, row: tuple[Any, Array]) -> tuple[Any, tuple[Array, Array]]:
        carried, weight, time = dynamics.pull(row[0], carried, row[1])
        return carried, (weight, time)

    def linearised(number: Array, row: Int[Array, "k b"]) -> Any:
        """Coefficients of the events of a block, those of all samples at once."""

        def part(x: Array, shift: int = 0) -> Array:
            return lax.dynamic_slice_in_dim(x, number * BLOCK + shift, BLOCK)

        return dynamics.linearise(
            jax.tree.map(part, course.states),
            part(course.dts)[:, None],
            jax.tree.map(lambda x: part(x, 1), course.states),
            jnp.moveaxis(table[row], 2, 1),
            row[:, None] == neurons[None, :, None],
        )

    def block(carry: tuple[Array, Any, Array, Array]) -> tuple[Array, Any, Array, Array]:
        number, carried, table_bar, times_bar = carry
        row, rank, direct = (
            lax.dynamic_slice_in_dim(x, (number - 1) * BLOCK, BLOCK)
            for x in (course.rows, course.ranks, cotangent.times)
        )
        coefficients = linearised(number - 1, row)
        direct = jnp.where(row < nothing, direct, 0)
        carried, (weight, time) = lax.scan(events, carried, (coefficients, direct), reverse=True)
        table_bar = table_bar.at[row].add(jnp.moveaxis(weight, 1, 2))
        is_input = (row >= n) & (row < nothing)
        times_bar = times_bar.at[sample, rank].add(jnp.where(is_input, time, 0))
        return number - 1, carried, table_bar, times_bar

    final = dynamics.cotangents(course.end, cotangent.end)
    ends = dynamics.end_time_cotangent(course.end, final)
    times_bar = jnp.zeros((samples, inputs.times.shape[1] + 1), table.dtype)
    _, carried, table_bar, times_bar = lax.while_loop(
        lambda carry: carry[0] > 0, block, (made, final, jnp.zeros_like(table), times_bar)
    )
    start = jax.tree.map(lambda x: x[0], course.states)
    no_rows: Any = np.zeros(inputs.rows.shape, jax.dtypes.float0)
    return (
        table_bar[:n],
        table_bar[n:nothing],
        dynamics.state_cotangent(start, carried),
        Schedule(times_bar[:, :-1], no_rows),
        jnp.sum(ends),
    )


follow.defvjp(_forward, _backward)
