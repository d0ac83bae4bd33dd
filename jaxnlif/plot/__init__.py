"""Figures of what the library computes, in one style, on screen and in print.

Every function draws into the axes given, or into those of a new figure, and returns them; `size`,
`SCREEN`, `COLUMN` or `PAGE`, says how large a new figure is.
"""

from ._data import final_density as final_density
from .activity import autocorrelation as autocorrelation
from .activity import events as events
from .activity import raster as raster
from .activity import rate as rate
from .activity import regimes as regimes
from .activity import spectrum as spectrum
from .animation import animate as animate
from .densities import density as density
from .densities import density_over_time as density_over_time
from .fits import descent as descent
from .fits import fit as fit
from .fits import parameters as parameters
from .fits import singular_values as singular_values
from .learning import ramp as ramp
from .learning import response as response
from .learning import weights as weights
from .learning import weights_over_time as weights_over_time
from .overview import summary as summary
from .size import BLACK as BLACK
from .size import BLUE as BLUE
from .size import COLUMN as COLUMN
from .size import CYCLE as CYCLE
from .size import GREEN as GREEN
from .size import GREY as GREY
from .size import HEAT as HEAT
from .size import ORANGE as ORANGE
from .size import PAGE as PAGE
from .size import PINK as PINK
from .size import RED as RED
from .size import SCREEN as SCREEN
from .size import SKY as SKY
from .size import Size as Size
from .spikes import gradients as gradients
from .spikes import spike_times as spike_times
from .spikes import training as training
from .stationary import firing_rate_curve as firing_rate_curve
from .style import MEMBRANE_TIME as MEMBRANE_TIME
from .style import RATE as RATE
from .style import RATES as RATES
from .style import VOLTAGE as VOLTAGE
from .style import WEIGHT as WEIGHT
from .style import WEIGHT_DENSITY as WEIGHT_DENSITY
from .style import figure as figure
from .style import finish as finish
from .style import new_figure as new_figure
from .sweeps import phase_diagram as phase_diagram
