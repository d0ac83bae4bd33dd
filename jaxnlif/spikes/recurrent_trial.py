"""A trial of a recurrent network: what arrives, the events, and what is read out.

The network `net` is a `Recurrent`.
"""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Float, Int

from .autodiff import PerNeuron
from .event_loop import Course, Events, Schedule, follow
from .inputs import (
    PRECISION,
    BinnedSpikes,
    InputSpikes,
    Known,
    Volleys,
    are_in_order,
    volley_kicks,
)
from .network import Trial, are_finite, squares_fit
from .neuron import AbstractSmoothNeuron, State


@eqx.filter_jit
def simulate(net: Any, inputs: Known, duration: Float[Array, ""]) -> Trial:
    dtype, neuron = net.weights.dtype, net.neuron
    batch, arrivals, kicks = _arrivals(net, inputs)
    samples, n = arrivals.times.shape[0], net.weights.shape[0]
    weights, start = between(net.weights), neuron.state(net.initial)
    units = tuple(jnp.asarray(x, dtype) for x in (neuron.time_unit, neuron.weight_unit))
    own = any(unit.ndim for unit in units)
    time_unit, weight_unit = (jnp.ones((), dtype),) * 2 if own else units
    dynamics = neuron.dynamics
    if own:
        dynamics = PerNeuron(dynamics)
        start = start, *(jnp.broadcast_to(1 / unit, (n,)) for unit in units)
    course: Course = follow(
        dynamics,
        net.max_events,
        weights.T / weight_unit,
        kicks / weight_unit,
        jax.tree.map(lambda x: jnp.broadcast_to(x[:, None], (n, samples)), start),
        arrivals._replace(times=_scale(arrivals.times, time_unit)),
        duration / time_unit,
    )
    end, states = (x[0] if own else x for x in (course.end, course.states))
    end, counts = jax.tree.map(jnp.transpose, (end, course.counts))
    right = jnp.broadcast_to(are_in_order(inputs, net.sizes[0]), batch).reshape(samples)
    finished = course.finished & are_finite(end, samples) & right
    finished = finished & squares_fit(weights) & squares_fit(kicks)

    def valid(x: Array) -> Array:
        return jnp.where(finished.reshape(-1, *[1] * (x.ndim - 1)), x, jnp.nan)

    def shaped(x: Array) -> Array:
        return x.reshape(*batch, *x.shape[1:])

    happened = course.rows < n + kicks.shape[0]
    times = valid(jnp.where(happened, course.times * time_unit, duration).T)
    who = _spike_table(course, times, net.max_spikes)
    outputs = np.array(net.outputs, int)
    end = jax.tree.map(valid, end)
    read, progress, consistent = read_out(net, weights, end, counts, who[:, outputs], duration)
    sources = _sources(course.rows.T, inputs, n, samples)
    return Trial(
        times=shaped(valid(read)),
        progress=shaped(valid(progress)),
        spike_times=shaped(who),
        num_spikes=shaped(counts),
        end=jax.tree.map(shaped, end),
        duration=duration,
        inputs=inputs,
        finished=finished.reshape(batch),
        consistent=consistent.reshape(batch),
        events=Events(
            times=shaped(times),
            sources=shaped(sources),
            ranks=shaped(course.ranks.T),
            num=course.num.reshape(batch),
            states=jax.tree.map(lambda x: shaped(lax.stop_gradient(jnp.moveaxis(x, 2, 0))), states),
        ),
        outputs=net.outputs,
    )


def _arrivals(net: Any, inputs: Known) -> tuple[tuple[int, ...], Schedule, Float[Array, "r n"]]:
    """The batch, what arrives in each of its trials, and the table of what it adds."""
    dtype, table = net.weights.dtype, net.input_weights.T
    if isinstance(inputs, Volleys | BinnedSpikes):
        batch = inputs.shape[:-1]
        kicks = volley_kicks(inputs, table)
        e, samples, n = kicks.shape
        times = jnp.broadcast_to(inputs.times.astype(dtype), (samples, e))
        rows = jnp.arange(e * samples).reshape(e, samples).T
        return batch, Schedule(times, rows), kicks.reshape(e * samples, n)
    if isinstance(inputs, InputSpikes):
        times, sources = inputs
    else:
        times, sources = inputs, jnp.broadcast_to(jnp.arange(inputs.shape[-1]), inputs.shape)
    batch, m = times.shape[:-1], times.shape[-1]
    samples = int(np.prod(batch))
    times = times.astype(dtype).reshape(samples, m)
    sources = sources.reshape(samples, m)
    delays = net.delays if net.sizes[0] else None
    if delays is not None:
        times = times + delays[sources]
    if delays is not None or not isinstance(inputs, InputSpikes):
        order = jnp.argsort(lax.stop_gradient(times), axis=-1)
        times, sources = (jnp.take_along_axis(x, order, axis=-1) for x in (times, sources))
    return batch, Schedule(times, sources), table


def _spike_table(course: Course, times: Float[Array, "b k"], num: int) -> Float[Array, "b n {num}"]:
    """The first spikes of each neuron, `inf` where there are no more."""
    n, samples = course.counts.shape
    empty = jnp.full((samples, n, num), jnp.inf, times.dtype)
    # What is no spike is beyond the table, and dropped.
    rows = jnp.where(course.rows < n, course.rows, n).T
    return empty.at[jnp.arange(samples)[:, None], rows, course.ranks.T].set(times, mode="drop")


def read_out(
    net: Any,
    weights: Float[Array, "n n"],
    end: State,
    counts: Int[Array, "b n"],
    ordinary: Float[Array, "b o k"],
    duration: Float[Array, ""],
) -> tuple[Float[Array, "b o k"], Float[Array, "b o"], Bool[Array, " b"]]:
    """Times of the outputs, with pseudospikes where ordinary ones are missing, and progress.

    Also whether pseudorates that agree with one another were found.
    """
    outputs = np.array(net.outputs, int)
    made = counts[:, outputs]
    if not isinstance(net.neuron, AbstractSmoothNeuron):
        return ordinary, made.astype(ordinary.dtype), jnp.ones(made.shape[0], bool)
    rates, consistent = net.neuron.rates(end, weights)
    drive = jnp.matmul(rates, weights[outputs].T, precision=PRECISION)
    some = jax.tree.map(lambda x: x[:, outputs], end)
    numbers = jnp.arange(1, net.max_spikes + 1)[None, None] - made[..., None]
    neuron = net.neuron.of(outputs)
    assert isinstance(neuron, AbstractSmoothNeuron)
    last = jnp.broadcast_to(jnp.array([0, 1]), (*made.shape, 2))
    later = neuron.pseudospikes(some, drive, jnp.concatenate([numbers, last], axis=-1))
    before, after = later[..., -2], later[..., -1]
    progress = made - before / (after - before)
    return jnp.where(numbers < 1, ordinary, duration + later[..., :-2]), progress, consistent


def _sources(rows: Int[Array, "b k"], inputs: Known, n: int, samples: int) -> Int[Array, "b k"]:
    """Neurons, then n more than the number of an input, volley or bin."""
    if isinstance(inputs, Volleys | BinnedSpikes):
        return jnp.where(rows < n, rows, n + (rows - n) // max(samples, 1))
    return rows


def between(weights: Float[Array, "n n"]) -> Float[Array, "n n"]:
    """The weights without those of neurons to themselves."""
    return jnp.where(jnp.eye(weights.shape[0], dtype=bool), 0, weights)


def _scale(times: Array, unit: Array) -> Array:
    """Times in another unit; infinite ones have no derivative in it."""
    finite = jnp.isfinite(times)
    return jnp.where(finite, jnp.where(finite, times, 0) / unit, jnp.inf)
