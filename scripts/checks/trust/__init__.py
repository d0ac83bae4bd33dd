"""No wrong answer without a word: random networks, recordings, files and command lines."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from _report import Measured, Rule, equal_to

from . import figures

REQUIRED: dict[str, Rule] = {
    # cells of an executed notebook that do not show each figure once, and what they complain of;
    # labels cut in eight panels
    "figures_not_shown_once": equal_to(0),
    "figures_complaints": equal_to(0),
    "figures_labels_cut": equal_to(0),
}

CHECKS: tuple[Callable[[], Iterable[Measured]], ...] = (
    figures.notebook,
    figures.panels,
)
