"""One look for all figures: labels with units, legends, and the axes that are drawn into."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .._check import check, check_integer
from . import figures, layout, ticks
from .figures import SizedAxes, SizedFigure, root
from .size import GREY, SCREEN, Size, check_size

MEMBRANE_TIME = "time $t$ (membrane times)"
WEIGHT = "synaptic weight $w$"
VOLTAGE = "membrane potential $v$"
RATE = "network rate $\\bar N$\n(spikes / neuron / membrane time)"
POPULATION_RATES = "rates $r_k$\n(spikes / neuron / membrane time)"
RATES = "rate $N(w)$ (spikes /\nmembrane time / weight)"
WEIGHT_DENSITY = "weight density $H(w)$\n(1 / weight)"
GUIDE: dict[str, Any] = {"color": GREY, "linestyle": "--", "linewidth": 1}
"""Lines that mark a place."""
_ROWS = 3
"""The most rows of a legend above the axes."""


def figure(rows: int = 1, columns: int = 1, *, size: Size = SCREEN) -> tuple[Figure, Any]:
    """A new figure of so many panels, laid out so that nothing overlaps.

    **Arguments:** `rows`, `columns`: how many panels; `size`: `SCREEN`, `COLUMN` or `PAGE`, or a
    `Size` of one's own. What is drawn into the panels later, by the functions of this package, has
    its letters and lines.

    **Returns:** the figure, and its axes: one, or an array of shape `(rows, columns)` without the
    axes of length 1, as `Figure.subplots` gives them.

    **Raises:** `ValueError` unless there is at least one panel.
    """
    for name, value in (("rows", rows), ("columns", columns)):
        check_integer(name, value, at_least=1)
    check_size(size)
    new = figures.new(size, size.inches(rows, columns))
    return new, new.subplots(rows, columns)


def new_figure(width: float | int, height: float | int, *, size: Size = SCREEN) -> SizedFigure:
    """An empty figure of any width and height (inches), laid out so that nothing overlaps.

    **Arguments:** `width`, `height`: of the whole figure (inches); `size`: whose letters and lines
    it has.
    """
    return figures.new(size, (width, height))


@contextmanager
def drawing(ax: Axes | None, size: Size = SCREEN) -> Iterator[Axes]:
    """The axes to draw into, those given or those of a new figure, and its settings meanwhile.

    In a figure from elsewhere the user's own settings hold. Where it is not laid out, it is from
    now on, so that no label is cut.

    **Raises:** `ValueError` for what is no `Axes` or `Size`.
    """
    check(ax is None or isinstance(ax, Axes), f"ax = {ax!r}: must be Axes of matplotlib, or None")
    check_size(size)
    ax = figure(size=size)[1] if ax is None else ax
    assert ax is not None
    own = root(ax)
    with matplotlib.rc_context(own.size.settings if isinstance(own, SizedFigure) else {}):
        layout.make_room(ax)
        if not isinstance(ax, SizedAxes) and isinstance(own, SizedFigure) and not ax.has_data():
            ax.set_prop_cycle(None)  # of a part of the figure, which made them without its settings
        yield ax


def finish(
    ax: Axes, xlabel: str, ylabel: str, title: str | None = None, *, above: bool = False
) -> Axes:
    """The common look: labels, no box, and a legend where something is labelled.

    Labels longer than their panel take more lines.

    **Arguments:** `ax`: the axes; `xlabel`, `ylabel`, `title`: texts; `above`: whether the legend
    stands above the axes, where it hides nothing, if three rows are enough for it.

    **Raises:** `ValueError` for what is no `Axes`.
    """
    with drawing(ax):
        ax.set_xlabel(layout.fitting(xlabel, ax, upright=False))
        ax.set_ylabel(layout.fitting(ylabel, ax, upright=True))
        ticks.number(ax)
        if title is not None:
            ax.set_title(title, loc="left", fontsize="medium", fontweight="bold")
        ax.spines[["top", "right"]].set_visible(False)
        labels = ax.get_legend_handles_labels()[1]
        if labels:
            columns = layout.side_by_side(labels, ax) if above else 1
            outside = {"loc": "lower right", "bbox_to_anchor": (1, 1), "borderaxespad": 0}
            row = {"ncols": columns, "columnspacing": 1, "handlelength": 1.2}
            high = len(labels) > _ROWS * columns  # it would leave little of the panel
            ax.legend(
                frameon=False, fontsize="small", **(outside | row if above and not high else {})
            )
    return ax


def colorbar(ax: Axes, mappable: Any, label: str, **options: Any) -> None:
    """A scale of the colours beside the axes, of which it is a part for every layout."""
    part = ax.get_figure()
    assert part is not None
    bar = part.colorbar(mappable, cax=ax.inset_axes((1.04, 0, 0.05, 1)), **options)
    bar.set_label(layout.fitting(label, ax, upright=True))
