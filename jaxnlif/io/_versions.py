"""The versions of what results depend on."""

from __future__ import annotations

import platform
from importlib.metadata import version


def versions() -> dict[str, str]:
    """Those of Python, jaxnlif and the packages that compute, by name."""
    from .. import __version__  # only here: it is set when everything else is imported

    packages = ("jax", "jaxlib", "equinox", "numpy")
    ours = {"python": platform.python_version(), "jaxnlif": __version__}
    return ours | {name: version(name) for name in packages}
