"""Data sets to learn from."""

from .idx import Images as Images
from .idx import load_images as load_images
from .yin_yang import yin_yang as yin_yang
