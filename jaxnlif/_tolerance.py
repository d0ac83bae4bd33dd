"""Every tolerance that depends on the precision, in one place."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np


def floor(dtype: np.dtype) -> float:
    """Densities below this are treated as empty: ratios of smaller ones have lost their digits."""
    info = jnp.finfo(dtype)
    return float(info.tiny / info.eps)


def little(dtype: np.dtype) -> float:
    """The part of the mass of a column from which on a cell may limit a scheme in time."""
    return 1e-11 if jnp.finfo(dtype).bits == 64 else 1e-6


def divisor(dtype: np.dtype) -> float:
    """Quotients by less have no derivatives: the square of their divisor is hardly a number."""
    return float(jnp.finfo(dtype).tiny) ** 0.4


def slowest_rate(dtype: np.dtype) -> float:
    """A rate so slow that nothing happens at it, with room for its reciprocal in the dtype."""
    return 1e-150 if jnp.finfo(dtype).bits == 64 else 1e-20


def rounding(dtype: np.dtype) -> float:
    """Relative residual of a system of equations that is rounding alone."""
    return float(16 * jnp.finfo(dtype).eps)


def coupling(dtype: np.dtype) -> float:
    """Relative residual of the self-consistent rate within a step."""
    return float(jnp.finfo(dtype).eps) ** 0.75


def jacobian(dtype: np.dtype) -> float:
    """Relative error of the Jacobian of a whole run: what differs by less is the same."""
    return float(jnp.finfo(dtype).eps) ** (2 / 3)


def unit_mass(dtype: np.dtype) -> float:
    """How far the mass of a given initial density may be from 1 and still be called rounding."""
    return float(jnp.finfo(dtype).eps) ** 0.5
