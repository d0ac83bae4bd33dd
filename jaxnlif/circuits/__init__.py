"""Circuits of populations that everyone in the field knows; `Circuit` makes any other."""

from .cortex import microcircuit as microcircuit
from .sparse import brunel as brunel
