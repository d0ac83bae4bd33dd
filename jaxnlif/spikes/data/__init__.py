"""Data sets to learn from."""

from .binning import BinnedEvents as BinnedEvents
from .binning import binned as binned
from .event_files import load_events as load_events
from .event_files import save_events as save_events
from .events import EventData as EventData
from .idx import Images as Images
from .idx import load_images as load_images
from .tones import moving_tones as moving_tones
from .yin_yang import yin_yang as yin_yang
