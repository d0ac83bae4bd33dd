"""What a training step costs beside the authors' code, from the benchmark in its own process."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from _report import Measured, parse_values

BENCHMARK = Path(__file__).parents[2] / "benchmark.py"


def training_steps(directory: str | os.PathLike) -> Iterator[Measured]:
    """Their steps over ours, interleaved, and our temporaries over theirs."""
    output = subprocess.run(
        [sys.executable, BENCHMARK, "spikes", "--spikegd", str(directory)],
        check=True,
        text=True,
        stdout=subprocess.PIPE,
    ).stdout
    values = parse_values(output)
    for dtype in ("float32", "float64"):
        yield Measured(f"mnist_step_{dtype}", values[f"mnist_{dtype}_speedup/spikegd"])
        yield Measured("mnist_temporaries", values[f"mnist_{dtype}_memory/spikegd"], dtype)
    for task in ("recurrent", "single"):
        yield Measured(f"{task}_step", values[f"{task}_speedup/spikegd"])
