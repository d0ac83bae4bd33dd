"""What was drawn, for tests to compare with what was given."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from references.figures import outside as outside


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
