"""Networks of neurons with exact spike times, and exact gradients of them."""

from .codes import latency as latency
from .codes import rate_coding as rate_coding
from .encoding import Volleys as Volleys
from .encoding import flip as flip
from .encoding import time_to_first_spike as time_to_first_spike
from .event_loop import InputSpikes as InputSpikes
from .lif import LIF as LIF
from .losses import first_spike_cross_entropy as first_spike_cross_entropy
from .losses import spike_time_loss as spike_time_loss
from .network import FeedForward as FeedForward
from .network import Trial as Trial
from .neuron import AbstractNeuron as AbstractNeuron
from .neuron import AbstractSmoothNeuron as AbstractSmoothNeuron
from .pseudospikes import qif_pseudorate as qif_pseudorate
from .pseudospikes import qif_pseudospikes as qif_pseudospikes
from .pseudospikes import theta_pseudorate as theta_pseudorate
from .pseudospikes import theta_pseudorates as theta_pseudorates
from .pseudospikes import theta_pseudospikes as theta_pseudospikes
from .qif import QIF as QIF
from .recurrent import Recurrent as Recurrent
from .recurrent import RecurrentTrial as RecurrentTrial
from .recurrent import sorted_spikes as sorted_spikes
from .theta import Theta as Theta
