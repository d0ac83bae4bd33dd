"""jaxnlif: noisy leaky integrate-and-fire networks as densities, differentiable in JAX."""

from . import _interrupt as _interrupt
from . import _lazy

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = _lazy.attach(__name__)
