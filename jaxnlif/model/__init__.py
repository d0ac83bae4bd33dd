"""What is simulated: the network, its input, its response and its learning rule."""

from .delay import AbstractDelay, Delay, ExponentialDelay, Never
from .drive import AbstractDrive, Bump, Constant, Pulse, Sinusoid, Tabulated
from .learning import AbstractLearning, Hebbian
from .network import Network
from .response import AbstractResponse, Identity, Saturating
from .table import Table

__all__ = [
    "AbstractDelay",
    "AbstractDrive",
    "AbstractLearning",
    "AbstractResponse",
    "Bump",
    "Constant",
    "Delay",
    "ExponentialDelay",
    "Hebbian",
    "Identity",
    "Network",
    "Never",
    "Pulse",
    "Saturating",
    "Sinusoid",
    "Table",
    "Tabulated",
]
