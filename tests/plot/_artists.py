"""What was drawn, for tests to compare with what was given."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text


def lines(ax: Axes) -> dict[str, np.ndarray]:
    """The points of all lines by label."""
    return {str(line.get_label()): np.asarray(line.get_xydata()) for line in ax.get_lines()}


def legend(ax: Axes) -> list[str]:
    """The entries of the legend."""
    return [] if ax.get_legend() is None else [t.get_text() for t in ax.get_legend().get_texts()]


def panels(figure: Figure) -> list[Axes]:
    """Axes of the figure except colour bars."""
    return [ax for ax in figure.axes if ax.get_xlabel()]


def bars(ax: Axes) -> list[Axes]:
    """The colour bars of these axes."""
    return list(ax.child_axes)


def outside(figure: Figure) -> list[str]:
    """The labels, titles and texts that reach over the edge of the figure."""
    renderer = FigureCanvasAgg(figure).get_renderer()
    figure.draw(renderer)
    width, height = figure.bbox.size
    boxes = {text.get_text(): text.get_window_extent(renderer) for text in _texts(figure)}
    return [
        text
        for text, box in boxes.items()
        if text and (min(box.x0, box.y0) < -1 or box.x1 > width + 1 or box.y1 > height + 1)
    ]


def _texts(figure: Figure) -> Iterator[Text]:
    for ax in [part for one in figure.axes for part in (one, *one.child_axes)]:
        yield from (*ax.texts, ax.title, ax._left_title)
        yield from ax.get_legend().get_texts() if ax.get_legend() else ()
        for axis in (ax.xaxis, ax.yaxis):
            low, high = sorted(axis.get_view_interval())
            yield axis.label
            yield from (t.label1 for t in axis.get_major_ticks() if low <= t.get_loc() <= high)
