"""Settings of every test: one precision a run, strict promotion, checked shapes.

`JAXNLIF_TEST_DTYPE=float32` runs the same tests with 64-bit numbers disabled.
"""

from __future__ import annotations

import os
from pathlib import Path

from jaxtyping import install_import_hook

DOUBLE = os.environ.get("JAXNLIF_TEST_DTYPE", "float64") == "float64"
if DOUBLE:  # shapes are the same in both precisions, and checking them takes time
    hook = install_import_hook("jaxnlif", "beartype.beartype")
    hook.__enter__()

# Tests compile more than they compute: XLA's older code for fused loops takes half the time, and
# two thirds of that if it is not optimised.
COMPILES_FAST = "--xla_cpu_use_fusion_emitters=false"
COMPILES_FASTEST = f"{COMPILES_FAST} --xla_backend_optimization_level=0"
os.environ.setdefault("XLA_FLAGS", COMPILES_FASTEST)

import jax  # noqa: E402
import numpy as np  # noqa: E402
import pytest  # noqa: E402

jax.config.update("jax_enable_x64", DOUBLE)
jax.config.update("jax_numpy_rank_promotion", "raise")

# Tests compile the same functions again and again: each worker keeps what it compiled.
WORKER = os.environ.get("PYTEST_XDIST_WORKER", "main")
CACHE = Path(__file__).parents[1] / ".pytest_cache" / f"jax-{WORKER}"
jax.config.update("jax_compilation_cache_dir", str(CACHE))
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.2)

# Files whose tests share nothing that is compiled.
ALONE = ("test_documents.py", "test_notebooks.py", "test_site.py")

# Tests of words and figures, which no precision changes.
ONCE = (
    "density/test_resolution.py",
    "experiments/",
    "io/test_damage.py",
    "io/test_dataset.py",
    "io/test_neo.py",
    "io/test_recording.py",
    "io/test_signal.py",
    "plot/",
    "scripts/",
    "test_api.py",
    "test_cli.py",
    "test_describe.py",
    "test_docstrings.py",
    "test_documents.py",
    "test_files.py",
    "test_fresh.py",
    "test_module.py",
    "test_notebooks.py",
    "test_quoted.py",
    "test_site.py",
    "test_style.py",
    "test_terminal.py",
)


def pytest_collection_modifyitems(items):
    for item in items:
        if item.path.relative_to(Path(__file__).parent).as_posix().startswith(ONCE):
            item.add_marker(pytest.mark.once)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """The tests of a file share what they compile, so that one worker runs them all.

    Those that share nothing come one by one, and last, to keep all workers busy to the end.
    """
    from xdist.scheduler import LoadFileScheduling

    class ByFile(LoadFileScheduling):
        def _split_scope(self, nodeid):
            file = super()._split_scope(nodeid)
            return nodeid if file.endswith(ALONE) else file

    return ByFile(config, log)


@pytest.fixture(autouse=True)
def _precision_returns():
    """The command line sets the precision of its process."""
    yield
    jax.config.update("jax_enable_x64", DOUBLE)


@pytest.fixture(autouse=True, scope="module")
def _forget_what_was_compiled():
    """Hundreds of compiled functions in one process run out of memory maps."""
    yield
    jax.clear_caches()


@pytest.fixture(scope="session")
def dtype() -> np.dtype:
    """The floating-point type of this run."""
    return np.dtype(np.float64 if DOUBLE else np.float32)


from jaxnlif import _pallas  # noqa: E402


def needs_kernels(test):
    """Marks a test of kernels on a GPU: their arithmetic is tested everywhere, interpreted."""
    reason = "kernels are compiled for Hopper GPUs and newer, of which there is none here"
    return pytest.mark.gpu(pytest.mark.skipif(not _pallas.available(), reason=reason)(test))


needs_double = pytest.mark.skipif(not DOUBLE, reason="asks for more digits than float32 has")
