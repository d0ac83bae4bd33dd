"""Initial densities: a Gaussian, an array, or samples."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from . import _tolerance
from ._check import check, check_finite, check_positive, check_scalar, is_concrete, known, shown
from .grid import Grid
from .model._leaf import as_leaf


def gaussian(
    grid: Grid, *, v: tuple[ArrayLike, ArrayLike], w: tuple[ArrayLike, ArrayLike] | None = None
) -> Float[Array, "v w"]:
    """A normal density in voltage and, for a structured network, in weight; mass 1 on the grid.

    **Arguments:**

    - `grid`: where the density lives.
    - `v`: mean and variance of the potentials (voltage, voltage²).
    - `w`: mean and variance of the weights (weight, weight²); `None` for an unstructured network.

    **Returns:** density of shape `(v, w)` (1 / voltage / weight); of populations, each has it.

    **Raises:** `ValueError` if a mean is off the grid, a variance is not positive, or `w` is
    missing (given) for a structured (unstructured) network.
    """
    _check_weight_argument(grid, w)
    nodes, moments = [grid.v.nodes], [_moments("v", v, grid.v.minimum, grid.v.threshold)]
    if grid.w is not None:
        nodes.append(grid.w.centers)
        moments.append(_moments("w", w, grid.w.minimum, grid.w.maximum))
    given = jax.tree.map(lambda x: x.astype(grid.dtype), (nodes, moments))
    density = _product(*given, grid.cell_area)
    return density if grid.populations is None else jnp.broadcast_to(density, grid.shape)


def at_reset(grid: Grid) -> Float[Array, "v w"]:
    """All neurons at the reset potential, as just after a spike; weights, if any, equally filled.

    **Arguments:** `grid`: where the density lives.

    **Returns:** density of shape `(v, w)` and mass 1 (1 / voltage / weight).
    """
    density = jnp.zeros(grid.shape, grid.dtype).at[grid.v.reset_index].set(1)
    return density / _mass_of_columns(grid, density)


def normalise(grid: Grid, values: ArrayLike | Sequence) -> Float[Array, "v w"]:
    """A non-negative array, scaled to mass 1 on the grid.

    **Arguments:** `grid`: where the density lives; `values`: shape `(v, w)`, any unit.

    **Returns:** density of shape `(v, w)` (1 / voltage / weight).

    **Raises:** `ValueError` if the shape is wrong, an entry is negative or not finite, or all are
    zero.
    """
    density = as_leaf("values", values).astype(grid.dtype)
    _check_entries(grid, density, "values")
    if is_concrete(values):
        for mass in np.ravel(grid.mass(density)):
            check(0 < mass < np.inf, f"values: have the mass {mass:g}, which cannot be made 1")
    return density / _mass_of_columns(grid, density)


def _mass_of_columns(grid: Grid, density: Float[Array, "v w"]) -> Float[Array, "1 #w"]:
    """The mass of all columns, or that of each population."""
    return jnp.reshape(grid.mass(density), (1, -1)).astype(grid.dtype)


def from_samples(
    grid: Grid, *, v: ArrayLike | Sequence, w: ArrayLike | Sequence | None = None
) -> Float[Array, "v w"]:
    """The density of a sample of neurons: each adds its share to the nearest node and weight cell.

    **Arguments:**

    - `grid`: where the density lives.
    - `v`: membrane potentials of the neurons, shape `(k,)` (voltage).
    - `w`: their weights, shape `(k,)` (weight); `None` for an unstructured network.

    **Returns:** density of shape `(v, w)` and mass 1 (1 / voltage / weight).

    **Raises:** `ValueError` if a neuron lies off the grid, the samples are empty, not finite or not
    as many, or `w` is missing (given) for a structured (unstructured) network.
    """
    _check_weight_argument(grid, w)
    check(
        grid.populations is None, "grid: is of populations; take the samples of one after another"
    )
    rows = _bin("v", v, grid.v.minimum, grid.v.threshold, grid.v.num, offset=0.5)
    if grid.w is None:
        columns = np.zeros_like(rows)
    else:
        columns = _bin("w", w, grid.w.minimum, grid.w.maximum, grid.w.num, offset=0.0)
        check(
            columns.shape == rows.shape,
            f"w: {columns.size} samples, but v has {rows.size}; there must be one of each a neuron",
        )
    counts = np.zeros(grid.shape)
    np.add.at(counts, (rows, columns), 1)
    return jnp.asarray(counts / (rows.size * grid.cell_area), grid.dtype)


def check_density(grid: Grid, density: ArrayLike) -> None:
    """Requires shape `(v, w)`, entries that are finite and not negative, and mass 1."""
    _check_entries(grid, density)
    columns = known(density).sum(axis=0) * grid.cell_area
    for mass in (columns.sum(),) if grid.populations is None else columns:
        check(
            abs(mass - 1) <= _tolerance.unit_mass(grid.dtype),
            f"y0: {shown('mass', mass)}: must be 1 (jaxnlif.normalise(grid, array) scales an array)"
            + ("" if grid.populations is None else ", that of each population"),
        )


def _check_entries(grid: Grid, density: ArrayLike, name: str = "y0") -> None:
    check_finite(name, density)
    shape = np.shape(density)
    check(
        shape == grid.shape,
        f"{name}: shape {shape}: must be {grid.shape}, voltages by weights",
    )
    check_positive(name, density, allow_zero=True)


def _check_weight_argument(grid: Grid, w: Any) -> None:
    if grid.w is None:
        check(w is None, "w: must not be given for an unstructured network (a grid without w)")
    else:
        check(w is not None, "w: must be given for a structured network (a grid with w)")


def _moments(name: str, moments: Any, low: float, high: float) -> tuple[Array, Array]:
    """Mean and variance, which are checked."""
    try:
        mean, variance = moments
    except (TypeError, ValueError):
        raise ValueError(f"{name} = {moments!r}: must be (mean, variance)") from None
    check_scalar(f"{name} mean", mean)
    check_scalar(f"{name} variance", variance)
    check_positive(f"{name} variance", variance)
    check_finite(f"{name} mean", mean)
    if is_concrete(mean):
        check(
            low <= float(mean) <= high,
            f"{name} mean = {mean}: must lie on the grid, between {low} and {high}",
        )
    return as_leaf(f"{name} mean", mean), as_leaf(f"{name} variance", variance)


@jax.jit
def _product(
    nodes: list[Array], moments: list[tuple[Array, Array]], area: ArrayLike
) -> Float[Array, "v w"]:
    """The density whose parts are Gaussians, in voltage and, if there is one, in weight."""
    v, *w = (_shares(x, *of_x) for x, of_x in zip(nodes, moments, strict=True))
    density = v[:, None] * w[0][None] if w else v[:, None]
    return density / area


def _shares(nodes: Array, mean: Array, variance: Array) -> Array:
    """Of a Gaussian at each node, relative to the nearest one: however narrow, they add up to 1."""
    distance = jnp.abs(nodes - mean)
    nearest = lax.stop_gradient(jnp.min(distance))
    shares = jnp.exp(-(distance - nearest) * (distance + nearest) / (2 * variance))
    return shares / jnp.sum(shares)


def _bin(
    name: str, samples: Any, low: float, high: float, num: int, *, offset: float
) -> np.ndarray:
    check_finite(name, samples)
    samples = np.asarray(samples, dtype=float)
    check(samples.ndim == 1 and samples.size > 0, f"{name}: samples must be a non-empty 1-D array")
    outside = (samples < low) | (samples > high)
    if np.any(outside):
        worst = samples[outside][0]
        raise ValueError(f"{name} = {worst:g}: must lie on the grid, between {low} and {high}")
    index = np.floor((samples - low) / (high - low) * num + offset).astype(int)
    return np.minimum(index, num - 1)
