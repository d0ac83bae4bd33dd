"""The phase diagram of Brunel's network by the density."""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np
from _report import Measured

from jaxnlif.experiments import brunel_network as brunel

_NUM = 100
_MEMBRANE_TIMES = 40.0
_STEP = 0.1
"""In ms."""
_NODES = 200
_ASYNCHRONOUS = slice(45, 60), slice(25, 45)
"""Where g is 3.6 to 4.8 and η 1 to 1.8: rates are the stationary ones."""


def diagram() -> Iterator[Measured]:
    """100 x 100 networks, 40 membrane times each, as columns of one program after another."""
    setting = brunel.Setting(_NODES, brunel.UNITS.time(_STEP), _MEMBRANE_TIMES)
    began = time.perf_counter()
    found = brunel.diagram(_NUM, _NUM, setting)
    seconds = time.perf_counter() - began
    oscillate = float(np.mean(np.nan_to_num(found["cv"]) > 0.1))
    steady = float(np.max(found["cv"][_ASYNCHRONOUS]))
    yield Measured("diagram_seconds", seconds, f"oscillate={oscillate:.3f},steady={steady:.1e}")
