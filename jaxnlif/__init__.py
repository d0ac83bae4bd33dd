"""jaxnlif: noisy leaky integrate-and-fire networks as densities, differentiable in JAX."""

from . import plot as plot
from .density import stationary as stationary
from .density.coupling import Corrected as Corrected
from .density.coupling import Implicit as Implicit
from .density.coupling import Lagged as Lagged
from .density.events import Cascade as Cascade
from .density.solver import FluxShift as FluxShift
from .grid import Grid as Grid
from .grid import VoltageGrid as VoltageGrid
from .grid import WeightGrid as WeightGrid
from .initial import from_samples as from_samples
from .initial import gaussian as gaussian
from .initial import normalise as normalise
from .model import AbstractDelay as AbstractDelay
from .model import AbstractDrive as AbstractDrive
from .model import AbstractLearning as AbstractLearning
from .model import AbstractResponse as AbstractResponse
from .model import Bump as Bump
from .model import Constant as Constant
from .model import Delay as Delay
from .model import ExponentialDelay as ExponentialDelay
from .model import Hebbian as Hebbian
from .model import Identity as Identity
from .model import Network as Network
from .model import Pulse as Pulse
from .model import Saturating as Saturating
from .model import Sinusoid as Sinusoid
from .model import Table as Table
from .model import Tabulated as Tabulated
from .multiscale.solver import MultiScale as MultiScale
from .multiscale.switch import CascadeSwitch as CascadeSwitch
from .multiscale.switch import RateSwitch as RateSwitch
from .particles.restart import Hold as Hold
from .particles.restart import Shift as Shift
from .particles.solver import Particles as Particles
from .solve.progress import ProgressBar as ProgressBar
from .solve.result import Interrupted as Interrupted
from .solve.result import Result as Result
from .solve.result import SolveError as SolveError
from .solve.saveat import SaveAt as SaveAt
from .solve.solution import Solution as Solution
from .solve.solve import solve as solve
from .solve.solver import Regime as Regime
from .solve.solver import Snapshot as Snapshot

__version__ = "0.1.0"
