r"""The voltage step as one kernel: every thread of a GPU takes a column through all voltages.

The recursions are those of `mmatrix`, in units of the exchange $a/h^2$. Of the way up only every
`_SEGMENT`-th pivot and substituted right side is kept, and the rest is found again on the way down,
a segment at a time in registers: once for the mass, and once to write what has the right one. So
the density is read three times and written once.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from .. import _pallas
from ..grid import VoltageGrid
from .bernoulli import EVEN_LIMIT, bernoulli_even
from .cells import Inputs

_SEGMENT = 8  # 16 take twice as long to compile and are not faster


class Columns(NamedTuple):
    """What the columns are given, each an array `(w,)` (the density `(v, w)`).

    `drive` is the input μ, `cells` $h/a$, `kappa` $κ h^2/a$; `inflow`, what enters at the reset
    potential, $f h/a$, or `None` where that is what leaves at the threshold.
    """

    drive: Array
    cells: Array
    kappa: Array
    density: Array
    inflow: Array | None = None


def step(
    grid: VoltageGrid,
    inputs: Inputs,
    density: Array,
    inflow: Array | None = None,
    *,
    interpret: bool = False,
) -> Float[Array, "v w"]:
    """The density after `flux.shift_flux`, or with an inflow after `flux.absorb_flux`, of leaky
    neurons: the kernel makes their drift itself."""
    columns = _columns(grid, inputs, density, inflow)
    return _launch(_Voltages.of(grid), columns, False, interpret)


def probe(
    grid: VoltageGrid,
    inputs: Inputs,
    density: Array,
    inflow: Array | None = None,
    *,
    interpret: bool = False,
) -> Float[Array, " w"]:
    """The density that `step` leaves at the last node below the threshold."""
    columns = _columns(grid, inputs, density, inflow)
    return _launch(_Voltages.of(grid), columns, True, interpret)


def _columns(grid: VoltageGrid, inputs: Inputs, density: Array, inflow: Array | None) -> Columns:
    """Everything in units of the exchange between cells."""
    cells = grid.spacing / inputs.noise
    kappa = inputs.kappa * grid.spacing * cells
    every = jnp.ones_like(inputs.drive)
    entering = None if inflow is None else inflow * cells
    return Columns(inputs.drive, cells * every, kappa * every, density, entering)


class _Voltages(NamedTuple):
    """A voltage grid, hashable; `first` is the first interface."""

    num: int
    reset: int
    first: float
    spacing: float

    @classmethod
    def of(cls, grid: VoltageGrid) -> _Voltages:
        first = float(grid.minimum + 0.5 * grid.spacing)
        return cls(grid.num, grid.reset_index, first, float(grid.spacing))


class _Sum(NamedTuple):
    """A sum of segments with what rounding has left out of it (Kahan 1965).

    Segments are summed upwards on both ways, so that equal densities have equal masses, and the
    factor between the two has no preferred side.
    """

    total: Array
    excess: Array

    def add(self, segment: list[Array]) -> _Sum:
        part = sum(segment[1:], segment[0]) - self.excess
        total = self.total + part
        return _Sum(total, (total - self.total) - part)


_Sums = tuple[Array, _Sum]
"""On the way down: the solution in the row above, and the sum of it."""


class _Way(NamedTuple):
    """The way up: the rate from the row below, excess, substituted right sides and sums."""

    below: Array
    excess: Array
    y: Array
    z: Array
    held: Array
    mass: _Sum


def _launch(grid: _Voltages, columns: Columns, probing: bool, interpret: bool) -> Array:
    width, dtype = columns.drive.shape[0], columns.density.dtype
    more = max(0, _pallas.LANES - width)
    if more:
        columns = jax.tree.map(
            lambda x: jnp.pad(x, (*[(0, 0)] * (x.ndim - 1), (0, more)), "edge"), columns
        )
    total = width + more
    shape = (total,) if probing else columns.density.shape
    kept = jax.ShapeDtypeStruct((-(-grid.num // _SEGMENT), total), dtype)
    number = 0 if probing else 3 if columns.inflow is None else 2
    out = [jax.ShapeDtypeStruct(shape, dtype), *[kept] * number]
    body = partial(_body, grid, columns.inflow is not None, probing, total)
    blocks = -(-total // _pallas.LANES)
    new, *_ = _pallas.launch(body, out, blocks=blocks, interpret=interpret)(
        *jax.tree.leaves(columns)
    )
    return new[..., :width]


def _body(
    grid: _Voltages, absorbs: bool, probing: bool, width: int, block: Array, *refs: Any
) -> None:
    # The last block overlaps the one before it where the width does not divide.
    at = _pallas.lanes(jnp.minimum(block * _pallas.LANES, width - _pallas.LANES))
    drive, cells, kappa, density, *others = refs
    inflow = others.pop(0)[at] if absorbs else None
    column = _Column(grid, at, drive[at], cells[at], kappa[at], inflow, density)
    new, *kept = others
    if probing:
        new[at] = column.last(column.up(()))
    else:
        way = column.up(kept)
        # What rounding does to the mass of a column is returned to that column.
        found = column.mass(column.down(way, kept), way)
        factor = jnp.where(found > 0, way.mass.total / jnp.where(found > 0, found, 1), 0)
        column.down(way, kept, write=(new, factor * column.scale))


class _Column:
    """The columns of a block, one in each thread.

    `at` is where they are in the arrays of the kernel, of which `density` and what is `kept` are.
    """

    def __init__(
        self,
        grid: _Voltages,
        at: Any,
        drive: Array,
        cells: Array,
        kappa: Array,
        inflow: Array | None,
        density: Any,
    ):
        self.grid, self.at, self.density = grid, at, density
        self.drive, self.cells, self.kappa, self.inflow = drive, cells, kappa, inflow
        # The first segment takes the rows that do not fill one.
        self.first = grid.num % _SEGMENT or _SEGMENT
        self.segments = -(-grid.num // _SEGMENT)

    def begin(self, segment: Array) -> Array:
        return self.first + (segment - 1) * _SEGMENT

    def rates(self, row: int | Array) -> tuple[Array, Array]:
        """B(-x) and B(x) of the cell above a row."""
        dtype = self.drive.dtype
        face = jnp.asarray(row, jnp.int32).astype(dtype) * jnp.asarray(self.grid.spacing, dtype)
        x = (self.drive - (face + jnp.asarray(self.grid.first, dtype))) * self.cells
        size = jnp.abs(x)
        decay = jnp.exp(-size)
        smaller = jnp.where(
            size <= EVEN_LIMIT, bernoulli_even(x) - 0.5 * size, size * decay / (1 - decay)
        )
        larger = smaller + size
        return jnp.where(x > 0, larger, smaller), jnp.where(x > 0, smaller, larger)

    def source(self, row: int | Array) -> Array:
        return jnp.where(row == self.grid.reset, 1, 0).astype(self.drive.dtype)

    def given(self, start: int | Array, rows: int) -> list[Array]:
        """The right sides of some rows: the density, or with an inflow, fluxes."""
        density = [self.density[start + k, self.at] for k in range(rows)]
        if self.inflow is None:
            return density
        entering = (self.source(start + k) * self.inflow for k in range(rows))
        return [self.kappa * p + f for p, f in zip(density, entering, strict=True)]

    def up(self, kept: Sequence[Any]) -> _Way:
        """The way up, of which the beginning of each segment is kept."""

        def rows(start: int | Array, number: int, way: _Way) -> _Way:
            below, excess, y, z, held, mass = way
            given = self.given(start, number)
            for k, right in enumerate(given):
                up, down = self.rates(start + k)
                inverse = 1 / (excess + up)
                y = (right + below * y) * inverse
                if self.inflow is None:
                    z = (self.source(start + k) + below * z) * inverse
                    held = held + excess * z
                below, excess = up, self.kappa + down * inverse * excess
            return _Way(below, excess, y, z, held, mass.add(given))

        def segment(number: Array, way: _Way) -> _Way:
            keep(number, way)
            return rows(self.begin(number), _SEGMENT, way)

        def keep(number: int | Array, way: _Way) -> None:
            for ref, value in zip(kept, (way.excess, way.y, way.z), strict=False):
                ref[number, self.at] = value

        zero = 0 * self.kappa  # unlike zeros, it is laid out in a kernel as arrays are
        way = _Way(zero, self.kappa, zero, zero, zero, _Sum(zero, zero))
        keep(0, way)
        return lax.fori_loop(1, self.segments, segment, rows(0, self.first, way))

    def reentering(self, way: _Way) -> Array:
        """How much of z is in the solution: the flux through the threshold over what stays."""
        return way.below * way.y / way.held

    def last(self, way: _Way) -> Array:
        """The solution in the last row."""
        if self.inflow is not None:
            return way.y
        return self.scale * (way.y + self.reentering(way) * way.z)

    def mass(self, total: Array, way: _Way) -> Array:
        """The sum of the right side that a sum of the solution belongs to."""
        left = 0 if self.inflow is None else way.below * way.y
        return self.kappa * total + left

    @property
    def scale(self) -> Array:
        """The density in units of the solution."""
        return self.kappa if self.inflow is None else jnp.ones_like(self.kappa)

    def down(self, way: _Way, kept: Sequence[Any], write: tuple[Any, Array] | None = None) -> Array:
        """The sum of the solution; with `write`, an array and a factor, its multiple goes there."""
        entering = self.reentering(way) if self.inflow is None else None

        def rows(number: int | Array, start: int | Array, length: int, carry: _Sums) -> _Sums:
            x, total = carry
            excess, y = (ref[number, self.at] for ref in kept[:2])
            if entering is not None:
                y = y + entering * kept[2][number, self.at]
            below, _ = self.rates(start - 1)
            substituted = []
            for k, right in enumerate(self.given(start, length)):
                up, down = self.rates(start + k)
                inverse = 1 / (excess + up)
                if entering is not None:
                    right = right + self.source(start + k) * entering
                y = (right + below * y) * inverse
                ratio = down * inverse
                substituted.append((y, ratio))
                below, excess = up, self.kappa + ratio * excess
            solved = []
            for y, ratio in reversed(substituted):
                x = y + ratio * x
                solved.insert(0, x)
            if write is not None:
                new, factor = write
                for k, x_k in enumerate(solved):
                    new[start + k, self.at] = factor * x_k
            return x, total.add(solved)

        def segment(turn: Array, carry: _Sums) -> _Sums:
            number = self.segments - 1 - turn
            return rows(number, self.begin(number), _SEGMENT, carry)

        zero = 0 * self.kappa  # unlike zeros, it is laid out in a kernel as arrays are
        carry = lax.fori_loop(0, self.segments - 1, segment, (zero, _Sum(zero, zero)))
        return rows(0, 0, self.first, carry)[1].total
