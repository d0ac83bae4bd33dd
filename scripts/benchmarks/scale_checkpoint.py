"""Checkpoints: what writing and reading one takes, and what a run pays for them.

Seconds are those of the clock, because a checkpoint waits for the disk.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
from _report import print_value
from references.problems import before_learning, learning_network, line

import jaxnlif as jn
from jaxnlif.store.leaves import to_arrays
from jaxnlif.store.rotation import Rotation

SIZE = (512, 1000)
INTERVAL = 60.0
"""Seconds between checkpoints, of which the overhead is told."""

_REPEATS = 5
_EVERY = 1.0
_STEPS = 400
_RATES = jn.SaveAt(num=11, fn=None)


def run() -> None:
    """Prints everything that is measured as `name value unit`."""
    print("# checkpoints: seconds are those of the clock")
    size = f"{SIZE[0]}x{SIZE[1]}"
    state = make_run(_STEPS // 100)().state
    megabytes = sum(x.nbytes for x in to_arrays(state).values()) / 1e6
    seconds = seconds_to_write(state)
    print_value(f"checkpoint/{size}/state", megabytes, "MB")
    print_value(f"checkpoint/{size}/write", 1e3 * seconds, "ms")
    print_value(f"checkpoint/{size}/write_speed", megabytes / seconds, "MB/s")
    print_value(f"checkpoint/{size}/write_of_a_minute", 100 * seconds / INTERVAL, "%")
    print_value(f"checkpoint/{size}/streamed", megabytes_streamed(), "MB/s")
    print_value(f"checkpoint/{size}/overhead", overhead(), "%")


def seconds_to_write(state: Any) -> float:
    """The median time that a checkpoint of a state takes, until it is on the disk."""
    with tempfile.TemporaryDirectory() as directory:
        rotation = Rotation(Path(directory))
        return statistics.median(
            _seconds(lambda n=n: rotation.write(n, to_arrays(state), {})) for n in range(20)
        )


def megabytes_streamed() -> float:
    """How fast whole densities reach the disk, over a run that makes one step for each."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory)
        seconds = _seconds(make_run(200, saveat=jn.SaveAt(num=201), directory=path))
        return (path / "saved.bin").stat().st_size / 1e6 / seconds


def overhead() -> float:
    """By how many percent a run with one checkpoint a minute is slower.

    Runs with a checkpoint each second and runs without take turns; what the former take longer is
    the price of so many checkpoints, and of the one at the end.
    """
    prices = []
    make_run(_STEPS)()
    for _ in range(_REPEATS):
        without = _seconds(make_run(_STEPS))
        with tempfile.TemporaryDirectory() as directory:
            checkpointed = _seconds(make_run(_STEPS, directory=Path(directory)))
        prices.append((checkpointed - without) / (1 + int(checkpointed / _EVERY)))
    return 100 * statistics.median(prices) / INTERVAL


def make_run(
    steps: int, *, saveat: jn.SaveAt = _RATES, directory: Path | None = None
) -> Callable[[], jn.Solution]:
    """A run of a learning network on a large grid."""
    grid = jn.Grid(v=line(SIZE[0], minimum=-6.0).v, w=jn.WeightGrid(0.0, 1.2, num=SIZE[1]))
    checkpoint = None if directory is None else jn.Checkpoint(directory, every=_EVERY)
    return lambda: jn.solve(
        learning_network(),
        jn.FluxShift(grid),
        y0=before_learning(grid),
        t1=steps * 1e-3,
        dt=1e-3,
        saveat=saveat,
        checkpoint=checkpoint,
    )


def _seconds(function: Callable[[], Any]) -> float:
    began = time.perf_counter()
    jax.block_until_ready(function())
    return time.perf_counter() - began
