"""What checkpoints cost a run."""

from __future__ import annotations

from collections.abc import Iterator

from _report import Measured
from benchmarks import scale_checkpoint as checkpoint


def checkpoints() -> Iterator[Measured]:
    """One a minute, of a large state, in percent of the time of a run."""
    size = "x".join(map(str, checkpoint.SIZE))
    seconds = checkpoint.seconds_to_write(checkpoint.make_run(4)().state)
    yield Measured("checkpoint_write", 100 * seconds / checkpoint.INTERVAL, size)
    yield Measured("checkpoint_overhead", checkpoint.overhead(), size)
