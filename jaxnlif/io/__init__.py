"""Results on disk and in the hands of other tools."""

from .dataset import to_xarray
from .files import Results, load, save
from .neo import to_neo
from .signal import read_signal

__all__ = ["Results", "load", "read_signal", "save", "to_neo", "to_xarray"]
