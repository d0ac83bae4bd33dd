"""The sweep that is killed: `python _swept.py DIRECTORY VALUES`, over VALUES² members.

Prints what it took, and a checksum of everything it has found, as JSON.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import resource

import equinox as eqx
import jax
import numpy as np

import jaxnlif as jn
from jaxnlif.integrate.progress import AbstractProgress

GRID = jn.Grid(v=jn.VoltageGrid(-3.0, 2.0, reset=1.0, num=100), w=jn.WeightGrid(0.0, 1.0, num=100))
_TRACES = []
_COMPILATIONS = []


def member(gain, height):
    """The rate and the weights that a network learns in ten steps."""
    _TRACES.append(None)
    network = jn.Network(
        drive=jn.Bump(base=1.0, height=height, center=0.3, width=0.1),
        response=jn.Saturating(),
        learning=jn.Hebbian(gain),
        epsilon=0.1,
    )
    solution = jn.solve(
        network,
        jn.FluxShift(GRID),
        y0=jn.gaussian(GRID, v=(-1.0, 0.5), w=(0.3, 0.02)),
        t1=0.2,
        dt=0.02,
        saveat=jn.SaveAt(num=2, fn=None),
    )
    return {"rate": solution.rate[-1], "weights": solution.weights[-1], "result": solution.result}


class _Counter:
    """Counts the members that were found, all at once before the first is run."""

    def __init__(self):
        self.found, self.compiled = 0, None

    def update(self, members: int) -> None:
        if len(_TRACES) == 1:
            self.found += members
        elif self.compiled is None:
            self.compiled = len(_COMPILATIONS)

    def close(self) -> None:
        pass


class _Counting(AbstractProgress):
    counter: _Counter = eqx.field(static=True)

    def start(self, total):
        return self.counter


def _note(event: str, seconds: float, **details) -> None:
    if event == "/jax/core/compile/backend_compile_duration":
        _COMPILATIONS.append(seconds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory")
    parser.add_argument("values", type=int)
    arguments = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    jax.monitoring.register_event_duration_secs_listener(_note)
    counter = _Counter()
    found = jn.sweep(
        member,
        {
            "gain": np.linspace(0.0, 0.5, arguments.values),
            "height": np.linspace(0.0, 4.0, arguments.values),
        },
        directory=arguments.directory,
        progress=_Counting(counter),
    )
    later = len(_COMPILATIONS) - (counter.compiled or 0)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    checksum = hashlib.sha256()
    for leaf in jax.tree.leaves(found.values):
        checksum.update(np.ascontiguousarray(leaf))
    measured = {
        "members": int(found.completed.sum()),
        "found": counter.found,
        "traces": len(_TRACES),
        "compilations_later": later,
        "megabytes": peak,
        "checksum": checksum.hexdigest(),
    }
    print(json.dumps(measured))


if __name__ == "__main__":
    main()
