"""How the synaptic weights move."""

from __future__ import annotations

import abc
from collections.abc import Callable
from typing import Any, ClassVar

import jax.numpy as jnp
from jaxtyping import Array, Float

from .._check import check_finite
from .._module import Module
from ._leaf import as_leaf


class AbstractLearning(Module):
    """A learning rule: weights relax to $Φ = K(w)\\,N(w)\\,N̄$ at rate 1 in learning time.

    A rule with another `speed` than 1 moves them that much faster; with 0 they stay where they are,
    at the cost of a rule that moves them.

    **Reference:** B. Perthame, D. Salort, G. Wainrib, arXiv 1706.05796 (2017).
    """

    speed: ClassVar[Any] = 1
    moves: ClassVar[bool] = True
    """Whether weights move at all."""

    @abc.abstractmethod
    def strength(self, w: Float[Array, " w"]) -> Float[Array, " w"]:
        """The learning strength $K(w)$, shape `(w,)` (weight² × membrane time²).

        **Arguments:** `w`: weights, shape `(w,)` (weight).
        """


class Hebbian(AbstractLearning):
    """The Hebbian rule $\\dot w = K(w) N(w) N̄ - w$ in learning time.

    **Arguments:**

    - `gain`: the learning strength $K$ of either sign: a number, an array of shape `(w,)` with one
      value per weight cell, or a callable module $K(w)$ such as `Table` (weight² × membrane time²).

    **Raises:** `ValueError` if a given number or array is not finite.

    **Reference:** Q. He, J. Hu, Z. Zhou, *SIAM J. Sci. Comput.* (2022), arXiv 2109.04667;
    B. Perthame, D. Salort, G. Wainrib, arXiv 1706.05796 (2017).
    """

    gain: Float[Array, "..."] | Callable[..., Any]

    def __init__(self, gain: Any):
        self.gain = gain if callable(gain) else as_leaf("gain", gain)
        if not callable(self.gain):
            check_finite("gain", self.gain)

    def strength(self, w: Float[Array, " w"]) -> Float[Array, " w"]:
        gain = self.gain(w) if callable(self.gain) else self.gain
        return jnp.broadcast_to(gain, w.shape)


class Frozen(AbstractLearning):
    """Weights stay where they are."""

    speed: ClassVar[Any] = 0
    moves: ClassVar[bool] = False

    def strength(self, w: Float[Array, " w"]) -> Float[Array, " w"]:
        return jnp.zeros_like(w)
