"""Spiking neurons followed from event to event, with exact gradients of their spike times."""

from .lif import LIF as LIF
from .qif import QIF as QIF
