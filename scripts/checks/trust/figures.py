"""Figures: shown once in a notebook, and no label cut in panels of any size."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import jax
from _report import Measured, Rule, equal_to
from matplotlib.figure import Figure
from references import figures as reference
from references.problems import before_learning, learning_grid, learning_network, line

import jaxnlif as jn

REQUIRED: dict[str, Rule] = {
    # cells of an executed notebook that do not show each figure once, and what they complain of;
    # labels cut in eight panels
    "figures_not_shown_once": equal_to(0),
    "figures_complaints": equal_to(0),
    "figures_labels_cut": equal_to(0),
}

LINE = line(120)


def notebook() -> Iterator[Measured]:
    """Every function that draws, and other cells, in a notebook that is executed."""
    with tempfile.TemporaryDirectory() as directory:
        pictures, complaints = reference.shown(_runs(), Path(directory) / "runs")
    wrong = sum(found != n for found, n in zip(pictures, reference.CELLS.values(), strict=True))
    yield Measured("figures_not_shown_once", wrong)
    yield Measured("figures_complaints", len(complaints))


def panels() -> Iterator[Measured]:
    """Eight panels of a user and of a page."""
    learned, _, switching = _runs()
    for width, height in ((16, 7), (12, 6), (6.4, 4.8)):
        figure = Figure(figsize=(width, height))
        reference.draw_eight(figure.subplots(2, 4), learned, switching)
        cut = len(reference.outside(figure))
        yield Measured("figures_labels_cut", cut, f"{width}x{height}")
    figure, axes = jn.plot.figure(2, 4, size=jn.plot.PAGE)
    reference.draw_eight(axes, learned, switching)
    yield Measured("figures_labels_cut", len(reference.outside(figure)), "page")


@cache
def _runs() -> tuple[jn.Solution, ...]:
    """A network that learns, one that blows up, one that neurons follow in part."""
    grid = learning_grid(120, 60)
    model, y0 = learning_network(), before_learning(grid)
    several = jn.SaveAt(num=101)
    learned = jn.solve(model, jn.FluxShift(grid), y0=y0, t1=2.0, dt=0.02, saveat=several)
    y0 = jn.gaussian(LINE, v=(1.5, 0.005))
    blown_up = jn.solve(jn.Network(weight=1.5), jn.FluxShift(LINE), y0=y0, t1=0.2, dt=1e-3)
    both = jn.MultiScale(jn.FluxShift(LINE), jn.Particles(2000, raster=100))
    switching = jn.solve(
        jn.Network(weight=3.0),
        both,
        y0=jn.gaussian(LINE, v=(1.0, 0.3)),
        t1=1.0,
        dt=1e-3,
        saveat=several,
        key=jax.random.key(0),
    )
    return learned, blown_up, switching


CHECKS = (notebook, panels)
