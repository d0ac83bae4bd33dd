"""One look for all figures: colours, labels with units, sizes, and the axes that are drawn into."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import matplotlib
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .._check import check, check_integer, check_positive

# Okabe and Ito's colours, which all common forms of colour vision tell apart.
BLACK, GREY, BLUE, RED = "#000000", "#8C8C8C", "#0072B2", "#D55E00"
GREEN, PINK, ORANGE, SKY = "#009E73", "#CC79A7", "#E69F00", "#56B4E9"
CYCLE = (BLUE, RED, GREEN, PINK, ORANGE, SKY)
HEAT = "cividis"

MEMBRANE_TIME = "time $t$ (membrane times)"
WEIGHT = "synaptic weight $w$"
VOLTAGE = "membrane potential $v$"
RATE = "network rate $\\bar N$\n(spikes / neuron / membrane time)"
RATES = "rate $N(w)$ (spikes /\nmembrane time / weight)"
WEIGHT_DENSITY = "weight density $H(w)$\n(1 / weight)"


@dataclass(frozen=True)
class Size:
    """How large a new figure is, and its letters.

    - `width`: of the figure (inches); of each of its panels where `widens`.
    - `height`: of a row of panels (inches).
    - `font`: size of letters (points), with which lines and marks scale.
    - `dpi`: dots by length where it is saved as dots (1 / inches).
    - `widens`: whether more panels side by side make the figure wider, rather than each narrower.

    **Raises:** `ValueError` unless all are positive.
    """

    width: float | int
    height: float | int
    font: float | int
    dpi: float | int = 300
    widens: bool = False

    def __post_init__(self):
        for name in ("width", "height", "font", "dpi"):
            check_positive(name, getattr(self, name))

    def inches(self, rows: int, columns: int) -> tuple[float, float]:
        """Width and height of a figure of so many `rows` and `columns` of panels (inches)."""
        return self.width * (columns if self.widens else 1), self.height * rows

    def columns(self, panels: int) -> int:
        """How many of so many `panels` stand side by side and can be read."""
        return panels if self.widens else min(panels, max(1, int(self.width / _NARROWEST)))

    @property
    def settings(self) -> dict[str, Any]:
        """Matplotlib's settings for figures of this size; the rest is as the user has it."""
        scale = self.font / 10
        ticks = {
            f"{axis}tick.{which}.{what}": scale * value
            for axis in "xy"
            for which, size, width in (("major", 3.5, 0.8), ("minor", 2.0, 0.6))
            for what, value in (("size", size), ("width", width), ("pad", 3.5))
        }
        return (
            _LOOK
            | ticks
            | {
                "font.size": self.font,
                "axes.linewidth": 0.8 * scale,
                "lines.linewidth": 1.5 * scale,
                "lines.markersize": 5 * scale,
                "lines.markeredgewidth": scale,
                "patch.linewidth": scale,
                "hatch.linewidth": scale,
            }
        )


SCREEN = Size(5.0, 3.6, 10, dpi=150, widens=True)
"""Panels of 5 inches, as many side by side as there are."""
COLUMN = Size(3.5, 2.5, 8)
"""A column of a journal, 3.5 inches wide."""
PAGE = Size(7.0, 2.5, 8)
"""Both columns of a journal, 7 inches wide."""

_NARROWEST = 2.3
"""Inches that a panel needs."""
_LOOK = (
    {
        "axes.prop_cycle": cycler(color=CYCLE),
        "image.cmap": HEAT,
        "axes.titlesize": "medium",
        "axes.labelsize": "medium",
        "xtick.labelsize": "medium",
        "ytick.labelsize": "medium",
        "legend.fontsize": "small",
        "legend.frameon": False,
        "pdf.fonttype": 42,  # letters that journals accept and editors can change
        "ps.fonttype": 42,
    }
    | dict.fromkeys(("figure.facecolor", "axes.facecolor", "savefig.facecolor"), "white")
    | dict.fromkeys(
        ("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color"), BLACK
    )
)
GUIDE = {"color": GREY, "linestyle": "--", "linewidth": 1}
"""Lines that mark a place."""


class SizedFigure(Figure):
    """A figure, outside of pyplot's global state, that is drawn with the settings of its size."""

    def __init__(self, size: Size, **settings: Any):
        self.size = size
        with matplotlib.rc_context(size.settings):
            super().__init__(dpi=size.dpi, layout="constrained", **settings)

    def add_subplot(self, *place: Any, **settings: Any) -> Axes:
        with matplotlib.rc_context(self.size.settings):
            return super().add_subplot(*place, **settings)

    def draw(self, renderer: Any) -> None:
        # Ticks and their labels are made when they are drawn.
        with matplotlib.rc_context(self.size.settings):
            super().draw(renderer)

    def savefig(self, fname: Any, **options: Any) -> None:
        with matplotlib.rc_context(self.size.settings):
            super().savefig(fname, **options)


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
    new = new_figure(*size.inches(rows, columns), size=size)
    return new, new.subplots(rows, columns)


def new_figure(width: float | int, height: float | int, *, size: Size = SCREEN) -> SizedFigure:
    """An empty figure of any width and height (inches), laid out so that nothing overlaps.

    **Arguments:** `width`, `height`: of the whole figure (inches); `size`: whose letters and lines
    it has.
    """
    return SizedFigure(size, figsize=(width, height))


@contextmanager
def drawing(ax: Axes | None, size: Size = SCREEN) -> Iterator[Axes]:
    """The axes to draw into, those given or those of a new figure, and its settings meanwhile.

    In a figure from elsewhere the user's own settings hold.

    **Raises:** `ValueError` for what is no `Axes` or `Size`.
    """
    check(ax is None or isinstance(ax, Axes), f"ax = {ax!r}: must be Axes of matplotlib, or None")
    check_size(size)
    ax = figure(size=size)[1] if ax is None else ax
    assert ax is not None
    own = root(ax)
    with matplotlib.rc_context(own.size.settings if isinstance(own, SizedFigure) else {}):
        yield ax


def root(ax: Axes) -> Figure:
    """The whole figure that axes belong to."""
    part = ax.get_figure()
    assert part is not None
    return part.figure


def check_size(size: Any) -> None:
    """Requires a `Size`."""
    check(
        isinstance(size, Size),
        f"size = {size!r}: must be SCREEN, COLUMN or PAGE of jaxnlif.plot, or a Size",
    )


def finish(
    ax: Axes, xlabel: str, ylabel: str, title: str | None = None, *, above: bool = False
) -> Axes:
    """The common look: labels, no box, and a legend where something is labelled.

    **Arguments:** `ax`: the axes; `xlabel`, `ylabel`, `title`: texts; `above`: whether the legend
    stands above the axes, where it hides nothing.

    **Raises:** `ValueError` for what is no `Axes`.
    """
    with drawing(ax):
        ax.set(xlabel=xlabel, ylabel=ylabel)
        if title is not None:
            ax.set_title(title, loc="left", fontsize="medium", fontweight="bold")
        ax.spines[["top", "right"]].set_visible(False)
        labels = ax.get_legend_handles_labels()[1]
        if labels:
            outside = {"loc": "lower right", "bbox_to_anchor": (1, 1), "borderaxespad": 0}
            place = outside | {"ncols": len(labels)} if above else {}
            ax.legend(frameon=False, fontsize="small", **place)
    return ax


def colorbar(ax: Axes, mappable: Any, label: str, **options: Any) -> None:
    """A scale of the colours beside the axes."""
    part = ax.get_figure()
    assert part is not None
    part.colorbar(mappable, ax=ax, label=label, **options)
