"""Ctrl-C on the command line: one line and exit code 130, also while packages are imported.

Imported first of all, and light, so that little time passes without it.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import PurePath
from types import FrameType

CODE = 130
LINE = "jaxnlif: interrupted\n"


def is_command() -> bool:
    """Whether this process is the command `jaxnlif`, or `python -m jaxnlif`."""
    if sys.argv[:1] == ["-m"]:  # as it is until the module has been found
        return sys.orig_argv[-len(sys.argv)].endswith("jaxnlif")
    return bool(sys.argv) and PurePath(sys.argv[0]).stem == "jaxnlif"


def leave(number: int = signal.SIGINT, frame: FrameType | None = None) -> None:
    """Ends the process with the one line, wherever it is."""
    os.write(2, LINE.encode())
    os._exit(CODE)


def install() -> None:
    """Makes Ctrl-C end the process quietly if this is the command and it does not ignore Ctrl-C."""
    if is_command() and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, leave)


@contextmanager
def raised() -> Iterator[None]:
    """Ctrl-C raises `KeyboardInterrupt` in this block, so that a run can save what it has."""
    if signal.getsignal(signal.SIGINT) is not leave:
        yield
        return
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, leave)


install()
