"""The command line as a new user meets it."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator

from _report import Measured, at_most

REQUIRED = {"first_learning_s": at_most(10)}


def first_learning() -> Iterator[Measured]:
    """Processor time of the first `jaxnlif run learning` (s): nothing was compiled before.

    The byte code of the packages is there, as pip leaves it.
    """
    with tempfile.TemporaryDirectory() as directory:
        yield Measured("first_learning_s", _seconds(directory))


def _seconds(directory: str) -> float:
    environment = {k: x for k, x in os.environ.items() if not k.startswith(("JAX_", "XLA_"))}
    command = [sys.executable, "-m", "jaxnlif", "run", "learning", "--out", directory]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, env=environment, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


CHECKS = (first_learning,)
