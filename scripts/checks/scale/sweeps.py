"""A sweep of ten thousand members: bounded memory, one compilation, and what a kill costs."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from _report import Measured, Rule, at_least, at_most, equal_to

_SCRIPT = Path(__file__).with_name("_swept.py")

REQUIRED: dict[str, Rule] = {
    "sweep_members": equal_to(10_000),
    # how often a member is traced (to see what it returns, and for the chunk), and what is
    # compiled after the first chunk
    "sweep_traces": equal_to(2),
    "sweep_compilations_later": equal_to(0),
    # peak of the whole process, and how much of it is more than a twenty-fifth of the members need
    "sweep_memory": at_most(1000),
    "sweep_memory_growth": at_most(100),
    # a sweep that is killed half-way: members that it need not run again, and files that differ
    "sweep_kept": at_least(4000),
    "sweep_bits_differ": equal_to(0),
}


def sweeps() -> Iterator[Measured]:
    """Learning networks of 100 × 100 cells, over 100 gains and 100 inputs."""
    with tempfile.TemporaryDirectory() as temporary:
        directory = Path(temporary)
        small = _ended(_start(directory / "small", 20))
        whole = _ended(_start(directory / "whole", 100))
        yield Measured("sweep_members", whole["members"])
        yield Measured("sweep_traces", whole["traces"])
        yield Measured("sweep_compilations_later", whole["compilations_later"])
        yield Measured("sweep_memory", whole["megabytes"], "MB")
        yield Measured("sweep_memory_growth", whole["megabytes"] - small["megabytes"], "MB")
        half = len(list((directory / "whole").glob("part-*"))) // 2
        process = _start(directory / "killed", 100)
        while len(list((directory / "killed").glob("part-*"))) < half:
            time.sleep(0.1)
        process.kill()
        process.wait()
        resumed = _ended(_start(directory / "killed", 100))
        yield Measured("sweep_kept", resumed["found"])
        yield Measured("sweep_bits_differ", float(resumed["checksum"] != whole["checksum"]))


CHECKS = (sweeps,)


def _start(directory: Path, values: int) -> subprocess.Popen:
    command = [sys.executable, str(_SCRIPT), str(directory), str(values)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def _ended(process: subprocess.Popen) -> dict:
    output, _ = process.communicate()
    if process.returncode != 0:
        raise RuntimeError(f"the sweep ended with exit code {process.returncode}")
    return json.loads(output)
