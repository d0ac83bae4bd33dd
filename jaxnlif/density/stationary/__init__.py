"""Stationary states: firing rates, densities, self-consistent rates, folds, learned states."""

from .circuit import CircuitStates as CircuitStates
from .circuit import circuit_rate as circuit_rate
from .circuit import circuit_rates as circuit_rates
from .learned import LearnedState as LearnedState
from .learned import learned_state as learned_state
from .network import Fold as Fold
from .network import fold as fold
from .network import self_consistent_rate as self_consistent_rate
from .network import self_consistent_rates as self_consistent_rates
from .rate import density as density
from .rate import firing_rate as firing_rate
from .rate import log_firing_rate as log_firing_rate
