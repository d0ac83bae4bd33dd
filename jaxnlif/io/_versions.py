"""The versions of what results depend on."""

from __future__ import annotations

import platform
from importlib.metadata import version


def versions() -> dict[str, str]:
    """Those of Python, jaxnlif and the packages that compute, by name."""
    packages = ("jaxnlif", "jax", "jaxlib", "equinox", "numpy")
    return {"python": platform.python_version(), **{name: version(name) for name in packages}}
