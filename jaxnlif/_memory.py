"""How much memory there is, so that sizes beyond it are refused before anything compiles."""

from __future__ import annotations

import os
from pathlib import Path

from ._check import check

_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
"""Where Linux tells what a container may use."""


def check_memory(needed: int | float, what: str) -> None:
    """Requires that so many bytes can be had; `what` names the sizes that need them.

    **Raises:** `ValueError` if there is less memory than that.
    """
    there = _installed()
    check(
        needed <= there,
        f"{what}: needs about {needed / 1e9:.3g} GB of memory, of which there are "
        f"{there / 1e9:.3g} GB",
    )


def _installed() -> float:
    """Bytes of memory that this process may use, infinite where the system does not say."""
    found = [float("inf")]
    if hasattr(os, "sysconf"):
        found.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    for path in map(Path, _LIMITS):
        if path.exists() and (text := path.read_text().strip()).isdigit():
            found.append(int(text))
    return float(min(found))
