"""Spiking neurons followed from event to event, with exact gradients of their spike times."""

from .event_loop import InputSpikes as InputSpikes
from .lif import LIF as LIF
from .qif import QIF as QIF
from .recurrent import Recurrent as Recurrent
from .recurrent import RecurrentTrial as RecurrentTrial
from .recurrent import sorted_spikes as sorted_spikes
from .theta import Theta as Theta
