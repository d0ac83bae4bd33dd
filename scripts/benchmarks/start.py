"""What it costs to begin: to import, and to call a compiled `solve` again.

Imports are those of fresh processes, which take turns; their seconds are those of the processor.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
from collections.abc import Mapping

import jax
from _report import print_value

import jaxnlif as jn

from ._timing import Case, interleaved

PROCESSES, REPEATS = 9, 15
COMMANDS: Mapping[str, list[str]] = {
    "import jax": ["-c", "import jax"],
    "import jax, equinox": ["-c", "import jax, equinox"],
    "import jaxnlif": ["-c", "import jaxnlif as jn; jn.Network, jn.FluxShift, jn.solve"],
    "jaxnlif list": ["-m", "jaxnlif", "list"],
}


def run() -> None:
    """Prints everything that is measured as `name value unit`."""
    seconds = _process_seconds()
    peers = {"import jaxnlif": "import jax, equinox", "jaxnlif list": "import jax"}
    for name, peer in peers.items():
        label = f"{name} of {peer}".replace(",", "").replace(" ", "_")
        print_value(label, seconds[name] / seconds[peer], "ratio")
    times = interleaved(_calls(), repeats=REPEATS)
    extra = times["plain"].step - times["jit"].step
    print_value("solve_again_beyond_jit", 1e3 * extra, "ms")


def _process_seconds() -> dict[str, float]:
    """Median seconds of each command."""
    times: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(PROCESSES + 1):
        for name, arguments in COMMANDS.items():
            times[name].append(_seconds([sys.executable, *arguments]))
    return {name: statistics.median(found[1:]) for name, found in times.items()}  # once cached


def _seconds(command: list[str]) -> float:
    def spent() -> float:
        now = os.times()
        return now.children_user + now.children_system

    began = spent()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return spent() - began


def _calls() -> dict[str, Case]:
    """Ten steps of an unstructured network, called plainly and as a compiled function."""
    grid = jn.Grid(jn.VoltageGrid(-4.0, 2.0, reset=1.0, num=60))
    network, y0 = jn.Network(weight=0.5, drive=0.5), jn.gaussian(grid, v=(-1.0, 0.5))
    solver, saveat = jn.FluxShift(grid), jn.SaveAt(num=2)

    def solve(network: jn.Network, y0: jax.Array) -> jn.Solution:
        return jn.solve(network, solver, y0=y0, t1=1.0, dt=0.1, saveat=saveat)

    @jax.jit
    def compiled(network: jn.Network, y0: jax.Array) -> tuple[jax.Array, jax.Array]:
        sol = solve(network, y0)
        return sol.rate, sol.saved

    return {
        "plain": Case(lambda: solve(network, y0), 1),
        "jit": Case(lambda: compiled(network, y0), 1),
    }
