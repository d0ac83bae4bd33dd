"""Colours, and how large a figure and its letters are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cycler import cycler

from .._check import check, check_positive

# Okabe and Ito's colours, which all common forms of colour vision tell apart.
BLACK, GREY, BLUE, RED = "#000000", "#8C8C8C", "#0072B2", "#D55E00"
GREEN, PINK, ORANGE, SKY = "#009E73", "#CC79A7", "#E69F00", "#56B4E9"
CYCLE = (BLUE, RED, GREEN, PINK, ORANGE, SKY)
HEAT = "cividis"


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
    def settings(self) -> Any:
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


def check_size(size: Any) -> None:
    """Requires a `Size`."""
    check(
        isinstance(size, Size),
        f"size = {size!r}: must be SCREEN, COLUMN or PAGE of jaxnlif.plot, or a Size",
    )
