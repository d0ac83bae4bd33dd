"""Spikes: exact events, and exact gradients of their times."""

from .encoding import Volleys as Volleys
from .encoding import flip as flip
from .encoding import time_to_first_spike as time_to_first_spike
from .losses import first_spike_cross_entropy as first_spike_cross_entropy
from .losses import spike_time_loss as spike_time_loss
from .network import FeedForward as FeedForward
from .network import Trial as Trial
from .pseudospikes import theta_pseudorate as theta_pseudorate
from .pseudospikes import theta_pseudospikes as theta_pseudospikes
from .theta import Theta as Theta
