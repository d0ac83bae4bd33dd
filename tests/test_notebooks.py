"""The notebooks run from top to bottom, end in asserts, and are committed with what they showed.

They share a kernel, which is emptied before each, and some run with smaller sizes than a reader's.
"""

import os
from pathlib import Path

import nbformat
import pytest
from jupyter_client.manager import KernelManager
from nbclient import NotebookClient

from .conftest import COMPILES_FAST, COMPILES_FASTEST

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))
every_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)

COMPUTE_MOST = ("08_deep_silent_network",)  # longer than they compile, if that is optimised a bit
OPTIMISED_A_BIT = (
    f"{COMPILES_FAST} --xla_backend_optimization_level=1 --xla_cpu_parallel_codegen_split_count=1"
)

# What a notebook has, and what the test has in its place: what it claims must hold all the same.
SMALLER = {
    "01_first_run": {
        "reset=1.0, num=150": "reset=1.0, num=60",
        "1.2, num=150": "1.2, num=240",
        "dt=1e-2": "dt=6e-2",
        "num=121": "num=101",
    },
    "02_flux_shift": {"num=300": "num=120"},
    "03_small_parameter": {
        "num=90": "num=60",
        "(0, -13, -1)": "(0, -13, -2)",
        "(0, -7, -1)": "(0, -10, -3)",
        "200, 400, 800]": "200, 400]",
    },
    "04_learning": {
        "num=90": "num=60",
        "dt=1e-2": "dt=6e-2",
        "num=601": "num=101",
    },
    "05_excitation": {
        "num=300": "num=180",
        "t1=12.0, dt=1e-3": "t1=12.0, dt=5e-3",
        "dt=1e-5": "dt=5e-5",
        "dt=1e-2": "dt=5e-2",
    },
    "06_synchrony": {
        "neurons = 10_000": "neurons = 2_500",
        "dt=1e-3": "dt=2e-3",
        "5.0, 26": "5.0, 11",
    },
    "07_smooth_spikes": {"801": "101", "401": "101", "range(6)": "range(9)"},
    "09_fitting": {"dt=0.04": "dt=0.1"},
    "10_sweeps": {"24)": "12)", "144 //": "36 //", "dt=0.02": "dt=0.04"},
    "11_brunel": {"8.0, 9)": "8.0, 5)", "4.0, 7)": "4.0, 4)", "chunk=63": "chunk=20"},
    "12_microcircuit": {"num=120": "num=60", "4.0, 300.0, 4.0": "4.0, 300.0, 8.0"},
}

EMPTY = """
import gc
gc.set_threshold(100_000, 50, 50)
gc.freeze()
%reset -f
import jax
jax.config.update("jax_enable_x64", False)
"""


@pytest.fixture(scope="module")
def kernel_with():
    """Gives the kernel with some flags of XLA: two devices, as one notebook asks for them."""
    kernels = {}

    def started(flags):
        if flags not in kernels:
            settings = {"JAX_NUM_CPU_DEVICES": "2", "XLA_FLAGS": flags}
            kernels[flags] = KernelManager(kernel_name="python3")
            kernels[flags].start_kernel(env=os.environ | settings)
        return kernels[flags]

    yield started
    for kernel in kernels.values():
        kernel.shutdown_kernel(now=True)


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
def test_runs_and_shows_what_is_committed(path, kernel_with):
    notebook = nbformat.read(path, as_version=4)
    committed = _shown(notebook)
    _shrink(notebook, SMALLER.get(path.stem, {}))
    notebook.cells.insert(0, nbformat.v4.new_code_cell(EMPTY))
    flags = OPTIMISED_A_BIT if path.stem in COMPUTE_MOST else COMPILES_FASTEST
    client = NotebookClient(notebook, km=kernel_with(flags), timeout=300)
    try:
        client.execute()
    finally:
        client.kc.stop_channels()
    assert _shown(notebook)[1:] == committed


def _shrink(notebook, sizes):
    for old, new in sizes.items():
        cells = [cell for cell in _code(notebook) if old in cell.source]
        assert cells, f"no {old}"
        for cell in cells:
            cell.source = cell.source.replace(old, new)


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
