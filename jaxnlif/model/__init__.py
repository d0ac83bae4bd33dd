"""What is simulated: the network, its input, its response and its learning rule."""

from .drive import AbstractDrive, Bump, Constant, Tabulated
from .learning import AbstractLearning, Hebbian
from .network import Network
from .response import AbstractResponse, Identity, Saturating
from .table import Table

__all__ = [
    "AbstractDrive",
    "AbstractLearning",
    "AbstractResponse",
    "Bump",
    "Constant",
    "Hebbian",
    "Identity",
    "Network",
    "Saturating",
    "Table",
    "Tabulated",
]
