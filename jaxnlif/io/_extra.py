"""What the extra `io` installs."""

from __future__ import annotations

import importlib
from types import ModuleType


def require_xarray() -> ModuleType:
    """The module xarray, with what writes its files.

    **Raises:** `ImportError` that says what to install.
    """
    try:
        import h5netcdf  # noqa: F401
        import h5py  # noqa: F401
        import xarray
    except ImportError as error:
        raise ImportError(
            f"datasets and NetCDF files need {error.name}: pip install 'jaxnlif[io]'"
        ) from error
    return xarray


def require_neo() -> ModuleType:
    """The module neo.

    **Raises:** `ImportError` that says what to install.
    """
    return _required("neo")


def require_quantities() -> ModuleType:
    """The module quantities, which neo brings.

    **Raises:** `ImportError` that says what to install.
    """
    return _required("quantities")


def _required(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ImportError(f"recordings need {error.name}: pip install 'jaxnlif[io]'") from error
