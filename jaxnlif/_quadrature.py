"""Gauss rules, which take long to compute."""

from __future__ import annotations

from functools import cache

import numpy as np
from jaxtyping import Float


@cache
def gauss_legendre(num: int) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"]]:
    """The nodes, in [-1, 1], and the weights of a Gauss rule."""
    return np.polynomial.legendre.leggauss(num)
