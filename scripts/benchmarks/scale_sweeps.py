"""Sweeps: members per second over how many run at once, in memory and to a directory.

The members are those of the check: networks of 100 × 100 cells that learn for ten steps.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
from _report import print_value
from checks.scale._swept import member

import jaxnlif as jn

from ._timing import Case, interleaved

_VALUES = {"gain": np.linspace(0.0, 0.5, 8), "height": np.linspace(0.0, 4.0, 16)}
_CHUNKS = (1, 8, 32, 128)


def run() -> None:
    """Prints everything that is measured as `name value unit`."""
    members = 128
    with tempfile.TemporaryDirectory() as temporary:
        directories = (Path(temporary) / str(k) for k in range(10**6))
        cases = {f"chunk_{size}": Case(_sweep(chunk=size), members) for size in _CHUNKS}
        cases["default"] = Case(_sweep(), members)
        cases["directory"] = Case(lambda: _sweep(directory=next(directories))(), members)
        timings = interleaved(cases, repeats=3)
    for name, timing in timings.items():
        print_value(f"sweep/100x100/{name}", 1 / timing.step, "members/s")


def _sweep(**arguments):
    return lambda: jn.sweep(member, _VALUES, **arguments).values
