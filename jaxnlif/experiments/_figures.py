"""Figures of experiments as files."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from matplotlib.figure import Figure

from .._files import write_atomically

FORMATS = ("png", "pdf", "svg")


def write_figure(figure: Figure, path: Path, formats: Iterable[str]) -> str:
    """Writes a figure in each of these formats, each file whole or not at all.

    **Arguments:** `path`: of the files, without a suffix.

    **Returns:** the paths in words, as "results/learning.png and results/learning.pdf".
    """
    paths = [path.with_name(f"{path.name}.{one}") for one in dict.fromkeys(formats)]
    for one in paths:
        with write_atomically(one) as partial:
            figure.savefig(partial)
    return " and ".join(map(str, paths))
