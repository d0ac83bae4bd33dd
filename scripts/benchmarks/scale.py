"""Long and large runs: sweeps."""

from __future__ import annotations

from . import scale_sweeps


def run() -> None:
    """Prints everything that is measured as `name value unit`."""
    scale_sweeps.run()
