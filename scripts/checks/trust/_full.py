"""Every write at a limit of the size of files: `python _full.py DIRECTORY SIZE ...`.

Prints a line `SIZE NAME written` or `SIZE NAME error message` for each.
"""

from __future__ import annotations

import resource
import signal
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np

import jaxnlif as jn
from jaxnlif.store import files


def _writes() -> tuple[dict[str, Callable[[Path], Any]], Any]:
    """What is written, by name, and the rate of the solution among it."""
    grid = jn.Grid(v=jn.VoltageGrid(-4.0, 2.0, reset=1.0, num=24))
    network, solver = jn.Network(weight=0.5), jn.FluxShift(grid)
    given = {"y0": jn.gaussian(grid, v=(-1.0, 0.5)), "t1": 1.0, "dt": 1e-2}
    solution, noise = jn.solve(network, solver, **given), np.random.default_rng(0).normal(size=2000)
    figure, _ = jn.plot.figure()
    jn.plot.rate(solution)

    def kept(path: Path) -> None:
        found = jn.solve(network, solver, **given, checkpoint=jn.Checkpoint(path, every=0))
        assert np.array_equal(found.rate, solution.rate)

    def sweep(path: Path) -> None:
        jn.sweep(lambda x: x * noise, {"x": np.ones(3)}, directory=path)

    writes = {
        **{f"run{x}": lambda path: jn.io.save(path, solution) for x in (".npz", ".nc")},
        **{
            f"fig.{x}": lambda path: files.write_figure(path, figure) for x in ("png", "pdf", "svg")
        },
        "log.json": lambda path: files.write_bytes(path, b"{}" * 5000),
        "sweep": sweep,
        "kept": kept,
    }
    return writes, solution.rate


def main() -> None:
    folder, sizes = Path(sys.argv[1]), map(int, sys.argv[2:])
    jax.config.update("jax_enable_x64", True)
    warnings.simplefilter("ignore")  # runs go on, with a warning
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    writes, rate = _writes()
    for size in sizes:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
        for name, write in writes.items():
            try:
                write(folder / name)
                if name in ("run.npz", "run.nc"):
                    assert np.array_equal(jn.io.load(folder / name).rate, rate)
                print(size, name, "written", flush=True)
            except OSError as error:
                print(size, name, "error", error, flush=True)


if __name__ == "__main__":
    main()
