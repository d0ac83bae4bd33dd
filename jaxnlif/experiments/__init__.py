"""Named, reproducible runs, each a module with `HELP`, `add_arguments(parser)`, `run(arguments)`.

Options end with those of `_options.add_run`. Whatever can be wrong with the arguments `run` reports
as a `ValueError` before anything compiles; then it calls `_output.begin`.
"""

from __future__ import annotations

import importlib
from types import ModuleType

REGISTRY: dict[str, str] = {
    "excitatory": "jaxnlif.experiments.excitatory",
    "fit": "jaxnlif.experiments.fit",
    "learning": "jaxnlif.experiments.learning",
    "mnist": "jaxnlif.experiments.mnist",
    "spiketimes": "jaxnlif.experiments.spiketimes",
    "synchrony": "jaxnlif.experiments.synchrony",
    "yinyang": "jaxnlif.experiments.yinyang",
}


def load(name: str) -> ModuleType:
    """The module of the experiment called `name`."""
    return importlib.import_module(REGISTRY[name])
