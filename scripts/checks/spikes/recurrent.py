"""Recurrent networks against the authors' code: values, gradients, and cost of a step."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from _report import Measured, parse_values
from benchmarks import spikes_recurrent

BENCHMARK = Path(__file__).parents[2] / "benchmark.py"
EPS = (1e-6, 1e-8, 1e-10, 1e-12)
"""Where the authors' code cuts potentials off; too small a value costs it digits."""


def against_spikegd(directory: str | os.PathLike) -> Iterator[Measured]:
    """Loss and gradient, at the cut-off that brings the two nearest."""
    setting = spikes_recurrent.load(directory)
    found = [spikes_recurrent.difference(setting, eps) for eps in EPS]
    yield Measured("spikegd_loss", min(loss for loss, _ in found), "recurrent")
    yield Measured("spikegd_gradient", min(slope for _, slope in found), "recurrent")


def cost(directory: str | os.PathLike) -> Iterator[Measured]:
    """Their step over ours, interleaved."""
    output = subprocess.run(
        [sys.executable, BENCHMARK, "spikes", "--spikegd", str(directory)],
        check=True,
        text=True,
        stdout=subprocess.PIPE,
    ).stdout
    yield Measured("recurrent_step", parse_values(output)["recurrent_speedup/spikegd"])
