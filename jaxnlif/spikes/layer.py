"""A layer of theta neurons, and its adjoint without a stored trajectory; see `projective`.

Samples and neurons are the trailing axes `(b, n)`, the neurons contiguous: an event takes one row
of a table of weights for every sample. A loop ends with the last event of all samples. On GPUs that
run them, kernels take the place of the loops, see `layer_kernel`.
"""

from __future__ import annotations

import math
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float, Int

from ..execution import AUTOMATIC, AbstractExecution
from . import layer_kernel
from .layer_kernel import Steps
from .order import largest, longest
from .projective import Point, Slots, Turn, event_cotangents, scaled, still_to_come

_CHUNK = 32
"""Most events between two normalisations; fewer where weights are strong, see `_stride`."""


class LayerSpikes(NamedTuple):
    """What a layer does in a trial, in natural units.

    - `times`: spike times, `inf` where there are no more; shape `(k, b, n)`.
    - `cos`, `sin`: of the angle at the end of the trial, which is from 0 to π; shape `(b, n)`.
    - `count`: number of spikes, those for which `times` has no room included; shape `(b, n)`.
    """

    times: Float[Array, "k b n"]
    cos: Float[Array, "b n"]
    sin: Float[Array, "b n"]
    count: Float[Array, "b n"]  # pyright: ignore[reportIncompatibleMethodOverride]: of tuples


def simulate(
    weights: Float[Array, "r n"],
    rows: Int[Array, "e b"],
    times: Float[Array, "e b"],
    start: Float[Array, "*b n"],
    end: Float[Array, ""],
    max_spikes: int,
    execution: AbstractExecution = AUTOMATIC,
) -> LayerSpikes:
    """Simulates a layer for many samples at once, in natural units.

    **Arguments:** `weights`: a table whose rows are the weights to all neurons; `rows`: which row
    an event takes, r where a sample has no further event; `times`: of the events, ascending in
    [0, `end`] (`end` where there is none); `start`: angles at time 0, in [0, π], of all samples or
    of each; `end` of the trial; `max_spikes`: room for spikes, static; `execution`: loops or
    kernels.

    **Returns:** spike times, the points at the end, and spike counts. Derivatives in `weights`,
    `times`, `start` and `end` are exact; forward mode is not available.
    """
    return _simulate(weights, rows, times, start, end, max_spikes, execution)


Saved = tuple[Array, Array, Array, Array, LayerSpikes, Array, Array]
"""What the way back needs: arguments, result, and squared sizes and scales of the points."""


def _simulate_plain(
    weights: Float[Array, "r n"],
    rows: Int[Array, "e b"],
    times: Float[Array, "e b"],
    start: Float[Array, "*b n"],
    end: Float[Array, ""],
    max_spikes: int,
    execution: AbstractExecution,
) -> LayerSpikes:
    return _forward(weights, rows, times, start, end, max_spikes, execution)[0]


_simulate = jax.custom_vjp(_simulate_plain, nondiff_argnums=(5, 6))


def _forward(
    weights: Float[Array, "r n"],
    rows: Int[Array, "e b"],
    times: Float[Array, "e b"],
    start: Float[Array, "*b n"],
    end: Float[Array, ""],
    max_spikes: int,
    execution: AbstractExecution,
) -> tuple[LayerSpikes, Saved]:
    steps = _prepare(weights, rows, times)
    point, slots = _run(steps, _initial(start, rows.shape[1]), max_spikes, execution)
    last = steps.begin[steps.number]
    slots = _noted(slots.noted_scale(_stacked(point), _numbers(slots)), point, last)
    point = _turn(last, jnp.broadcast_to(end, last.shape))(point)

    sign = jnp.where(point.s > 0, 1, -1)
    size = jnp.sqrt(point.c**2 + point.s**2)
    result = LayerSpikes(
        _spike_times(slots, point), sign * point.c / size, sign * point.s / size, point.spikes
    )
    # the squared size of the point at each spike and at the end
    square = jnp.concatenate([slots.c**2 + slots.s**2, (size**2)[None]])
    scale = jnp.concatenate([slots.scale, point.scale[None]])
    return result, (weights, rows, times, start, result, square, scale)


def _backward(
    max_spikes: int, execution: AbstractExecution, saved: Saved, cotangent: LayerSpikes
) -> tuple[Array, None, Array, Array, Array]:
    weights, rows, times, start, result, square, scale = saved
    steps = _prepare(weights, rows, times)
    angle = result.cos * cotangent.sin - result.sin * cotangent.cos
    spiked = jnp.where(jnp.isfinite(result.times), -cotangent.times, 0)
    ends = jnp.concatenate([spiked, angle[None]]) / square
    point = _initial(start, rows.shape[1])
    table_bar, times_bar = _run_back(steps, point, result.times, ends, scale, execution)
    start_bar = jnp.sum(scaled(ends, 0.0, scale), axis=0 if start.ndim == 2 else (0, 1))
    return table_bar[:-1], None, times_bar, start_bar, jnp.sum(angle)


_simulate.defvjp(_forward, _backward)


def _run(
    steps: Steps, point: Point, max_spikes: int, execution: AbstractExecution
) -> tuple[Point, Slots]:
    """From the beginning to the last event."""
    fits = layer_kernel.fits(point.c.dtype, max_spikes)
    return execution(
        steps,
        point,
        loops=partial(run, max_spikes=max_spikes),
        kernel=partial(layer_kernel.run, max_spikes=max_spikes) if fits else None,
    )


def _run_back(
    steps: Steps,
    point: Point,
    spikes: Float[Array, "k b n"],
    ends: Float[Array, "l b n"],
    scale: Float[Array, "l b n"],
    execution: AbstractExecution,
) -> tuple[Array, Array]:
    """Cotangents of the table, and of the times of events."""
    kernel = layer_kernel.run_back if layer_kernel.fits(point.c.dtype, len(spikes)) else None
    return execution(steps, point, spikes, ends, scale, loops=run_back, kernel=kernel)


# ---- loops -----------------------------------------------------------------------------------

Carry = tuple[Point, Array, Array]
"""Of the way back: the point, and the cotangents of the table and of the times."""


def run(steps: Steps, point: Point, max_spikes: int) -> tuple[Point, Slots]:
    """`_run` as a loop over events."""
    steps = _in_chunks(steps)

    def chunk(n: Int[Array, ""], carry: tuple[Point, Slots]) -> tuple[Point, Slots]:
        rows, begin, _, turns, number = _chunk(steps, n)

        def step(k: Int[Array, ""], carry: tuple[Point, Slots]) -> tuple[Point, Slots]:
            point, slots = carry
            slots = _noted(slots, point, begin[k])
            point = jax.tree.map(lambda x: x[k], turns)(point)
            return point.sheared(_weights(steps, rows[k])), slots

        point, slots = carry
        point = point.normalised()
        slots = slots.noted_scale(_stacked(point), _numbers(slots))
        return lax.fori_loop(0, number, step, (point, slots))

    empty = jnp.zeros((max_spikes, *point.c.shape), point.c.dtype)
    slots = Slots(empty, empty, empty, empty)
    return lax.fori_loop(0, _chunks(steps), chunk, (point, slots))


def run_back(
    steps: Steps,
    point: Point,
    spikes: Float[Array, "k b n"],
    ends: Float[Array, "l b n"],
    scale: Float[Array, "l b n"],
) -> tuple[Array, Array]:
    """`_run_back` as a loop over events."""
    e = len(steps.times)
    steps = _in_chunks(steps)
    ones = jnp.ones(point.c.shape[-1], point.c.dtype)

    def chunk(n: Int[Array, ""], carry: Carry) -> Carry:
        rows, _, times, turns, number = _chunk(steps, n)

        def step(k: Int[Array, ""], carry: Carry) -> Carry:
            point, table_bar, times_bar = carry
            point = jax.tree.map(lambda x: x[k], turns)(point)
            weight = _weights(steps, rows[k])
            after = point.sheared(weight)
            g = still_to_come(parts[:-1], spikes, parts[-1], times[k][:, None])
            weight_bar, time_bar = event_cotangents(point, after, weight, g)
            table_bar = table_bar.at[rows[k]].add(weight_bar, mode="promise_in_bounds")
            # a product with ones, because a CPU sums along rows one by one
            time_bar = jnp.matmul(time_bar, ones, precision="highest")
            times_bar = lax.dynamic_update_index_in_dim(
                times_bar, time_bar, n * steps.stride + k, 0
            )
            return after, table_bar, times_bar

        point, table_bar, times_bar = carry
        point = point.normalised()
        parts = scaled(ends, point.scale[None], scale)
        return lax.fori_loop(0, number, step, (point, table_bar, times_bar))

    bars = jnp.zeros_like(steps.table), jnp.zeros_like(steps.times)
    _, table_bar, times_bar = lax.fori_loop(0, _chunks(steps), chunk, (point, *bars))
    return table_bar, times_bar[:e]


def _in_chunks(steps: Steps) -> Steps:
    """With more events after the last, so that there are whole chunks."""
    rows, begin, times = (
        jnp.pad(x, ((0, _CHUNK), (0, 0))) for x in (steps.rows, steps.begin, steps.times)
    )
    return steps._replace(rows=rows, begin=begin, times=times)


def _chunk(steps: Steps, n: Int[Array, ""]) -> tuple[Array, Array, Array, Turn, Array]:
    """Rows, begins, times and turns of chunk n, and how many of it there are."""
    rows, begin, times = (
        lax.dynamic_slice_in_dim(x, n * steps.stride, _CHUNK)
        for x in (steps.rows, steps.begin, steps.times)
    )
    number = jnp.minimum(steps.number - n * steps.stride, steps.stride)
    return rows, begin, times, _turn(begin, times), number


def _chunks(steps: Steps) -> Array:
    return -(-steps.number // steps.stride)


def _weights(steps: Steps, row: Array) -> Array:
    return steps.table.at[row].get(mode="promise_in_bounds")


# ---- what loops and kernels share ------------------------------------------------------------


def _prepare(
    weights: Float[Array, "r n"], rows: Int[Array, "e b"], times: Float[Array, "e b"]
) -> Steps:
    number = longest(rows < weights.shape[0])
    table = jnp.concatenate([weights, jnp.zeros((1, weights.shape[1]), weights.dtype)])
    begin = jnp.concatenate([jnp.zeros_like(times[:1]), times])
    return Steps(table, rows, begin, times, number, _stride(weights))


def _stride(weights: Array) -> Array:
    """So many events that squares of a point neither overflow nor vanish between them.

    A shear by v makes a point longer or shorter by 1 + |v| at most.
    """
    room = 0.45 * math.log(float(jnp.finfo(weights.dtype).max))
    events = jnp.floor(room / jnp.log1p(largest(jnp.abs(weights))))
    return jnp.clip(jnp.where(jnp.isfinite(events), events, _CHUNK), 1, _CHUNK).astype(jnp.int32)


def _initial(start: Array, samples: int) -> Point:
    # Not s = 0, whose sign tells nothing: the line at π has its spike before it.
    s = jnp.maximum(jnp.sin(start), jnp.finfo(start.dtype).eps)
    c, s = (jnp.broadcast_to(x, (samples, start.shape[-1])) for x in (jnp.cos(start), s))
    return Point.at(c, s)


def _turn(begin: Float[Array, "*e b"], until: Float[Array, "*e b"]) -> Turn:
    """The turns of all neurons of a sample."""
    return Turn.between(begin[..., None], until[..., None])


def _noted(slots: Slots, point: Point, begin: Float[Array, " b"]) -> Slots:
    """All slots, `(k, b, n)` each, after an interval has begun."""
    return slots.noted(_stacked(point), begin[None, :, None], _numbers(slots))


def _stacked(point: Point) -> Point:
    return jax.tree.map(lambda x: x[None], point)


def _numbers(slots: Slots) -> Float[Array, "k 1 1"]:
    return jnp.arange(len(slots.c), dtype=slots.c.dtype)[:, None, None]


def _spike_times(slots: Slots, point: Point) -> Array:
    """Spike times of all slots.

    On a CPU arctangents of all but the first only if there is such a spike; a GPU would wait for
    the host to decide.
    """
    number = 1 + _numbers(slots)

    def times(c: Array, s: Array, time: Array, number: Array) -> Array:
        until = number * math.pi - jnp.arctan2(jnp.abs(s), jnp.where(s > 0, c, -c))
        return jnp.where(point.spikes[None] >= number, time + until, jnp.inf)

    def times_if_any(*later: Array) -> Array:
        return lax.cond(
            jnp.any(point.spikes > 1), times, lambda c, *_: jnp.full_like(c, jnp.inf), *later
        )

    slots_ = slots.c, slots.s, slots.time, number
    first, later = ([x[part] for x in slots_] for part in (slice(1), slice(1, None)))
    rest = lax.platform_dependent(*later, cpu=times_if_any, default=times)
    return jnp.concatenate([times(*first), rest])
