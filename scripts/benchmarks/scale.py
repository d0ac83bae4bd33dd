"""Long and large runs: checkpoints."""

from __future__ import annotations

from . import scale_checkpoint


def run() -> None:
    """Prints everything that is measured as `name value unit`."""
    scale_checkpoint.run()
