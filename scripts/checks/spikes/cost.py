"""What a training step costs beside the authors' code, from the benchmark."""

from __future__ import annotations

import os
from collections.abc import Iterator

from _report import Measured

from .._benchmark import benchmark


def training_steps(directory: str | os.PathLike) -> Iterator[Measured]:
    """Their steps over ours, interleaved, and our temporaries over theirs."""
    values = benchmark("spikes", "--spikegd", str(directory))
    for dtype in ("float32", "float64"):
        yield Measured(f"mnist_step_{dtype}", values[f"mnist_{dtype}_speedup/spikegd"])
        yield Measured("mnist_temporaries", values[f"mnist_{dtype}_memory/spikegd"], dtype)
    for task in ("recurrent", "single"):
        yield Measured(f"{task}_step", values[f"{task}_speedup/spikegd"])
