"""The loops of a layer as kernels: one launch for all events, and one for the way back.

A block holds 128 neurons of one sample. What a loop carries stays in registers; turns between
events are tables made outside. The way back writes what each event adds to the cotangent of its row
of weights, which XLA then sums, for so many samples at a time that this takes little memory.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeVar

import jax
import jax.numpy as jnp
from jax import Ref, lax
from jaxtyping import Array, Float, Int

from .. import _pallas
from .._pallas import LANES
from .projective import Point, Slots, Turn, event_cotangents, scaled, still_to_come

Arrays = tuple[Array, ...]
Carry = tuple[Point, list[Slots]]
State = TypeVar("State")
Launch = Callable[[Arrays, Array, Arrays, Arrays], list[Array]]

_MOST_SPIKES = 16
"""For which there are registers."""

_ROOM = 2**26
"""Numbers that the cotangents of events take at once."""


class Steps(NamedTuple):
    """The table of weights with a row of zeros for absent events, and the events.

    `begin` is the time of the event before, that of the last included; `number` that of events in
    the sample with most, and `stride` that of events between two normalisations.
    """

    table: Float[Array, "r n"]
    rows: Int[Array, "e b"]
    begin: Float[Array, "e+1 b"]
    times: Float[Array, "e b"]
    number: Int[Array, ""]
    stride: Int[Array, ""]


def fits(dtype: Any, max_spikes: int) -> bool:
    """Whether the registers of a GPU hold a layer."""
    return max_spikes <= _MOST_SPIKES and jnp.dtype(dtype) in (jnp.float32, jnp.float64)


def run(
    steps: Steps, point: Point, max_spikes: int, *, interpret: bool = False
) -> tuple[Point, Slots]:
    """The point at the last event, and the slots; `point` is that at time 0."""

    def body(
        block: Array,
        number: Ref,
        stride: Ref,
        table: Ref,
        rows: Ref,
        begin: Ref,
        half: Ref,
        cos: Ref,
        sin: Ref,
        c: Ref,
        s: Ref,
        *outputs: Ref,
    ) -> None:
        sample, _, lanes = _place(block, c)

        def chunk(first: Array, last: Array, carry: Carry) -> Carry:
            def step(k: Array, carry: Carry) -> Carry:
                point, slots = carry
                time = begin[k, sample]
                slots = [slot.noted(point, time, float(j)) for j, slot in enumerate(slots)]
                point = Turn(half[k, sample], cos[k, sample], sin[k, sample])(point)
                return point.sheared(table[rows[k, sample], lanes]), slots

            point, slots = carry
            point = point.normalised()
            slots = [slot.noted_scale(point, float(j)) for j, slot in enumerate(slots)]
            return lax.fori_loop(first, last, step, (point, slots))

        point = Point.at(c[sample, lanes], s[sample, lanes])
        slots = [Slots(*[point.scale] * 4)] * max_spikes
        point, slots = _over_chunks(chunk, number[0], stride[0], (point, slots))
        for j, arrays in enumerate([point, *slots]):
            for output, x in zip(outputs[:4] if j == 0 else outputs[4:], arrays, strict=True):
                output[max(j - 1, 0) * c.shape[0] + sample, lanes] = x

    @_with_mapped_samples
    def launch(counts: Arrays, table: Array, events: Arrays, points: Arrays) -> list[Array]:
        b, n = points[0].shape
        width = _whole(n)
        one, all_ = (jax.ShapeDtypeStruct((k * b, width), table.dtype) for k in (1, max_spikes))
        kernel = _pallas.launch(
            body, [one] * 4 + [all_] * 4, blocks=b * width // LANES, interpret=interpret
        )
        outputs = kernel(*counts, _padded(table, 0.0), *events, *_padded_start(*points))
        return [x.reshape(-1, b, width)[..., :n] for x in outputs]

    outputs = launch(
        _counts(steps), steps.table, _events(steps, steps.begin[:-1]), (point.c, point.s)
    )
    return Point(*(x[0] for x in outputs[:4])), Slots(*outputs[4:])


def run_back(
    steps: Steps,
    point: Point,
    spikes: Float[Array, "k b n"],
    ends: Float[Array, "l b n"],
    scale: Float[Array, "l b n"],
    *,
    interpret: bool = False,
    room: int = _ROOM,
) -> tuple[Array, Array]:
    """Cotangents of the table, and of the times of events.

    **Arguments:** `point`, that at time 0; `spikes`: their times; `ends`: what each of them, and
    the end, has in g, in the `scale` of then.
    """
    e, b = steps.rows.shape
    absent = len(steps.table) - 1
    size = max(1, min(b, room // (e * _whole(point.c.shape[1]))))
    groups = -(-b // size)

    def grouped(x: Array, axis: int, fill: int = 0) -> Array:
        padding = [(0, 0)] * x.ndim
        padding[axis] = (0, groups * size - b)
        x = jnp.pad(x, padding, constant_values=fill)
        return jnp.moveaxis(x.reshape(*x.shape[:axis], groups, size, *x.shape[axis + 1 :]), axis, 0)

    def group(table_bar: Array, x: Sequence[Array]) -> tuple[Array, Array]:
        rows, begin, times, c, s, *rest = x
        part = steps._replace(rows=rows, begin=begin, times=times)
        rows_bar, times_bar = _event_cotangents(part, Point.at(c, s), *rest, interpret=interpret)
        # Absent events, and those after the last, of which nothing is written, are left out.
        there = (rows < absent) & (jnp.arange(e)[:, None] < steps.number)
        rows = jnp.where(there, rows, absent + 1)
        table_bar = table_bar.at[rows].add(rows_bar, mode="drop")
        return table_bar, jnp.where(there, times_bar, 0)

    parts = (
        grouped(steps.rows, 1, absent),
        grouped(steps.begin, 1),
        grouped(steps.times, 1),
        grouped(point.c, 0, 1),
        grouped(point.s, 0),
        *(grouped(x, 1) for x in (spikes, ends, scale)),
    )
    nothing = jnp.zeros_like(steps.table)
    if groups == 1:
        return group(nothing, [x[0] for x in parts])
    table_bar, times_bar = lax.scan(group, nothing, parts)
    return table_bar, jnp.moveaxis(times_bar, 0, 1).reshape(e, -1)[:, :b]


def _event_cotangents(
    steps: Steps,
    point: Point,
    spikes: Float[Array, "k b n"],
    ends: Float[Array, "l b n"],
    scale: Float[Array, "l b n"],
    *,
    interpret: bool,
) -> tuple[Float[Array, "e b n"], Float[Array, "e b"]]:
    """Cotangents of the row and the time of each event."""

    def body(
        block: Array,
        number: Ref,
        stride: Ref,
        table: Ref,
        rows: Ref,
        times: Ref,
        half: Ref,
        cos: Ref,
        sin: Ref,
        c: Ref,
        s: Ref,
        *more: Ref,
    ) -> None:
        spikes, ends, scales, rows_bar, times_bar = more
        sample, column, lanes = _place(block, c)
        b, width = c.shape

        def of_sample(ref: Ref) -> list[Array]:
            return [ref[j * b + sample, lanes] for j in range(ref.shape[0] // b)]

        spikes, ends, scales = of_sample(spikes), of_sample(ends), of_sample(scales)

        def chunk(first: Array, last: Array, point: Point) -> Point:
            def step(k: Array, point: Point) -> Point:
                point = Turn(half[k, sample], cos[k, sample], sin[k, sample])(point)
                weight = table[rows[k, sample], lanes]
                after = point.sheared(weight)
                g = still_to_come(parts[:-1], spikes, parts[-1], times[k, sample])
                row_bar, time_bar = event_cotangents(point, after, weight, g)
                rows_bar[k * b + sample, lanes] = row_bar
                times_bar[k, sample * (width // LANES) + column] = jnp.sum(time_bar)
                return after

            point = point.normalised()
            parts = [scaled(x, point.scale, y) for x, y in zip(ends, scales, strict=True)]
            return lax.fori_loop(first, last, step, point)

        point = Point.at(c[sample, lanes], s[sample, lanes])
        _over_chunks(chunk, number[0], stride[0], point)

    @_with_mapped_samples
    def launch(counts: Arrays, table: Array, events: Arrays, points: Arrays) -> list[Array]:
        c, s, *more = points
        e, (b, n) = len(events[0]), c.shape
        width = _whole(n)
        outputs = [
            jax.ShapeDtypeStruct((e * b, width), c.dtype),
            jax.ShapeDtypeStruct((e, b * width // LANES), c.dtype),
        ]
        kernel = _pallas.launch(body, outputs, blocks=b * width // LANES, interpret=interpret)
        more = [_padded(x, 0.0).reshape(-1, width) for x in more]
        rows_bar, times_bar = kernel(
            *counts, _padded(table, 0.0), *events, *_padded_start(c, s), *more
        )
        times_bar = jnp.sum(times_bar.reshape(e, b, -1), -1, keepdims=True)
        return [rows_bar.reshape(e, b, width)[..., :n], times_bar]

    rows_bar, times_bar = launch(
        _counts(steps),
        steps.table,
        _events(steps, steps.times),
        (point.c, point.s, spikes, ends, scale),
    )
    return rows_bar, times_bar[..., 0]


# ---- in a kernel -----------------------------------------------------------------------------


def _place(block: Array, c: Ref) -> tuple[Array, Array, Any]:
    """Of a block the sample, the number among its neurons, and which neurons."""
    columns = c.shape[1] // LANES
    sample, column = lax.div(block, jnp.int32(columns)), lax.rem(block, jnp.int32(columns))
    return sample, column, _pallas.lanes(column * LANES)


def _over_chunks(
    chunk: Callable[[Array, Array, State], State], number: Array, stride: Array, carry: State
) -> State:
    """Calls `chunk(first, last, carry)` for all events, from `first` to before `last`."""

    def one(n: Array, carry: State) -> State:
        first = n * stride
        return chunk(first, jnp.minimum(first + stride, number), carry)

    return lax.fori_loop(0, lax.div(number + stride - 1, stride), one, carry)


# ---- around kernels --------------------------------------------------------------------------


def _with_mapped_samples(launch: Launch) -> Launch:
    """A launch whose samples under `vmap` are one by one those of all that is mapped.

    It takes counts, a table, events `(…, b)` of which the first are rows, and points `(…, b, n)`,
    and returns arrays `(…, b, n)`.
    """
    folded = jax.custom_batching.custom_vmap(launch)

    @folded.def_vmap
    def _(
        size: int,
        mapped: Sequence[Any],
        counts: Arrays,
        table: Array,
        events: Arrays,
        points: Arrays,
    ) -> tuple[list[Array], list[bool]]:
        def everywhere(x: Array, is_mapped: bool) -> Array:
            return x if is_mapped else jnp.broadcast_to(x[None], (size, *x.shape))

        # counts are never mapped: they are those of all, see `order`
        _, table_mapped, *both_mapped = mapped
        events, points = jax.tree.map(everywhere, (events, points), tuple(both_mapped))
        if table_mapped:
            offset = table.shape[1] * jnp.arange(size, dtype=jnp.int32)
            events = (events[0] + offset[:, None, None], *events[1:])
            table = table.reshape(-1, table.shape[-1])
        outputs = folded(
            counts,
            table,
            tuple(_fold(x, -1) for x in events),
            tuple(_fold(x, -2) for x in points),
        )
        return [_unfold(x, size) for x in outputs], [True] * len(outputs)

    return folded


def _fold(x: Array, axis: int) -> Array:
    """With the first axis joined to that of samples, `axis` from the end."""
    x = jnp.moveaxis(x, 0, axis - 1)
    after = x.shape[x.ndim + axis + 1 :]
    return x.reshape(*x.shape[: axis - 1], -1, *after)


def _unfold(x: Float[Array, "... m n"], size: int) -> Float[Array, "size ... b n"]:
    """The inverse for points."""
    *more, m, n = x.shape
    return jnp.moveaxis(x.reshape(*more, size, m // size, n), -3, 0)


def _counts(steps: Steps) -> tuple[Array, Array]:
    return steps.number.astype(jnp.int32).reshape(1), steps.stride.astype(jnp.int32).reshape(1)


def _events(steps: Steps, times: Float[Array, "e b"]) -> tuple[Array, ...]:
    """Rows, the times that a kernel needs, and turns."""
    return steps.rows.astype(jnp.int32), times, *Turn.between(steps.begin[:-1], steps.times)


def _whole(n: int) -> int:
    """Neurons in whole blocks."""
    return -(-n // LANES) * LANES


def _padded(x: Float[Array, "... n"], fill: float) -> Float[Array, "... m"]:
    padding = [(0, 0)] * (x.ndim - 1) + [(0, _whole(x.shape[-1]) - x.shape[-1])]
    return jnp.pad(x, padding, constant_values=fill)


def _padded_start(c: Float[Array, "b n"], s: Float[Array, "b n"]) -> tuple[Array, Array]:
    """With further neurons at (1, 0)."""
    return _padded(c, 1.0), _padded(s, 0.0)
