"""Settings of every test: 64-bit numbers, strict promotion, checked shapes.

A test that runs in both precisions asks for `dtype`. In the one with float32, 64-bit numbers are
disabled; all other tests run once, in double precision.
"""

from __future__ import annotations

import gc
import os
from contextlib import suppress
from pathlib import Path

import jaxtyping

check_types = jaxtyping.jaxtyped


def check_types_once(**typechecker):
    """As `jaxtyped`, but for local functions: they would be compiled again in every call."""
    checked = check_types(**typechecker)
    return lambda item: item if "<locals>" in item.__qualname__ else checked(item)


jaxtyping.jaxtyped = check_types_once
jaxtyping.install_import_hook("jaxnlif", "beartype.beartype").__enter__()

# Tests compile more than they compute: XLA's older code for fused loops takes half the time, and
# half of that if it is not optimised and comes in one piece.
COMPILES_FAST = "--xla_cpu_use_fusion_emitters=false"
COMPILES_FASTEST = (
    f"{COMPILES_FAST} --xla_backend_optimization_level=0"
    " --xla_cpu_parallel_codegen_split_count=1"
    " --xla_disable_hlo_passes=while-loop-invariant-code-motion"
)
os.environ.setdefault("XLA_FLAGS", COMPILES_FASTEST)
# It takes long to note where each operation was written, which no test asks for.
os.environ["JAX_TRACEBACK_IN_LOCATIONS_LIMIT"] = "0"  # in child processes

import jax  # noqa: E402
import numpy as np  # noqa: E402
import pytest  # noqa: E402

with suppress(ImportError, AttributeError):  # no public setting does this
    from jax._src.lib import _jax

    _jax.Traceback.enabled = False

jax.config.update("jax_enable_x64", True)
jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_traceback_in_locations_limit", 0)

gc.set_threshold(100_000, 50, 50)  # what was traced and compiled is many objects, which stay

# Files whose tests share nothing that is compiled come one test at a time, and last.
ALONE = ("tests/test_documents.py", "tests/test_site.py")
# Directories of tests that share what they compile across files.
SHARED = ("tests/io/",)
# What takes longest comes first, so that all workers are busy to the end.
LONGEST = (
    "tests/test_notebooks.py",
    "tests/gradients/",
    "tests/io/",
    "tests/sharding/test_devices.py",
    "tests/density/test_stationary",
    "tests/convergence/",
    "tests/density/test_solver.py",
    "tests/density/test_events.py",
    "tests/properties/",
    "tests/integrate/test_checkpoint.py",
    "tests/integrate/test_solve.py",
    "tests/test_fresh.py",
    "tests/experiments/test_fit.py",
    "tests/test_style.py",
)


def _place(item):
    """Where a test comes in the run."""
    if item.nodeid.startswith(ALONE):
        return len(LONGEST) + 1
    ranks = (rank for rank, path in enumerate(LONGEST) if item.nodeid.startswith(path))
    return next(ranks, len(LONGEST))


def pytest_collection_modifyitems(items):
    items.sort(key=_place)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """The tests of a file share what they compile, so that one worker runs them all."""
    from xdist.scheduler import LoadFileScheduling

    class ByFile(LoadFileScheduling):
        def _split_scope(self, nodeid):
            if nodeid.startswith(ALONE):
                return nodeid
            shared = (path for path in SHARED if nodeid.startswith(path))
            return next(shared, super()._split_scope(nodeid))

    config.option.loadscopereorder = False  # by the number of tests
    return ByFile(config, log)


MEMORY_MAPS = Path("/proc/self/maps")
MANY_MAPS = 12_000  # Linux allows a process 65 530; this many take some 3 GB


@pytest.fixture(autouse=True, scope="module")
def _forget_what_was_compiled():
    """Thousands of compiled functions in one process run out of memory maps."""
    yield
    if not MEMORY_MAPS.exists() or MEMORY_MAPS.read_bytes().count(b"\n") > MANY_MAPS:
        jax.clear_caches()


@pytest.fixture(scope="module", params=[np.float64, np.float32], ids=["float64", "float32"])
def dtype(request) -> np.dtype:
    """The default floating-point type of the test, which runs with each."""
    return np.dtype(request.param)


# A test that asks for `dtype`, but for more digits than float32 has.
needs_double = pytest.mark.parametrize("dtype", [np.float64], ids=["float64"], indirect=True)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    """Sets the precision before anything of the test is made."""
    parameters = item.callspec.params if hasattr(item, "callspec") else {}
    jax.config.update("jax_enable_x64", parameters.get("dtype") is not np.float32)


from jaxnlif import _pallas  # noqa: E402


def needs_kernels(test):
    """Marks a test of kernels on a GPU: their arithmetic is tested everywhere, interpreted."""
    reason = "kernels are compiled for Hopper GPUs and newer, of which there is none here"
    return pytest.mark.gpu(pytest.mark.skipif(not _pallas.available(), reason=reason)(test))
