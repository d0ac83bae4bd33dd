"""What is killed: `python _killed.py run|fit|sweep|save [DIRECTORY]`, which writes there always.

Prints "begun" before it begins or goes on, and at last a checksum of everything it has found.
"""

from __future__ import annotations

import argparse
import hashlib
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

import jaxnlif as jn
from jaxnlif.store.leaves import to_arrays

GRID = jn.Grid(v=jn.VoltageGrid(-4.0, 2.0, reset=1.0, num=48))
INPUTS = jnp.linspace(0.0, 2.0, 5)


def run(directory: Path | None, steps: int = 200_000) -> Any:
    """A learning network, of which every chunk is saved."""
    v = jn.VoltageGrid(-4.0, 2.0, reset=1.0, num=48)
    grid = jn.Grid(v=v, w=jn.WeightGrid(0.0, 1.0, num=12))
    model = jn.Network(
        drive=jn.Sinusoid(1.5, 1.0, 3.0),
        response=jn.Saturating(),
        learning=jn.Hebbian(0.3),
        epsilon=1e-2,
    )
    found = jn.solve(
        model,
        jn.FluxShift(grid, neurons=1000),
        y0=jn.gaussian(grid, v=(-1.0, 0.5), w=(0.3, 0.02)),
        t1=steps * 1e-3,
        dt=1e-3,
        saveat=jn.SaveAt(num=4001),
        key=jax.random.key(0),
        checkpoint=directory and jn.Checkpoint(directory, every=0),
    )
    return found.ts, found.rate, found.weights, found.saved, found.state


def fit(directory: Path | None) -> Any:
    """A descent whose every turn is kept."""
    found = jn.fit(
        jn.Network(drive=0.2, noise=1.0),
        lambda model: jn.stationary.firing_rate(INPUTS + model.drive.value, model.noise),
        lambda rates: rates - 0.5,
        where=lambda model: (model.drive.value, model.noise),
        optimiser=optax.adam(1e-4),
        steps=1500,
        patience=10_000,
        starts=4,
        key=jax.random.key(0),
        checkpoint=directory and jn.Checkpoint(directory, every=0),
    )
    return found.losses, found.values


def sweep(directory: Path | None) -> Any:
    """A sweep of many small parts."""
    parameters = {"x": np.linspace(0.0, 1.0, 600)}
    return jn.sweep(lambda x: jnp.sin(x + INPUTS), parameters, chunk=1, directory=directory).values


def save(directory: Path | None) -> Any:
    """A solution that takes the place of another, in files that are whole at any time."""
    with tempfile.TemporaryDirectory() as temporary:
        where = Path(temporary) if directory is None else directory
        where.mkdir(exist_ok=True)
        y0 = jn.gaussian(GRID, v=(-1.0, 0.5))
        solver, saveat = jn.FluxShift(GRID), jn.SaveAt(num=101)
        first, second = (
            jn.solve(jn.Network(weight=w), solver, y0=y0, t1=1.0, dt=1e-2, saveat=saveat)
            for w in (0.2, 0.5)
        )
        for path in where.glob("run.*"):
            rate = jn.io.load(path).rate
            assert any(np.array_equal(rate, x.rate) for x in (first, second)), path
        for _ in range(10):
            for solution in (first, second):
                for suffix in (".npz", ".nc"):
                    jn.io.save(where / f"run{suffix}", solution)
        return [jn.io.load(path).rate for path in sorted(where.glob("run.*"))]


JOBS: dict[str, Callable[..., Any]] = {"run": run, "fit": fit, "sweep": sweep, "save": save}


def checksum(arrays: Iterable[Any]) -> str:
    total = hashlib.sha256()
    for array in arrays:
        total.update(np.ascontiguousarray(array))
    return total.hexdigest()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("job", choices=JOBS)
    parser.add_argument("directory", nargs="?", type=Path)
    parser.add_argument("--steps", type=int, help="of a run")
    arguments = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    print("begun", flush=True)
    given = {} if arguments.steps is None else {"steps": arguments.steps}
    found = JOBS[arguments.job](arguments.directory, **given)
    print(checksum(to_arrays(found).values()))


if __name__ == "__main__":
    main()
