"""Figures in a notebook and in narrow panels: what is shown of them, and what is cut."""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Mapping
from pathlib import Path

import nbformat
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from nbclient import NotebookClient

import jaxnlif as jn

SET_UP = """
import pickle, jax, numpy as np
jax.config.update("jax_enable_x64", True)
import jaxnlif as jn
learned, blown_up, switching = pickle.load(open({path!r}, "rb"))
small = jn.plot.Size(3.0, 2.0, 6, dpi=50)
k = np.linspace(0.1, 1.0, 5)
fitted = jn.fit(
    jn.Constant(1.0), lambda drive: drive.value, lambda found: found - k,
    where=lambda drive: drive.value, steps=3,
)
swept = jn.sweep(lambda weight: {{"twice": 2 * weight}}, {{"weight": [1.0, 2.0]}})
"""
FUNCTIONS = (
    "rate(learned",
    "raster(switching",
    "spectrum(k, k",
    "autocorrelation(k, k",
    "density(learned",
    "density(switching",
    "density_over_time(switching",
    "weights(learned",
    "weights_over_time(learned",
    "response(learned",
    "summary(blown_up",
    "firing_rate_curve(jn.Network(weight=1.5), rates=k",
    "spike_times(k, k, duration=2.0",
    "gradients(k, k",
    "training(k",
    "descent(fitted",
    "singular_values(fitted",
    "parameters(fitted",
    "fit(fitted",
    "phase_diagram(swept, lambda one: one['twice']",
)
"""Calls of every function that draws, but for the bracket at the end."""
CELLS: Mapping[str, int] = {f"jn.plot.{call}, size=small)": 1 for call in FUNCTIONS} | {
    "ax = jn.plot.rate(learned, size=small); limits = ax.set_ylim(0, 1)": 1,
    "ax.figure": 1,  # in a later cell
    "figure = jn.plot.rate(learned, size=small).figure\nfigure": 1,
    "figure, _ = jn.plot.figure(size=small)\ndisplay(figure)": 1,
    "learned.plot(size=small)": 1,
    "jn.plot.rate(learned, size=small)\njn.plot.density(learned, size=small)": 2,
    "moving = jn.plot.animate(blown_up, size=small)\nhtml = moving.to_jshtml()": 0,
    "made = [jn.plot.figure(size=small) for _ in range(21)]": 21,  # without a warning
    "import matplotlib.pyplot as plt\nassert plt.get_fignums() == []": 0,
    "_, axes = plt.subplots(1, 2)\njn.plot.rate(learned, axes[0]);": 1,
    "plt.ioff()\nax = jn.plot.rate(learned, size=small)": 0,
    "jn.plot.rate(learned, size=small)": 1,  # as what it is the value of the cell
}
"""Cells of a notebook, and how many pictures each is to show."""


def shown(runs: tuple[jn.Solution, ...], path: Path) -> tuple[list[int], str]:
    """How many pictures each cell shows in a notebook that runs, and what it complains of.

    **Arguments:** `runs`: one that learns, one that blows up, one that switches; `path`: of a file
    for them.
    """
    path.write_bytes(pickle.dumps(runs))
    sources = [SET_UP.format(path=str(path)), *CELLS]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(x) for x in sources])
    NotebookClient(notebook, timeout=300, kernel_name="python3").execute()
    outputs = [cell.outputs for cell in notebook.cells[1:]]
    pictures = [sum("image/png" in one.get("data", {}) for one in several) for several in outputs]
    complaints = [one.text for several in outputs for one in several if one.get("name") == "stderr"]
    return pictures, "".join(complaints)


# ---- narrow panels -------------------------------------------------------------------------------


def draw_eight(axes, learned: jn.Solution, switching: jn.Solution) -> None:
    """Draws eight panels, two rows of four."""
    first, second = axes
    jn.plot.rate(switching, first[0])
    jn.plot.raster(switching, first[1])
    jn.plot.density_over_time(switching, first[2])
    jn.plot.density(switching, ax=first[3])
    jn.plot.weights(learned, second[0])
    jn.plot.response(learned, second[1])
    jn.plot.density(learned, ax=second[2])
    jn.plot.weights_over_time(learned, second[3])


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
