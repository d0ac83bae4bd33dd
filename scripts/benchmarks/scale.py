"""Long and large runs: many devices."""

from __future__ import annotations

from . import scale_sharding


def run() -> None:
    """Prints everything that is measured as `name value unit`."""
    scale_sharding.run()
