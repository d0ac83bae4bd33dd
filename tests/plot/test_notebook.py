"""In a notebook every figure is shown, once, whether it is the value of a cell or not."""

import pytest
from references import figures

from jaxnlif import plot


def test_every_function_that_draws_is_tried():
    tried = {call.partition("(")[0] for call in figures.FUNCTIONS}
    apart = {"animate", "events", "regimes", "ramp", "figure", "new_figure", "final_density"}
    functions = {name for name in dir(plot) if name.islower() and callable(getattr(plot, name))}
    assert functions - tried == apart | {"finish"}


@pytest.mark.filterwarnings("default")  # those of the notebook machinery are not ours
def test_every_figure_is_shown_once(learned, blown_up, switching, tmp_path):
    pictures, complaints = figures.shown((learned, blown_up, switching), tmp_path / "runs")
    assert dict(zip(figures.CELLS, pictures, strict=True)) == figures.CELLS
    assert complaints == ""
