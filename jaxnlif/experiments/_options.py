"""Options that experiments have in common."""

from __future__ import annotations

import argparse
from typing import Any

from .._check import check, check_finite, check_integer, check_positive
from . import configuration
from ._figures import FORMATS

MOST_STEPS = 2**31 - 2
_SMALLEST, _LARGEST = 1e-9, 1e9


def add_switch(parser: Any, option: str, text: str, *, default: bool = False) -> None:
    """Adds `--option` and `--no-option`: each can take back what a file says.

    **Arguments:** `parser`, or a group of options of it.
    """
    action = parser.add_argument(option, action=argparse.BooleanOptionalAction, help=text)
    # Later, because Python before 3.13 writes a default that it knows into the help.
    parser.set_defaults(**{action.dest: default})


def add_number(group: Any, option: str, kind: type, default: float | int | None, text: str) -> None:
    """Adds an option that is an integer N or a number X, with its default in the help, if any."""
    shown = "" if default is None else " (default: %(default)g)"
    metavar = "N" if kind is int else "X"
    group.add_argument(option, type=kind, default=default, metavar=metavar, help=text + shown)


def check_between(option: str, value: float, low: float | int, high: float | int) -> None:
    """Requires a number from `low` to `high`."""
    check_finite(option, value)
    check(low <= value <= high, f"{option} = {value:g}: must lie between {low:g} and {high:g}")


def check_magnitude(option: str, value: float, *, allow_zero: bool = False) -> None:
    """Requires a positive number that single precision has room for, with its powers."""
    check_positive(option, value, allow_zero=allow_zero)
    check(
        value == 0 or _SMALLEST <= value <= _LARGEST,
        f"{option} = {value:g}: must lie between {_SMALLEST:g} and {_LARGEST:g}",
    )


def check_seed(option: str, value: int) -> int:
    """Requires a number that random keys are made of."""
    check_integer(option, value, at_least=0)
    check(value < 2**32, f"{option} = {value}: must be below {2**32}")
    return value


def check_steps(option: str, value: float, duration: float, dt: float) -> None:
    """Requires of `--option value` that a run so long has no more steps than can be counted."""
    check(
        duration / dt < MOST_STEPS,
        f"{option} = {value:g}: makes {duration / dt:.3g} steps of {dt:g}; there must be fewer "
        f"than {MOST_STEPS:.3g}",
    )


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
