"""The density of the membrane potential: heat map, curve, and course in time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke
from numpy.typing import ArrayLike

from .._check import check, check_positive
from ..grid import Grid
from ..integrate.solution import Solution
from . import lines
from ._data import (
    edges,
    final_density,
    grid_of,
    numbered,
    place_of,
    population_names,
    time_label,
)
from ._voltages import Voltages
from .figures import root
from .size import BLACK, HEAT, SCREEN, Size
from .style import GUIDE, VOLTAGE, WEIGHT, colorbar, drawing, finish

DENSITY = "density $p(v)$\n(1 / voltage)"
DENSITY_BY_WEIGHT = "density $p(v, w)$\n(1 / voltage / weight)"
_NARROW = 1.5
"""Below so many inches reset and threshold have no room for a word."""


def density(
    sol: Solution | ArrayLike,
    grid: Grid | None = None,
    ax: Axes | None = None,
    *,
    size: Size = SCREEN,
    **line: Any,
) -> Axes:
    r"""The density $p(v, w)$, a heat map, with reset and threshold; a curve if unstructured.

    Of a network of populations a curve of each, by name, in its own voltages. Where these differ,
    dashed lines are resets and dotted ones thresholds.

    **Arguments:** `sol`: a solution, of which the last state is drawn, or a density of shape
    `(v, w)` (1 / voltage / weight); `grid`: that of such a density; `ax`, `size`, `line`: as for
    `rate`; a heat map has no line.

    **Raises:** `ValueError` for an array without a grid or of another shape, and for no keyword of
    a line.
    """
    axis, names = None, None
    if isinstance(sol, Solution):
        grid, values = grid_of(sol, populations=True), final_density(sol)
        axis, names = Voltages.of(sol), population_names(sol)
    else:
        check(grid is not None, "grid: must be given with an array")
        check(isinstance(grid, Grid), f"grid = {grid!r}: must be a Grid")
        values = np.asarray(sol)
    assert grid is not None
    check(
        values.shape == grid.shape,
        f"density: shape {values.shape}: must be that of its grid, {grid.shape}",
    )
    check(
        grid.w is None or not lines.options(line),
        f"{', '.join(line)}: a density with a weight axis is a heat map, which has no line",
    )
    if names is None and grid.populations is not None:
        names = numbered(grid.populations)
    lines.options(line)
    with drawing(ax, size) as ax:
        if grid.w is None:
            density_curves(values, axis or Voltages.alike(grid), ax, names, line)
        else:
            density_map(values, grid, ax)
    return ax


def density_over_time(
    sol: Solution,
    ax: Axes | None = None,
    *,
    population: str | int | None = None,
    vmax: float | int | None = None,
    size: Size = SCREEN,
) -> Axes:
    r"""The density $p(v, t)$ of an unstructured network, a heat map, with reset and threshold.

    Of a network of populations that of one, in its own voltages.

    **Arguments:** `sol`, `ax`, `size`: as for `rate`; `population`: its name or number, `None`
    without populations; `vmax`: where the scale of colours ends, by default where the largest
    density stays below at nine times in ten (1 / voltage).

    **Raises:** `ValueError` for a network with a weight axis, or without saved densities, and for a
    population that there is not.
    """
    grid = grid_of(sol, populations=True)
    check(grid.w is None, "sol: has a weight axis; weights_over_time and animate draw its course")
    place = place_of(sol, population)
    check_saved(sol)
    if vmax is not None:
        check_positive("vmax", vmax)
    v = Voltages.of(sol).one(place)
    values = np.asarray(sol.saved)[:, :, place] / float(v.unit[0])
    with drawing(ax, size) as ax:
        times = edges(np.asarray(sol.ts))
        voltages = np.append(v.nodes[:, 0], v.threshold) - v.spacing / 2
        end = usual_top(values.max(axis=1)) if vmax is None else vmax
        image = ax.pcolormesh(times, voltages, values.T, cmap=HEAT, vmax=end, rasterized=True)
        colorbar(ax, image, DENSITY, extend="max" if values.max() > end else "neither")
        ax.set_xlim(float(sol.ts[0]), float(sol.ts[-1]))
        _mark(float(v.reset[0]), float(v.threshold[0]), float(voltages[0] + v.spacing[0] / 2), ax)
        names = population_names(sol)
        return finish(ax, time_label(sol), VOLTAGE, None if names is None else names[place])


def usual_top(largest: Float[np.ndarray, " k"]) -> float:
    """Where scales end: a little above the largest density of nine times in ten, if not of all."""
    usual = 1.1 * float(np.quantile(largest, 0.9, method="lower"))
    return min(usual, float(largest.max()))


def check_saved(sol: Solution) -> None:
    """Requires saved densities."""
    check(
        sol.holds_density,
        "sol: holds no densities, because SaveAt was given another fn; solve with SaveAt(num=...)",
    )


def density_curves(
    values: Float[np.ndarray, "v k"],
    axis: Voltages,
    ax: Axes,
    names: Sequence[str] | None,
    line: Mapping[str, Any],
) -> list[Line2D]:
    """Draws $p(v)$ of all columns down to 0 at the threshold; returns their lines.

    **Arguments:** `names`: of populations; `line`: keywords of all.
    """
    every = [lines.options(line)] if names is None else lines.each(names, line)
    heights = np.append(values / axis.unit, np.zeros((1, values.shape[1])), axis=0)
    places = np.append(axis.nodes, axis.threshold[None], axis=0)
    drawn = [
        ax.plot(v, p, **keywords)[0]
        for v, p, keywords in zip(places.T, heights.T, every, strict=True)
    ]
    if axis.common:
        mark_voltages(float(axis.reset[0]), float(axis.threshold[0]), ax)
    else:
        for k, curve in enumerate(drawn):
            own: dict[str, Any] = {"color": curve.get_color(), "linewidth": 0.8}
            ax.axvline(axis.reset[k], linestyle="--", **own)
            ax.axvline(axis.threshold[k], linestyle=":", **own)
    finish(ax, VOLTAGE, DENSITY)
    return drawn


def mark_voltages(reset: float, threshold: float, ax: Axes) -> None:
    """Upright lines at reset and threshold, with their names above the axes."""
    place = {"ha": "center", "va": "bottom", "transform": ax.get_xaxis_transform()}
    there = {text.get_text() for text in ax.texts}
    for position, name in ((reset, "$V_R$"), (threshold, "$V_F$")):
        if name not in there:
            ax.axvline(position, **GUIDE)
            ax.text(position, 1, name, **place)


def density_map(
    values: Float[np.ndarray, "v w"],
    grid: Grid,
    ax: Axes,
    *,
    vmax: float | int | None = None,
    clipped: bool = False,
) -> Any:
    """Draws $p(v, w)$ with a scale of colours, which says if some are beyond; returns its image."""
    v, w = grid.v, grid.w
    assert w is not None
    half = v.spacing / 2
    extent = (w.minimum, w.maximum, v.minimum - half, v.threshold - half)
    options = {"origin": "lower", "aspect": "auto", "cmap": HEAT, "vmin": 0, "vmax": vmax}
    image = ax.imshow(values, extent=extent, **options)
    colorbar(ax, image, DENSITY_BY_WEIGHT, extend="max" if clipped else "neither")
    _mark(v.reset, v.threshold, v.minimum, ax)
    finish(ax, WEIGHT, VOLTAGE)
    return image


def _mark(reset: float, threshold: float, minimum: float, ax: Axes) -> None:
    """Lines at reset and threshold, their names at the right, and room above for them."""
    ax.set_ylim(top=threshold + 0.08 * (threshold - minimum))
    blend, dark = ax.get_yaxis_transform(), [withStroke(linewidth=2, foreground=BLACK)]
    narrow = ax.bbox.width < _NARROW * root(ax).dpi
    for position, word, symbol, color, outline in (
        (reset, "reset ", "$V_R$", "white", dark),
        (threshold, "threshold ", "$V_F$", BLACK, []),
    ):
        name = symbol if narrow else word + symbol
        keywords: dict[str, Any] = GUIDE | {"color": color}
        ax.axhline(position, **keywords)
        place = {"ha": "right", "va": "bottom", "transform": blend, "path_effects": outline}
        ax.text(1, position, name + " ", color=color, **place)
