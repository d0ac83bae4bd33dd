"""Figures of experiments as files."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from matplotlib.figure import Figure

from ..store.files import write_figure

FORMATS = ("png", "pdf", "svg")


def figure_files(name: str, formats: Iterable[str]) -> list[str]:
    """The files of a figure in these formats, as "learning.png" and "learning.pdf"."""
    return [f"{name}.{one}" for one in dict.fromkeys(formats)]


def write_figures(directory: Path, name: str, figure: Figure, formats: Iterable[str]) -> str:
    """Writes a figure in each of these formats, each file whole or not at all.

    **Returns:** the paths in words, as "results/learning.png and results/learning.pdf".

    **Raises:** `OSError` if one cannot be written.
    """
    paths = [directory / file for file in figure_files(name, formats)]
    for path in paths:
        write_figure(path, figure)
    return " and ".join(map(str, paths))
