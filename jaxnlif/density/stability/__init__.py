"""Linear response and stability of circuits around their stationary states."""

from .boundaries import Fold as Fold
from .boundaries import Hopf as Hopf
from .boundaries import fold as fold
from .boundaries import hopf as hopf
from .counting import num_unstable as num_unstable
from .modes import eigenvalue as eigenvalue
from .modes import eigenvalues as eigenvalues
from .response import Response as Response
from .response import response as response
from .response import transfer as transfer
from .spectra import interval_cv as interval_cv
from .spectra import neuron_spectrum as neuron_spectrum
from .spectra import spectrum as spectrum
