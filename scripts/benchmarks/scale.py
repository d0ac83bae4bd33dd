"""Long and large runs: checkpoints, sweeps, many devices, and a GPU where there is one."""

from __future__ import annotations

from . import scale_checkpoint, scale_gpu, scale_sharding, scale_sweeps, spikes_gpu


def run() -> None:
    """Prints everything that is measured as `name value unit`."""
    scale_checkpoint.run()
    scale_sweeps.run()
    scale_sharding.run()
    if scale_gpu.is_there():
        scale_gpu.run()
        spikes_gpu.run()
