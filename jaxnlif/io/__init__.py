"""Results on disk and in the hands of other tools."""

from .dataset import to_xarray
from .files import load, save
from .recording import to_neo

__all__ = ["load", "save", "to_neo", "to_xarray"]
