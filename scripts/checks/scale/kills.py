"""Killed at random moments, a run is taken up again and ends with the same numbers."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from _report import Measured

_SCRIPT = Path(__file__).with_name("_killed.py")
_LONGEST = 1.5
"""Seconds a run is left, at most: it compiles and reads in the first part of them, and writes
checkpoints in the rest."""


class Outcome(NamedTuple):
    """How often a run was killed, how often it could not go on then, and ended differently; and how
    many temporary files were there when it had ended."""

    kills: int
    failures: int
    different: int
    left: int


def kills() -> Iterator[Measured]:
    """Fifty kills; any warning is a failure, as that of a damaged file."""
    outcome = killed(50, ["run"])
    yield Measured("kills", outcome.kills)
    yield Measured("kills_not_resumed", outcome.failures)
    yield Measured("kills_bits_differ", outcome.different)


def killed(times: int, options: Sequence[str]) -> Outcome:
    """Kills a job of the script so many times, and lets it end; one that ends begins again."""
    random.seed(0)
    failures = different = count = left = 0
    with tempfile.TemporaryDirectory() as temporary:
        directory, cache = Path(temporary) / "run", Path(temporary) / "cache"
        # Without the folder of the script, whose files may have names of the standard library.
        command = [sys.executable, "-P", "-W", "error::UserWarning", str(_SCRIPT), *options]
        expected = _ended(_start(cache, command))
        assert expected is not None
        while True:
            process = _start(cache, [*command, str(directory)])
            if count < times and _killed(process):
                count += 1
                continue
            found = _ended(process)
            failures += found is None
            different += found not in (None, expected)
            left += sum(1 for _ in directory.rglob(".*"))
            if count == times:
                return Outcome(count, failures, different, left)
            shutil.rmtree(directory)


def _start(cache: Path, command: Sequence[str]) -> subprocess.Popen:
    """The run in a process of its own, which keeps what it compiled."""
    environment = {
        **os.environ,
        "JAX_COMPILATION_CACHE_DIR": str(cache),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    }
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)


def _killed(process: subprocess.Popen) -> bool:
    """Kills a run a random time after it has begun; whether it had not ended by itself."""
    assert process.stdout is not None
    process.stdout.readline()
    time.sleep(random.uniform(0, _LONGEST))
    if process.poll() is not None:
        return False
    process.kill()
    process.communicate()
    return True


def _ended(process: subprocess.Popen) -> str | None:
    """The checksum that a run has printed at its end, or `None` if it failed."""
    lines = process.communicate()[0].split()
    return lines[-1] if process.returncode == 0 else None
