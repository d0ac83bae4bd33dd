"""The run that is killed: `python _killed.py [DIRECTORY] [--steps N]`, with a checkpoint there.

Prints "begun" before it begins or goes on, and at last a checksum of everything it has found.
"""

from __future__ import annotations

import argparse
import hashlib

import jax
import numpy as np

import jaxnlif as jn
from jaxnlif.integrate.progress import AbstractProgress, NoProgress
from jaxnlif.store.leaves import to_arrays


class _Begun(AbstractProgress):
    def start(self, total):
        print("begun", flush=True)
        return NoProgress().start(total)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", nargs="?")
    parser.add_argument("--steps", type=int, default=200_000)
    arguments = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    grid = jn.Grid(
        v=jn.VoltageGrid(-4.0, 2.0, reset=1.0, num=48), w=jn.WeightGrid(0.0, 1.0, num=12)
    )
    model = jn.Network(
        drive=jn.Sinusoid(1.5, 1.0, 3.0),
        response=jn.Saturating(),
        learning=jn.Hebbian(0.3),
        epsilon=1e-2,
    )
    solution = jn.solve(
        model,
        jn.FluxShift(grid, neurons=1000),
        y0=jn.gaussian(grid, v=(-1.0, 0.5), w=(0.3, 0.02)),
        t1=arguments.steps * 1e-3,
        dt=1e-3,
        saveat=jn.SaveAt(num=4001),
        key=jax.random.key(0),
        progress=_Begun(),
        checkpoint=jn.Checkpoint(arguments.directory, every=0) if arguments.directory else None,
    )
    leaves = (solution.ts, solution.rate, solution.weights, solution.saved, solution.state)
    checksum = hashlib.sha256()
    for array in to_arrays(leaves).values():
        checksum.update(np.ascontiguousarray(array))
    print(checksum.hexdigest())


if __name__ == "__main__":
    main()
