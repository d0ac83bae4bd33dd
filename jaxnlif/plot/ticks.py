"""Numbers at logarithmic axes."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.ticker import LogFormatterSciNotation

_DECADES = 2
"""Over how many decades numbers are written out."""


class LogTicks(LogFormatterSciNotation):
    """Writes 0.2, 1 and 20 where an axis is short, powers of ten where it is long."""

    def __call__(self, x: float, pos: int | None = None) -> str:
        text = super().__call__(x, pos)
        assert self.axis is not None
        low, high = sorted(self.axis.get_view_interval())
        short = low > 0 and high < 10**_DECADES * low
        plain = short or "times" in text
        return f"${x:g}$" if text and plain and 1e-3 <= x < 1e4 else text


def number(ax: Axes) -> None:
    """Numbers the axes that are logarithmic."""
    for axis in (ax.xaxis, ax.yaxis):
        if axis.get_scale() == "log":
            axis.set_major_formatter(LogTicks())
            axis.set_minor_formatter(LogTicks())
