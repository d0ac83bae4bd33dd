"""Files: runs that are killed, disks that are full, content that is damaged."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from _report import Measured, Rule, at_least, equal_to

from ..scale.kills import killed
from . import damage as damaged

REQUIRED: dict[str, Rule] = {
    # kill -9 at random moments, while checkpoints, parts and results are written
    "files_kills": at_least(70),
    "files_not_resumed": equal_to(0),
    "files_bits_differ": equal_to(0),
    "files_left_half_written": equal_to(0),
    # writes that the disk has no room for: one line each, and nothing of them is left
    "files_full_disk": at_least(40),
    "files_full_disk_faults": equal_to(0),
    # files with changed bytes: refused in one line, or read right
    "files_damaged": at_least(1000),
    "files_damaged_faults": equal_to(0),
}

_HERE = Path(__file__).parent
_JOBS = {"run": 25, "fit": 15, "sweep": 15, "save": 15}
_SIZES = (0, 100, 300, 1000, 2000, 3000, 10_000, 100_000)


class Writes(NamedTuple):
    """How many writes failed for want of room, and how many of all went wrong."""

    failed: int
    faults: list[str]


def kills() -> Iterator[Measured]:
    """Seventy kills, over a run, a fit, a sweep and the saving of results."""
    for job, times in _JOBS.items():
        outcome = killed(times, [job])
        yield Measured("files_not_resumed", outcome.failures, job)
        yield Measured("files_bits_differ", outcome.different, job)
        yield Measured("files_left_half_written", outcome.left, job)
    yield Measured("files_kills", sum(_JOBS.values()))


def full_disk() -> Iterator[Measured]:
    """Every kind of file, at several limits of its size."""
    found = written(_SIZES)
    yield Measured("files_full_disk", found.failed)
    yield Measured("files_full_disk_faults", len(found.faults))


def damage() -> Iterator[Measured]:
    """Arrays, archives, NetCDF files, checkpoints and parts of sweeps with changed bytes."""
    found = damaged.read(2000, seed=1)
    yield Measured("files_damaged", found.refused + found.read)
    yield Measured("files_damaged_faults", len(found.faults))


def written(sizes: Sequence[int]) -> Writes:
    """Writes everything at each of these limits of the size of a file (bytes), that of a full disk
    being 0."""
    with tempfile.TemporaryDirectory() as temporary:
        # Without the folder of the script, whose files have names of the standard library.
        command = [sys.executable, "-P", str(_HERE / "_full.py"), temporary, *map(str, sizes)]
        done = subprocess.run(command, capture_output=True, text=True)
        lines = [line.split(maxsplit=3) for line in done.stdout.splitlines()]
        left = [path.name for path in Path(temporary).rglob(".*")]
    faults = [*done.stderr.splitlines(), *left]
    failed = 0
    for size, name, outcome, *_ in lines:
        failed += outcome == "error"
        # A run goes on without its checkpoints.
        if (outcome == "written") != (name == "kept") and size == "0":
            faults.append(f"{size} {name} {outcome}")
    return Writes(failed, faults)


CHECKS = (kills, full_disk, damage)
