"""What is simulated: the network, its input, its response and its learning rule."""

from .adaptation import Adaptation
from .delay import AbstractDelay, Delay, ExponentialDelay, Never
from .drive import AbstractDrive, Bump, Constant, Pulse, Sinusoid, Tabulated
from .learning import AbstractLearning, Hebbian
from .membrane import AbstractMembrane, Exponential, Leaky, Perfect, Quadratic
from .network import Network
from .response import AbstractResponse, Identity, Saturating
from .spread import AbstractSpread, GammaDelay, NormalDelay
from .synapse import AbstractSynapse
from .table import Table

__all__ = [
    "AbstractDelay",
    "AbstractDrive",
    "AbstractLearning",
    "AbstractMembrane",
    "AbstractResponse",
    "AbstractSpread",
    "AbstractSynapse",
    "Adaptation",
    "Bump",
    "Constant",
    "Delay",
    "Exponential",
    "ExponentialDelay",
    "GammaDelay",
    "Hebbian",
    "Identity",
    "Leaky",
    "Network",
    "Never",
    "NormalDelay",
    "Perfect",
    "Pulse",
    "Quadratic",
    "Saturating",
    "Sinusoid",
    "Table",
    "Tabulated",
]
