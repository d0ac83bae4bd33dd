r"""A layer of theta neurons in projective coordinates, and its adjoint without a stored trajectory.

In natural units — time in $1/ω$, weights in q — the state is the line through
$(c, s) ∝ (\cos α, \sin α)$ with the angle $α = ωφ$. It turns at speed 1; an input of weight v is
the shear $c ← c - v s$; spike and reset are the same line $s = 0$, so a neuron spikes where s changes
sign, and every further half turn is a further spike.

*Adjoint.* Turns and shears preserve areas, so $g = (∂L/∂α)/(c² + s²)$ is constant but for the
neuron's own spikes at $t_j$, where it falls by $-(∂L/∂t_j)/(c² + s²)$. With $c' = c - v s$,

$$∂L/∂v_k = g s_k², \quad ∂L/∂t_k = g v_k s_k (c_k + c'_k),$$

so that the backward pass is a second forward pass that knows g. All sums over spikes in g are over
spikes still to come: nothing is subtracted.

Samples and neurons are the trailing axes `(b, n)`, the neurons contiguous: an event takes one row
of a table of weights for every sample. A loop ends with the last event of all samples.

**Reference:** the neuron is that of C. Klos, R.-M. Memmesheimer, Smooth exact gradient descent
learning in spiking neural networks, arXiv 2309.14523 (2025).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float, Int

from .order import longest

_CHUNK = 32
"""Events between two normalisations, few enough for float32 never to overflow between them."""


class LayerSpikes(NamedTuple):
    """What a layer does in a trial, in natural units.

    - `times`: spike times, `inf` where there are no more; shape `(k, b, n)`.
    - `angle`: α at the end of the trial, from 0 to π; shape `(b, n)`.
    - `count`: number of spikes, those for which `times` has no room included; shape `(b, n)`.
    """

    times: Float[Array, "k b n"]
    angle: Float[Array, "b n"]
    count: Float[Array, "b n"]


class _Point(NamedTuple):
    """`(c, s)` times exp(`scale`), and the number of spikes so far; shape `(b, n)` each."""

    c: Array
    s: Array
    scale: Array
    spikes: Array


class _Slots(NamedTuple):
    """The point at the last event before a spike, its scale, and the time of that event.

    The time is less half a turn per spike before; shape `(k, b, n)`.
    """

    c: tuple[Array, ...]
    s: tuple[Array, ...]
    scale: tuple[Array, ...]
    time: tuple[Array, ...]


class _Turns(NamedTuple):
    """The intervals before each event and the end: begin, half turns, rest; `(e + 1, b, 1)`."""

    begin: Array
    half: Array
    cos: Array
    sin: Array


def simulate(
    weights: Float[Array, "r n"],
    rows: Int[Array, "e b"],
    times: Float[Array, "e b"],
    start: Float[Array, "b n"],
    end: Float[Array, " b"],
    max_spikes: int,
) -> LayerSpikes:
    """Simulates a layer for many samples at once, in natural units.

    **Arguments:** `weights`: a table whose rows are the weights to all neurons; `rows`: which row
    an event takes, r where a sample has no further event; `times`: of the events, ascending in
    [0, `end`] (`end` where there is none); `start`: angles at time 0, in [0, π]; `end` of the
    trial; `max_spikes`: room for spikes, static.

    **Returns:** spike times, angles at the end and spike counts. Derivatives in `weights`, `times`,
    `start` and `end` are exact; forward mode is not available.
    """
    return _simulate(weights, rows, times, start, end, max_spikes)


def _simulate_plain(weights, rows, times, start, end, max_spikes):
    return _forward(weights, rows, times, start, end, max_spikes)[0]


_simulate = jax.custom_vjp(_simulate_plain, nondiff_argnums=(5,))


def _forward(weights, rows, times, start, end, max_spikes):
    table, turns, events = _prepare(weights, rows, times, end)

    def step(k, carry):
        point, slots = carry
        slots = _record(slots, point, turns.begin[k])
        point = _turn(point, turns, k)
        c = point.c - _row(table, rows[k]) * point.s
        return point._replace(c=c), slots

    def chunk(n, carry):
        point, slots = carry
        point = _normalise(point)
        slots = _record_scale(slots, point)
        return lax.fori_loop(
            n * _CHUNK, jnp.minimum((n + 1) * _CHUNK, events), step, (point, slots)
        )

    zero = jnp.zeros_like(start)
    empty = (zero,) * max_spikes
    carry = _initial(start), _Slots(empty, empty, empty, empty)
    point, slots = lax.fori_loop(0, -(-events // _CHUNK), chunk, carry)
    slots = _record(_record_scale(slots, point), point, turns.begin[events])
    point = _turn(point, turns, events)

    spikes, sizes = [], []
    for j, (c, s, scale, time) in enumerate(zip(*slots, strict=True)):
        present = point.spikes > j
        until = math.pi * (j + 1) - _angle(c, s)
        spikes.append(jnp.where(present, time + until, jnp.inf))
        sizes.append(jnp.log(c**2 + s**2) + 2 * scale)
    sizes.append(jnp.log(point.c**2 + point.s**2) + 2 * point.scale)
    stacked = jnp.stack(spikes)
    result = LayerSpikes(stacked, _angle(point.c, point.s), point.spikes)
    return result, (weights, rows, times, start, end, stacked, jnp.stack(sizes))


def _backward(max_spikes, saved, cotangent):
    weights, rows, times, start, end, spikes, sizes = saved
    table, turns, events = _prepare(weights, rows, times, end)
    ones = jnp.ones(weights.shape[1], weights.dtype)
    ends = jnp.concatenate(
        [jnp.where(jnp.isfinite(spikes), -cotangent.times, 0), cotangent.angle[None]]
    )

    def step(k, carry):
        point, parts, table_bar, times_bar = carry
        point = _turn(point, turns, k)
        v, s = _row(table, rows[k]), point.s
        c = point.c - v * s
        g = parts[-1]
        for spike, part in zip(spikes, parts[:-1], strict=True):
            g = g + jnp.where(spike >= times[k][:, None], part, 0)
        table_bar = table_bar.at[rows[k]].add(g * s * s, mode="promise_in_bounds")
        # a product with ones, because a CPU sums along rows one by one
        row = (g * v * s * (point.c + c)) @ ones
        times_bar = lax.dynamic_update_index_in_dim(times_bar, row, k, 0)
        return point._replace(c=c), parts, table_bar, times_bar

    def chunk(n, carry):
        point, table_bar, times_bar = carry
        point = _normalise(point)
        parts = tuple(ends * jnp.exp(2 * point.scale - sizes))
        stop = jnp.minimum((n + 1) * _CHUNK, events)
        point, _, table_bar, times_bar = lax.fori_loop(
            n * _CHUNK, stop, step, (point, parts, table_bar, times_bar)
        )
        return point, table_bar, times_bar

    carry = _initial(start), jnp.zeros_like(table), jnp.zeros_like(times)
    _, table_bar, times_bar = lax.fori_loop(0, -(-events // _CHUNK), chunk, carry)
    start_bar = jnp.sum(ends * jnp.exp(-sizes), axis=0)
    return table_bar[:-1], None, times_bar, start_bar, jnp.sum(cotangent.angle, axis=1)


_simulate.defvjp(_forward, _backward)


# ---- one event -------------------------------------------------------------------------------


def _prepare(weights, rows, times, end) -> tuple[Array, _Turns, Array]:
    """The table with a row of zeros for absent events, the turns, and the number of events."""
    table = jnp.concatenate([weights, jnp.zeros_like(weights[:1])])
    begin = jnp.concatenate([jnp.zeros_like(times[:1]), times])[:, :, None]
    until = jnp.concatenate([times, end[None]])[:, :, None]
    half = jnp.floor((until - begin) / math.pi)
    almost = math.pi * (1 - jnp.finfo(times.dtype).eps)
    rest = jnp.clip(until - begin - half * math.pi, 0, almost)
    return table, _Turns(begin, half, jnp.cos(rest), jnp.sin(rest)), longest(rows < len(weights))


def _row(table: Array, row: Array) -> Array:
    return table.at[row].get(mode="promise_in_bounds")


def _initial(start: Array) -> _Point:
    # Not s = 0, whose sign tells nothing: the line at π has its spike before it.
    s = jnp.maximum(jnp.sin(start), jnp.finfo(start.dtype).eps)
    zero = jnp.zeros_like(start)
    return _Point(jnp.cos(start), s, zero, zero)


def _turn(point: _Point, turns: _Turns, k) -> _Point:
    """The point at event k, before its input."""
    cos, sin = turns.cos[k], turns.sin[k]
    s = point.s * cos + point.c * sin
    crossed = jnp.where((point.s > 0) != (s > 0), 1, 0).astype(s.dtype)
    return _Point(
        point.c * cos - point.s * sin, s, point.scale, point.spikes + turns.half[k] + crossed
    )


def _record(slots: _Slots, point: _Point, begin: Array) -> _Slots:
    """Notes where the interval begins in every slot whose spike is still to come.

    Sums of products with 0 and 1, exact, are several times faster than selections on a CPU.
    """
    time = begin - math.pi * point.spikes

    def note(slot, value, j):
        coming = jnp.where(point.spikes <= j, 1, 0).astype(value.dtype)
        return coming * value + (1 - coming) * slot

    def all_slots(slots, value):
        return tuple(note(slot, value, j) for j, slot in enumerate(slots))

    return _Slots(
        all_slots(slots.c, point.c),
        all_slots(slots.s, point.s),
        slots.scale,
        all_slots(slots.time, time),
    )


def _record_scale(slots: _Slots, point: _Point) -> _Slots:
    coming = (jnp.where(point.spikes <= j, point.scale, old) for j, old in enumerate(slots.scale))
    return slots._replace(scale=tuple(coming))


def _normalise(point: _Point) -> _Point:
    size = jnp.hypot(point.c, point.s)
    return _Point(point.c / size, point.s / size, point.scale + jnp.log(size), point.spikes)


def _angle(c: Array, s: Array) -> Array:
    """The angle of the line in [0, π]."""
    return jnp.arctan2(jnp.abs(s), jnp.where(s > 0, c, -c))
