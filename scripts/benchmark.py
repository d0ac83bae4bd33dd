"""Measures speed, on one core: `python scripts/benchmark.py SECTION [--default-flags]`.

Prints `name value unit` lines under a header (lines that begin with #).
"""

from __future__ import annotations

import argparse
import importlib
import os
import platform
from importlib.metadata import version

SECTIONS = (
    "start",
    "density",
    "density_step",
    "particles",
    "multiscale",
    "spikes",
    "fit",
    "circuits",
    "scale",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("section", choices=SECTIONS)
    parser.add_argument(
        "--default-flags", action="store_true", help="XLA's own options, no inlined row loops"
    )
    parser.add_argument("--spikegd", metavar="DIR", help="spikes: a copy of chklos/spikegd")
    arguments = parser.parse_args()
    use_one_core()
    import jax  # only now: it reads the number of cores when imported

    if not arguments.default_flags:
        from jaxnlif import execution

        execution.fast_loops()
    jax.config.update("jax_enable_x64", True)
    print_header()
    section = importlib.import_module(f"benchmarks.{arguments.section}")
    section.run(arguments.spikegd) if arguments.section == "spikes" else section.run()


def use_one_core() -> None:
    """Pins this process to one core where the system allows it, and numerical libraries to one."""
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"):
        os.environ[variable] = "1"
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


def print_header() -> None:
    import jax

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    packages = ("jaxnlif", "jax", "jaxlib", "numpy", "scipy", "numba")
    print(f"# device {jax.devices()[0].device_kind}, {_processor()}, {cores} core(s), 1 thread")
    print("#", ", ".join(f"{name} {version(name)}" for name in packages))
    print(f"# dtype float64 unless named, XLA_FLAGS={os.environ.get('XLA_FLAGS', '')}")
    print("# seconds are those of the processor")


def _processor() -> str:
    try:
        with open("/proc/cpuinfo") as info:
            names = [line.split(":")[1].strip() for line in info if line.startswith("model name")]
    except OSError:
        names = []
    return names[0] if names else platform.processor() or platform.machine()


if __name__ == "__main__":
    main()
