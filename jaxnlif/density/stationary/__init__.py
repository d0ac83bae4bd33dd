"""Stationary states: firing rates, densities, self-consistent rates, folds, learned states."""

from .learned import LearnedState as LearnedState, learned_state as learned_state
from .network import (
    Fold as Fold,
    fold as fold,
    self_consistent_rate as self_consistent_rate,
    self_consistent_rates as self_consistent_rates,
)
from .rate import (
    density as density,
    firing_rate as firing_rate,
    log_firing_rate as log_firing_rate,
)
