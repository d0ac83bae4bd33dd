"""How the synaptic weights move."""

from __future__ import annotations

import abc
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from .._check import check_finite
from ._leaf import as_leaf


class AbstractLearning(eqx.Module):
    """A learning rule: weights relax to $Φ = K(w)\\,N(w)\\,N̄$ at rate 1 in slow time."""

    @abc.abstractmethod
    def strength(self, w: Float[Array, " w"]) -> Float[Array, " w"]:
        """The learning strength $K(w)$ at the weights `w`."""


class Hebbian(AbstractLearning):
    """Hebbian rule of He, Hu and Zhou (2022, arXiv 2109.04667): $\\dot w = K(w) N(w) N̄ - w$.

    **Arguments:**

    - `gain`: the learning strength $K$: a number, an array with one value per weight cell, or
      a callable module $K(w)$ such as `Table`; of either sign (weight units × time²).

    **Raises:** `ValueError` if a given number or array is not finite.
    """

    gain: Float[Array, "..."] | Callable[..., Any]

    def __init__(self, gain):
        self.gain = gain if callable(gain) else as_leaf("gain", gain)
        if not callable(self.gain):
            check_finite("gain", self.gain)

    def strength(self, w: Float[Array, " w"]) -> Float[Array, " w"]:
        gain = self.gain(w) if callable(self.gain) else self.gain
        return jnp.broadcast_to(gain, w.shape)
