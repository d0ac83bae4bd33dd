"""Options that experiments have in common."""

from __future__ import annotations

import argparse
from typing import Any

from . import configuration
from ._figures import FORMATS


def add_switch(parser: Any, option: str, text: str, *, default: bool = False) -> None:
    """Adds `--option` and `--no-option`: each can take back what a file says.

    **Arguments:** `parser`, or a group of options of it.
    """
    action = parser.add_argument(option, action=argparse.BooleanOptionalAction, help=text)
    # Later, because Python before 3.13 writes a default that it knows into the help.
    parser.set_defaults(**{action.dest: default})


def add_run(
    parser: argparse.ArgumentParser,
    *,
    out: str,
    files: str,
    progress: bool = True,
    resume: bool = False,
    precision: str = "float64",
) -> None:
    """Adds what every experiment is told: where results go, in which precision, from which file.

    **Arguments:** `out`, `precision`: the defaults; `files`: what is written; `progress`, `resume`:
    whether there is a progress bar, and a checkpoint to go on from.
    """
    group = parser.add_argument_group("the run")
    group.add_argument(
        "--out", default=out, metavar="DIR", help=f"for {files} (default: %(default)s)"
    )
    group.add_argument(
        "--format",
        nargs="+",
        choices=FORMATS,
        default=list(FORMATS[:1]),
        metavar="TYPE",
        help=f"of the figure: {', '.join(FORMATS)}, one or several (default: {FORMATS[0]})",
    )
    if resume:
        add_switch(group, "--resume", "go on from the checkpoint in DIR")
    if progress:
        add_switch(group, "--progress", "show how far it is (default: do)", default=True)
    group.add_argument(
        "--precision",
        choices=("float64", "float32"),
        default=precision,
        metavar="TYPE",
        help="float64 or float32 (default: %(default)s)",
    )
    configuration.add_argument(group)
