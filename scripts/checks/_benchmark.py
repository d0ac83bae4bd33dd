"""The benchmarks, run in processes of their own, which are pinned to one core."""

from __future__ import annotations

import subprocess
import sys
from functools import cache
from pathlib import Path

from _report import parse_values

SCRIPT = Path(__file__).parents[1] / "benchmark.py"


@cache
def benchmark(section: str, *options: str) -> dict[str, float]:
    """What a section of the benchmark measures, by name; it runs once."""
    command = [sys.executable, str(SCRIPT), section, *options]
    output = subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE).stdout
    return parse_values(output)
