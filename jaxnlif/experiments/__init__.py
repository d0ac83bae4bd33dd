"""Named, reproducible runs, each a module with `add_arguments(parser)` and `run(arguments)`.

Options end with those of `_options.add_run`. Whatever can be wrong with the arguments `run` reports
as a `ValueError` before anything compiles; then it calls `_output.begin`.
"""

from __future__ import annotations

import importlib
from types import ModuleType

REGISTRY: dict[str, str] = {
    "brunel": "phase diagram of Brunel's network, its boundaries and examples",
    "excitatory": "steady states, hysteresis and blow-up of excitatory networks",
    "fit": "parameters of a network, found by gradients from what it did",
    "learning": "a network learns an input signal, then tells others from it",
    "microcircuit": "rates, rhythm, spectra and a fit of the cortical microcircuit",
    "mnist": "images classified by the first spike, learned with exact gradients",
    "rows": "images seen row by row, classified by a recurrent network",
    "shd": "spoken digits as spikes, classified by a recurrent network",
    "spiketimes": "spikes moved, created and removed by exact gradients",
    "synchrony": "neurons that fire together: density, particles, multi-scale solver",
    "yinyang": "points classified by the first spike, learned with exact gradients",
}
"""What each does, in a line: only those that run are imported."""


def load(name: str) -> ModuleType:
    """The module of the experiment called `name`."""
    return importlib.import_module(f"{__name__}.{name}")
