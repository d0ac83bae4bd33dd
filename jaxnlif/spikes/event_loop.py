r"""A network of neurons followed from event to event, with an adjoint written by hand.

An event is a spike of a neuron, an input, or the end of the trial. Events come in blocks of a fixed
number, and blocks are made until the trial has ended: what remains of the budget costs nothing,
and in a batch only whole blocks are selected from. The backward pass goes through the blocks that
were made, in reverse; see `neuron` for the equations.
"""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, Int

from .neuron import AbstractDynamics, State

BLOCK = 32
"""Events in a block: chosen by measurement on a CPU."""


class InputSpikes(NamedTuple):
    """Input spikes.

    - `times`: ascending, `inf` for none, shape `(m,)` (time).
    - `sources`: the number of the input of each, from 0, shape `(m,)`.
    """

    times: Float[Array, " m"]
    sources: Int[Array, " m"]


class Events(NamedTuple):
    """What happened in a trial; arrays over events are as long as there is room for.

    - `times`: when, the end of the trial for rows not needed. Differentiable; those of inputs have
      the derivative 1 in the time of the input.
    - `sources`: who: a neuron below n, n + j for input j, and n + m where nothing happened.
    - `ranks`: how often that neuron had spiked before; for inputs, how many had arrived.
    - `end`: the state at the end of the trial. Differentiable.
    - `counts`: spikes of each neuron.
    - `num`: how many events there were. `finished`: whether the end of the trial was reached.
    - `dts`, `states`: lengths of the intervals that end with the events, and the states at the
      begin of each interval, one more than events. Not differentiable.
    """

    times: Float[Array, " k"]
    sources: Int[Array, " k"]
    ranks: Int[Array, " k"]
    end: State
    counts: Int[Array, " n"]
    num: Int[Array, ""]
    finished: Bool[Array, ""]
    dts: Float[Array, " k"]
    states: State


class _Moment(NamedTuple):
    """Where a trial is: time, state, and how many input spikes have arrived."""

    time: Array
    state: State
    arrived: Array


_Made = tuple[Int[Array, ""], _Moment, Int[Array, " c"], Any]
"""Blocks made, where the trial is, how many events there were of each kind, what was written."""


@partial(jax.custom_vjp, nondiff_argnums=(0, 1))
def follow(
    dynamics: AbstractDynamics,
    budget: int,
    table: Float[Array, "s n"],
    start: State,
    inputs: InputSpikes,
    end: Float[Array, ""],
) -> Events:
    """Follows a network until `end`, through no more than `budget` events.

    An input is processed before a spike only if it is strictly earlier.

    **Arguments:**

    - `table`: weights by source, first those of the n neurons (zero from each to itself), then
      those of the inputs.
    - `start`: initial state. `inputs`: input spikes. `end`: duration of the trial; all of them in
      the units of `dynamics`.
    """
    return _forward(dynamics, budget, table, start, inputs, end)[0]


Residuals = tuple[Array, InputSpikes, Array, Events]
"""What the way back needs: the table with a row of zeros, inputs, blocks made, events."""


def _forward(
    dynamics: AbstractDynamics,
    budget: int,
    table: Float[Array, "s n"],
    start: State,
    inputs: InputSpikes,
    end: Float[Array, ""],
) -> tuple[Events, Residuals]:
    blocks = -(-(budget + 1) // BLOCK)  # the end of the trial takes one
    num_sources, n = table.shape
    weights = jnp.concatenate([table, jnp.zeros_like(table[:1])])
    times = jnp.append(inputs.times, jnp.inf)
    sources = jnp.append(inputs.sources, 0) + n
    neurons = jnp.arange(n)

    def event(now: _Moment, _: None) -> tuple[_Moment, tuple[Array, Array, Array, State]]:
        first, wait = dynamics.next_spike(now.state)
        arrival = times[now.arrived]
        arrives = arrival - now.time < wait
        dt = jnp.where(arrives, arrival - now.time, wait)
        happens = dt < end - now.time
        dt = jnp.where(happens, dt, end - now.time)
        arrives, spikes = arrives & happens, happens & ~arrives
        time = jnp.where(arrives, arrival, jnp.where(spikes, now.time + dt, end))
        source = jnp.where(arrives, sources[now.arrived], jnp.where(spikes, first, num_sources))
        fired = (neurons == first) & spikes

        state = dynamics.evolve(now.state, dt)
        state = dynamics.kick(state, weights[source])
        state = dynamics.reset(state, fired)
        return _Moment(time, state, now.arrived + arrives), (time, source, dt, state)

    def block(carry: _Made) -> _Made:
        number, now, counts, written = carry
        now, (time, source, dt, state) = lax.scan(event, now, None, length=BLOCK)
        ranks, counts = _count(
            jnp.where(source < num_sources, jnp.minimum(source, n), n + 1), counts
        )
        written = jax.tree.map(
            lambda all, new: lax.dynamic_update_slice_in_dim(all, new, number * BLOCK + 1, 0),
            written,
            (time, source, ranks, dt, state),
        )
        return number + 1, now, counts, written

    none = jnp.zeros((), jnp.int32)
    written = jax.tree.map(
        lambda x: jnp.full((blocks * BLOCK + 1, *x.shape), x),
        (end, jnp.full((), num_sources, sources.dtype), none, jnp.zeros_like(end), start),
    )
    made, last, counts, written = lax.while_loop(
        lambda carry: (carry[0] < blocks) & (carry[1].time < end),
        block,
        (none, _Moment(jnp.zeros_like(end), start, none), jnp.zeros(n + 2, jnp.int32), written),
    )
    row_times, row_sources, ranks, dts, states = written
    num = jnp.sum(counts[:-1])
    events = Events(
        times=row_times[1:],
        sources=row_sources[1:],
        ranks=ranks[1:],
        end=last.state,
        counts=counts[:n],
        num=num,
        finished=(last.time >= end) & (num <= budget),
        dts=dts[1:],
        states=states,
    )
    return events, (weights, inputs, made, events)


def _count(kinds: Int[Array, " b"], counts: Int[Array, " c"]) -> tuple[Array, Array]:
    """For each of b events how many of its kind there were before, and the counts after them."""
    before = jnp.tri(kinds.shape[0], k=-1, dtype=bool)
    ranks = jnp.sum(before & (kinds[:, None] == kinds[None]), axis=1, dtype=jnp.int32)
    made = jnp.sum(kinds[:, None] == jnp.arange(counts.shape[0])[None], axis=0, dtype=jnp.int32)
    return counts[kinds] + ranks, counts + made


def _backward(
    dynamics: AbstractDynamics, budget: int, residuals: Residuals, cotangent: Events
) -> tuple[Array, State, InputSpikes, Array]:
    weights, inputs, made, events = residuals
    num_sources, n = weights.shape[0] - 1, weights.shape[1]
    neurons = jnp.arange(n)

    def event(carried: Any, row: tuple[Any, Array, Array]) -> tuple[Any, tuple[Array, Array]]:
        coefficients, direct, is_input = row
        carried, weight, time = dynamics.pull(coefficients, carried, direct)
        return carried, (weight, jnp.where(is_input, time, 0))

    def block(carry: tuple[Array, Any, Array, Array]) -> tuple[Array, Any, Array, Array]:
        number, carried, weight_sum, time_sum = carry
        at = (number - 1) * BLOCK

        def rows(x: Array, shift: int = 0) -> Array:
            return lax.dynamic_slice_in_dim(x, at + shift, BLOCK)

        source = rows(events.sources)
        fired = source[:, None] == neurons[None]
        is_input = (source >= n) & (source < num_sources)
        coefficients = dynamics.linearise(
            jax.tree.map(rows, events.states),
            rows(events.dts)[:, None],
            jax.tree.map(lambda x: rows(x, 1), events.states),
            weights[source],
            fired,
        )
        direct = jnp.where(source < num_sources, rows(cotangent.times), 0)
        carried, (weight, time) = lax.scan(
            event, carried, (coefficients, direct, is_input), reverse=True
        )
        weight_sum = weight_sum.at[source].add(weight)
        time_sum = time_sum.at[rows(events.ranks)].add(time)
        return number - 1, carried, weight_sum, time_sum

    final = dynamics.cotangents(events.end, cotangent.end)
    end = dynamics.end_time_cotangent(events.end, final)
    time_sum = jnp.zeros(inputs.times.shape[0] + 1, weights.dtype)
    _, carried, weight_sum, time_sum = lax.while_loop(
        lambda carry: carry[0] > 0,
        block,
        (made, final, jnp.zeros_like(weights), time_sum),
    )
    start = jax.tree.map(lambda x: x[0], events.states)
    return (
        weight_sum[:num_sources],
        dynamics.state_cotangent(start, carried),
        InputSpikes(time_sum[:-1], jnp.zeros(inputs.sources.shape, jax.dtypes.float0)),
        end,
    )


follow.defvjp(_forward, _backward)
