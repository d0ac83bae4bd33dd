"""In a notebook every figure is shown, once, whether it is the value of a cell or not."""

import pickle

import nbformat
import pytest
from nbclient import NotebookClient

from ..conftest import needs_double

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
FUNCTIONS = [
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
]
OTHERS = {
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


@needs_double
@pytest.mark.filterwarnings("default")  # those of the notebook machinery are not ours
def test_every_figure_is_shown_once(learned, blown_up, switching, tmp_path):
    path = tmp_path / "runs"
    path.write_bytes(pickle.dumps((learned, blown_up, switching)))
    cells = {f"jn.plot.{call}, size=small)": 1 for call in FUNCTIONS} | OTHERS
    sources = [SET_UP.format(path=str(path)), *cells]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(x) for x in sources])
    NotebookClient(notebook, timeout=300, kernel_name="python3").execute()
    for cell, expected in zip(notebook.cells[1:], cells.values(), strict=True):
        pictures = [one for one in cell.outputs if "image/png" in one.get("data", {})]
        assert len(pictures) == expected, cell.source
        assert all(one.get("name") != "stderr" for one in cell.outputs), cell.outputs
