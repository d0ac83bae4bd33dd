"""The notebooks run from top to bottom; they end in asserts on what they claim."""

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from .conftest import needs_double

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))


@needs_double
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
@pytest.mark.filterwarnings("default")  # those of the notebook machinery are not ours
def test_notebook(path):
    notebook = nbformat.read(path, as_version=4)
    assert any(cell.get("outputs") for cell in notebook.cells), "committed without outputs"
    NotebookClient(notebook, timeout=300, kernel_name="python3").execute()
