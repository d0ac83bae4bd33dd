"""Room for labels: in figures that are not laid out, and in narrow panels."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.layout_engine import (
    ConstrainedLayoutEngine,
    PlaceHolderLayoutEngine,
    TightLayoutEngine,
)
from matplotlib.textpath import TextPath

from .figures import root

_WORD = re.compile(r"(?:\$[^$]*\$|\S)+")
"""What stays in one line; formulas hold spaces."""
_SIDES = ("left", "right", "bottom", "top", "wspace", "hspace")


class _Fitting(PlaceHolderLayoutEngine):
    """Makes room for labels at each drawing, until the user lays the figure out."""

    def __init__(self, figure: Figure):
        super().__init__(adjust_compatible=True, colorbar_gridspec=True)
        self._sides = _sides(figure)

    def execute(self, fig: Figure) -> None:
        if _sides(fig) == self._sides:
            engine = TightLayoutEngine() if _has_empty_cells(fig) else ConstrainedLayoutEngine()
            engine.execute(fig)
            self._sides = _sides(fig)


def make_room(ax: Axes) -> None:
    """Has the figure of these axes laid out so that nothing overlaps, unless the user did that."""
    figure, place = root(ax), ax.get_subplotspec()
    if figure.get_layout_engine() is not None or place is None:
        return
    settings: Any = matplotlib.rcParams
    default = tuple(settings[f"figure.subplot.{side}"] for side in _SIDES)
    outermost = place.get_topmost_subplotspec().get_gridspec()
    own = outermost.locally_modified_subplot_params()  # pyright: ignore
    if _sides(figure) == default and not own:
        figure.set_layout_engine(_Fitting(figure))


def _sides(figure: Figure) -> tuple[float, ...]:
    return tuple(getattr(figure.subplotpars, side) for side in _SIDES)


def _has_empty_cells(figure: Figure) -> bool:
    """Whether a grid of panels has a row or column of no size, as colour bars of Matplotlib have.

    The constrained layout divides by these.
    """
    places = [ax.get_subplotspec() for ax in figure.axes]
    grids = [place.get_gridspec() for place in places if place is not None]
    return any(0 in np.append(grid.get_width_ratios(), grid.get_height_ratios()) for grid in grids)


def side_by_side(labels: Sequence[str], ax: Axes) -> int:
    """How many columns of a legend above the axes are no wider than these.

    All of them if they fit in one row.
    """
    size = float(FontProperties(size=matplotlib.rcParams["legend.fontsize"]).get_size_in_points())
    lengths = [TextPath((0, 0), text or " ", size=size).get_extents().width for text in labels]
    part, place = ax.get_figure(), ax.get_subplotspec()
    assert part is not None
    box = ax.get_position() if place is None else place.get_position(part)  # pyright: ignore
    room = 72 * float(np.asarray(part.bbox.size)[0]) / root(ax).dpi * box.width
    marks = 3.0 * size  # the line, and what is between it, its label and the next column
    if sum(lengths) + marks * len(lengths) <= room:
        return len(lengths)
    return max(1, min(len(lengths), int(room / (max(lengths) + marks))))


def fitting(text: str, ax: Axes, *, upright: bool) -> str:
    """A label of an axis, in as many lines as it takes to be no longer than its panel.

    **Arguments:** `upright`: whether it stands along the vertical axis.
    """
    label = (ax.yaxis if upright else ax.xaxis).label
    part, place = ax.get_figure(), ax.get_subplotspec()
    assert part is not None
    box = ax.get_position() if place is None else place.get_position(part)  # pyright: ignore
    width, height = np.asarray(part.bbox.size) / root(ax).dpi
    # Labels may stand out a little where rows are apart.
    room = 72 * (1.15 * height * box.height if upright else width * box.width)

    def length(line: str) -> float:
        return TextPath((0, 0), line, size=float(label.get_fontsize())).get_extents().width

    return "\n".join(_broken(line, length, room) for line in text.split("\n"))


def _broken(line: str, length: Callable[[str], float], room: float) -> str:
    """A line in as few lines as fit into the room, which are about as long as one another."""
    whole = length(line) if line else 0.0
    if whole <= room:
        return line
    fewest = _greedy(line, length, room)
    for narrower in np.linspace(whole / len(fewest), room, 6):
        lines = _greedy(line, length, float(narrower))
        if len(lines) == len(fewest):
            return "\n".join(lines)
    return "\n".join(fewest)


def _greedy(line: str, length: Callable[[str], float], room: float) -> list[str]:
    """Lines that each take as many words as fit."""
    first, *words = _WORD.findall(line)
    lines = [first]
    for word in words:
        longer = f"{lines[-1]} {word}"
        lines[-1:] = [longer] if length(longer) <= room else [lines[-1], word]
    return lines
