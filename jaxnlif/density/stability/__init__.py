"""Linear response and stability of circuits around their stationary states."""

from .modes import eigenvalue as eigenvalue
from .modes import eigenvalues as eigenvalues
from .response import Response as Response
from .response import response as response
from .response import transfer as transfer
