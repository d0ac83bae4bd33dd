"""The notebooks run from top to bottom, end in asserts, and are committed with what they showed."""

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from .conftest import CACHE, COMPILES_FAST

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))
COMPILE_MOST = ("09_fitting",)  # longer than they compute, as tests do
every_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


@every_notebook
def test_is_committed_as_it_ran(path):
    cells = _code(nbformat.read(path, as_version=4))
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert any(line.startswith("assert ") for line in cells[-1].source.splitlines())
    outputs = [output for cell in cells for output in cell.outputs]
    assert any("image/png" in output.get("data", {}) for output in outputs), "no picture"
    for output in outputs:
        assert output.output_type != "error", "\n".join(output.traceback)
        assert output.get("name") != "stderr", output.text
        assert "application/vnd.jupyter.widget-view+json" not in output.get("data", {})
    assert path.stat().st_size < 400_000


@every_notebook
@pytest.mark.filterwarnings("default")  # those of the notebook machinery are not ours
def test_runs_and_shows_what_is_committed(path, monkeypatch):
    if path.stem not in COMPILE_MOST:
        monkeypatch.setenv("XLA_FLAGS", COMPILES_FAST)
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", str(CACHE))
    notebook = nbformat.read(path, as_version=4)
    committed = _shown(notebook)
    NotebookClient(notebook, timeout=300, kernel_name="python3").execute()
    assert _shown(notebook) == committed


def _code(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def _shown(notebook):
    """The kinds of what each cell shows, and whether it prints.

    What is printed may come in pieces; what a machine remarks on standard error is its own.
    """
    return [
        (
            [sorted(output.data) for output in cell.outputs if "data" in output],
            any(output.get("name") == "stdout" for output in cell.outputs),
        )
        for cell in _code(notebook)
    ]
