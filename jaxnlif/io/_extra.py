"""What the extra `io` installs."""

from __future__ import annotations

from types import ModuleType


def require_neo() -> tuple[ModuleType, ModuleType]:
    """The modules neo, and quantities, its units.

    **Raises:** `ImportError` that says what to install.
    """
    try:
        import neo
        import quantities
    except ImportError as error:
        raise ImportError(f"spike trains need {error.name}: pip install 'jaxnlif[io]'") from error
    return neo, quantities


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
