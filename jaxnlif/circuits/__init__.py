"""Circuits of populations that everyone in the field knows; `Circuit` makes any other."""

from .brunel import brunel as brunel
from .microcircuit import microcircuit as microcircuit
