"""Where an experiment leaves its files."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from ..integrate.solution import Solution
from ..integrate.warning import warning_messages
from ..store.files import write_bytes
from . import configuration

_CONFIGURATION = "config.toml"


def begin(arguments: argparse.Namespace, *files: str) -> Path:
    """The output directory with the options in effect in it, which are printed too.

    To be called after all checks and before any work, with defaults that depend on other options
    filled in. Those of the `files` that are there already, and will be overwritten, are named on
    standard error. **Raises:** as `prepare_directory`.
    """
    directory = prepare_directory(arguments.out)
    options = configuration.write(arguments.name, arguments.options, arguments)
    old = [name for name in (_CONFIGURATION, *files) if (directory / name).exists()]
    if old and not getattr(arguments, "resume", False):
        print(f"note: overwrites {', '.join(old)} in {directory}", file=sys.stderr)
    write_bytes(directory / _CONFIGURATION, options.encode())
    print(options)
    return directory


def print_doubts(solutions: Iterable[tuple[str, Solution]]) -> None:
    """Prints what makes the answers of completed runs doubtful, by the names of the runs."""
    for name, solution in solutions:
        for message in warning_messages(solution):
            print(f"note: {name}: {message}")


def prepare_directory(path: str | os.PathLike) -> Path:
    """The output directory, made if need be and found writable; to be called before any work.

    **Raises:** `ValueError` if it cannot be made or written; directories made in vain are removed.
    """
    directory = Path(path)
    made: list[Path] = []
    try:
        made = [level for level in (directory, *directory.parents) if not level.exists()]
        directory.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=directory):
            pass
    except OSError as error:
        for level in made:
            with suppress(OSError):
                level.rmdir()
        raise ValueError(
            f"output directory {str(path)!r}: must be a directory that can be made and written "
            f"({error.strerror})"
        ) from None
    return directory
