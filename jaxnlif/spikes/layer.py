r"""A layer of theta neurons in projective coordinates, and its adjoint without a stored trajectory.

In natural units — time in $1/ω$, weights in q — the state is the line through
$(c, s) ∝ (\cos α, \sin α)$ with the angle $α = ωφ$. It turns at speed 1; an input of weight v is
the shear $c ← c - v s$; spike and reset are the same line $s = 0$, so a neuron spikes where s
changes sign, and every further half turn is a further spike.

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

from .order import largest, longest

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
    count: Float[Array, "b n"]


class _Point(NamedTuple):
    """`(c, s)` times exp(`scale`), and the number of spikes so far; shape `(b, n)` each."""

    c: Array
    s: Array
    scale: Array
    spikes: Array


class _Slots(NamedTuple):
    """The point at the last event before each spike, and the time of that event, `(k, b, n)`.

    The time is less half a turn for each spike before.
    """

    c: Array
    s: Array
    scale: Array
    time: Array


class _Turn(NamedTuple):
    """Intervals without event: half turns, and cosine and sine of the rest; `(…, b, 1)`."""

    half: Array
    cos: Array
    sin: Array

    @classmethod
    def between(cls, begin: Array, until: Array) -> _Turn:
        """The turn from one event to the next."""
        angle = (until - begin)[..., None]
        half = jnp.floor(angle / math.pi)
        almost = math.pi * (1 - jnp.finfo(angle.dtype).eps)
        rest = jnp.clip(angle - half * math.pi, 0, almost)
        return cls(half, jnp.cos(rest), jnp.sin(rest))

    def __call__(self, point: _Point) -> _Point:
        s = point.s * self.cos + point.c * self.sin
        crossed = jnp.where((point.s > 0) != (s > 0), 1, 0).astype(s.dtype)
        c = point.c * self.cos - point.s * self.sin
        return _Point(c, s, point.scale, point.spikes + self.half + crossed)


class _Events(NamedTuple):
    """The table with a row of zeros for absent events, and the events in chunks.

    `begin` is the time of the event before, `number` that of events in the sample with most, and
    `stride` how many of them make a chunk.
    """

    table: Array
    rows: Array
    begin: Array
    times: Array
    number: Array
    stride: Array

    def chunk(self, n) -> tuple[Array, Array, Array, _Turn, Array]:
        """Rows, begins, times and turns of chunk n, and how many of it there are."""
        rows, begin, times = (
            lax.dynamic_slice_in_dim(x, n * self.stride, _CHUNK)
            for x in (self.rows, self.begin, self.times)
        )
        number = jnp.minimum(self.number - n * self.stride, self.stride)
        return rows, begin, times, _Turn.between(begin, times), number

    @property
    def chunks(self) -> Array:
        return -(-self.number // self.stride)

    def weights(self, row: Array) -> Array:
        return self.table.at[row].get(mode="promise_in_bounds")


def simulate(
    weights: Float[Array, "r n"],
    rows: Int[Array, "e b"],
    times: Float[Array, "e b"],
    start: Float[Array, " n"],
    end: Float[Array, ""],
    max_spikes: int,
) -> LayerSpikes:
    """Simulates a layer for many samples at once, in natural units.

    **Arguments:** `weights`: a table whose rows are the weights to all neurons; `rows`: which row
    an event takes, r where a sample has no further event; `times`: of the events, ascending in
    [0, `end`] (`end` where there is none); `start`: angles at time 0, in [0, π]; `end` of the
    trial; `max_spikes`: room for spikes, static.

    **Returns:** spike times, the points at the end, and spike counts. Derivatives in `weights`,
    `times`, `start` and `end` are exact; forward mode is not available.
    """
    return _simulate(weights, rows, times, start, end, max_spikes)


def _simulate_plain(weights, rows, times, start, end, max_spikes):
    return _forward(weights, rows, times, start, end, max_spikes)[0]


_simulate = jax.custom_vjp(_simulate_plain, nondiff_argnums=(5,))


def _forward(weights, rows, times, start, end, max_spikes):
    events = _prepare(weights, rows, times, end)

    def chunk(n, carry):
        rows, begin, _, turns, number = events.chunk(n)

        def step(k, carry):
            point, slots = carry
            slots = _record(slots, point, begin[k])
            point = jax.tree.map(lambda x: x[k], turns)(point)
            return point._replace(c=point.c - events.weights(rows[k]) * point.s), slots

        point, slots = carry
        point = _normalise(point)
        return lax.fori_loop(0, number, step, (point, _record_scale(slots, point)))

    point = _initial(start, rows.shape[1])
    empty = jnp.zeros((max_spikes, *point.c.shape), point.c.dtype)
    slots = _Slots(empty, empty, empty, empty)
    point, slots = lax.fori_loop(0, events.chunks, chunk, (point, slots))
    last = events.begin[events.number]
    slots = _record(_record_scale(slots, point), point, last)
    point = _Turn.between(last, jnp.broadcast_to(end, last.shape))(point)

    sign = jnp.where(point.s > 0, 1, -1)
    size = jnp.sqrt(point.c**2 + point.s**2)
    result = LayerSpikes(
        _spike_times(slots, point), sign * point.c / size, sign * point.s / size, point.spikes
    )
    # the squared size of the point at each spike and at the end
    square = jnp.concatenate([slots.c**2 + slots.s**2, (size**2)[None]])
    scale = jnp.concatenate([slots.scale, point.scale[None]])
    return result, (weights, rows, times, start, end, result, square, scale)


def _backward(max_spikes, saved, cotangent):
    weights, rows, times, start, end, result, square, scale = saved
    events = _prepare(weights, rows, times, end)
    ones = jnp.ones(weights.shape[1], weights.dtype)
    angle = result.cos * cotangent.sin - result.sin * cotangent.cos
    spiked = jnp.where(jnp.isfinite(result.times), -cotangent.times, 0)
    ends = jnp.concatenate([spiked, angle[None]]) / square

    def chunk(n, carry):
        rows, _, times, turns, number = events.chunk(n)

        def step(k, carry):
            point, table_bar, times_bar = carry
            point = jax.tree.map(lambda x: x[k], turns)(point)
            v, s = events.weights(rows[k]), point.s
            c = point.c - v * s
            g = parts[-1]
            for spike, part in zip(result.times, parts[:-1], strict=True):
                g = g + jnp.where(spike >= times[k][:, None], part, 0)
            table_bar = table_bar.at[rows[k]].add(g * s * s, mode="promise_in_bounds")
            # a product with ones, because a CPU sums along rows one by one
            time_bar = (g * v * s * (point.c + c)) @ ones
            times_bar = lax.dynamic_update_index_in_dim(
                times_bar, time_bar, n * events.stride + k, 0
            )
            return point._replace(c=c), table_bar, times_bar

        point, table_bar, times_bar = carry
        point = _normalise(point)
        parts = ends * jnp.exp(2 * (point.scale[None] - scale))
        return lax.fori_loop(0, number, step, (point, table_bar, times_bar))

    point = _initial(start, rows.shape[1])
    _, table_bar, times_bar = lax.fori_loop(
        0, events.chunks, chunk, (point, jnp.zeros_like(events.table), jnp.zeros_like(times))
    )
    start_bar = jnp.sum(ends * jnp.exp(-2 * scale), axis=(0, 1))
    return table_bar[:-1], None, times_bar, start_bar, jnp.sum(angle)


_simulate.defvjp(_forward, _backward)


def _prepare(weights, rows, times, end) -> _Events:
    absent = weights.shape[0]
    e, b = rows.shape
    more = -e % _CHUNK + _CHUNK
    number = longest(rows < absent)
    table = jnp.concatenate([weights, jnp.zeros_like(weights[:1])])
    rows = jnp.concatenate([rows, jnp.full((more, b), absent, rows.dtype)])
    times = jnp.concatenate([times, jnp.broadcast_to(end, (more, b))])
    begin = jnp.concatenate([jnp.zeros_like(times[:1]), times[:-1]])
    return _Events(table, rows, begin, times, number, _stride(weights))


def _stride(weights: Array) -> Array:
    """So many events that squares of a point neither overflow nor vanish between them.

    A shear by v makes a point longer or shorter by 1 + |v| at most.
    """
    room = 0.45 * math.log(float(jnp.finfo(weights.dtype).max))
    events = jnp.floor(room / jnp.log1p(largest(jnp.abs(weights))))
    return jnp.clip(jnp.where(jnp.isfinite(events), events, _CHUNK), 1, _CHUNK).astype(jnp.int32)


def _initial(start: Array, samples: int) -> _Point:
    # Not s = 0, whose sign tells nothing: the line at π has its spike before it.
    s = jnp.maximum(jnp.sin(start), jnp.finfo(start.dtype).eps)
    c, s = (jnp.broadcast_to(x, (samples, start.shape[0])) for x in (jnp.cos(start), s))
    return _Point(c, s, jnp.zeros_like(c), jnp.zeros_like(c))


def _record(slots: _Slots, point: _Point, begin: Array) -> _Slots:
    """Notes where the interval begins in every slot whose spike is still to come.

    Sums of products with 0 and 1, exact, are several times faster than selections on a CPU.
    """
    coming = _coming(slots, point).astype(point.c.dtype)
    gone = 1 - coming
    time = begin[:, None] - math.pi * point.spikes
    return _Slots(
        coming * point.c[None] + gone * slots.c,
        coming * point.s[None] + gone * slots.s,
        slots.scale,
        coming * time[None] + gone * slots.time,
    )


def _record_scale(slots: _Slots, point: _Point) -> _Slots:
    """Notes the scale, which changes between chunks, likewise."""
    return slots._replace(scale=jnp.where(_coming(slots, point), point.scale[None], slots.scale))


def _coming(slots: _Slots, point: _Point) -> Array:
    return point.spikes[None] <= jnp.arange(len(slots.c), dtype=point.c.dtype)[:, None, None]


def _spike_times(slots: _Slots, point: _Point) -> Array:
    """Spike times of all slots; arctangents of all but the first only if there is such a spike."""
    number = jnp.arange(1, len(slots.c) + 1, dtype=point.c.dtype)[:, None, None]

    def times(c, s, time, number):
        until = number * math.pi - jnp.arctan2(jnp.abs(s), jnp.where(s > 0, c, -c))
        return jnp.where(point.spikes[None] >= number, time + until, jnp.inf)

    slots = slots.c, slots.s, slots.time, number
    first, later = ([x[part] for x in slots] for part in (slice(1), slice(1, None)))
    return jnp.concatenate(
        [
            times(*first),
            lax.cond(
                jnp.any(point.spikes > 1),
                lambda: times(*later),
                lambda: jnp.full_like(later[0], jnp.inf),
            ),
        ]
    )


def _normalise(point: _Point) -> _Point:
    size = jnp.sqrt(point.c**2 + point.s**2)
    return _Point(point.c / size, point.s / size, point.scale + jnp.log(size), point.spikes)
