"""Long and large runs: checkpoints, sweeps and many devices."""

from __future__ import annotations

from . import scale_checkpoint, scale_sharding, scale_sweeps


def run() -> None:
    """Prints everything that is measured as `name value unit`."""
    scale_checkpoint.run()
    scale_sweeps.run()
    scale_sharding.run()
