"""Where a parameter may lie, and the unbounded coordinate in which it is searched."""

from __future__ import annotations

import abc

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from .._check import check, check_finite, check_scalar
from .._module import Module


class AbstractBounds(Module):
    """A smooth, increasing map from all numbers onto the values that are allowed.

    **Arguments** of the methods:

    - `free`: unbounded coordinates of any shape (dimensionless).
    - `value`: values of any shape in the unit of the parameter.
    """

    @abc.abstractmethod
    def value(self, free: Float[Array, "..."]) -> Float[Array, "..."]:
        """Values in the shape of unbounded coordinates and the unit of the parameter."""

    @abc.abstractmethod
    def free(self, value: Float[Array, "..."]) -> Float[Array, "..."]:
        """Coordinates, in the shape of values strictly inside the bounds (dimensionless)."""

    @abc.abstractmethod
    def contains(self, value: np.ndarray) -> Bool[np.ndarray, "..."]:
        """Whether values lie strictly inside, in their shape."""

    @abc.abstractmethod
    def near(self, value: np.ndarray) -> Bool[np.ndarray, "..."]:
        """Whether values are near enough to a bound to be as good as on it, in their shape."""

    @abc.abstractmethod
    def nearer(self, value: Float[Array, "..."]) -> Float[Array, "..."]:
        """Values half as far from the nearest bound, in the shape and unit of `value`."""


class Free(AbstractBounds):
    """Every finite number."""

    def value(self, free: Float[Array, "..."]) -> Float[Array, "..."]:
        return free

    def free(self, value: Float[Array, "..."]) -> Float[Array, "..."]:
        return value

    def contains(self, value: np.ndarray) -> Bool[np.ndarray, "..."]:
        return np.asarray(np.isfinite(value))

    def near(self, value: np.ndarray) -> Bool[np.ndarray, "..."]:
        return np.zeros_like(value, bool)

    def nearer(self, value: Float[Array, "..."]) -> Float[Array, "..."]:
        return value


class Positive(AbstractBounds):
    """Numbers above zero, searched by their logarithm: steps are relative."""

    def value(self, free: Float[Array, "..."]) -> Float[Array, "..."]:
        return jnp.exp(free)

    def free(self, value: Float[Array, "..."]) -> Float[Array, "..."]:
        return jnp.log(value)

    def contains(self, value: np.ndarray) -> Bool[np.ndarray, "..."]:
        return np.asarray(np.isfinite(value) & (value > 0))

    def near(self, value: np.ndarray) -> Bool[np.ndarray, "..."]:
        return np.asarray(value < 1e-6)

    def nearer(self, value: Float[Array, "..."]) -> Float[Array, "..."]:
        return value / 2


class Between(AbstractBounds):
    r"""Numbers between two bounds, $low + (high - low)/(1 + e^{-x})$ of the coordinate x.

    **Arguments:** `low`, `high`: the bounds, in the unit of the parameter.

    **Raises:** `ValueError` unless both are finite numbers and in order.
    """

    low: float = eqx.field(static=True)
    high: float = eqx.field(static=True)

    def __init__(self, low: float | int, high: float | int):
        for name, bound in (("low", low), ("high", high)):
            check_scalar(name, bound)
            check_finite(name, bound)
        self.low, self.high = float(low), float(high)
        check(self.low < self.high, f"low = {low}: must be below high = {high}")

    def value(self, free: Float[Array, "..."]) -> Float[Array, "..."]:
        return self.low + (self.high - self.low) * jax.nn.sigmoid(free)

    def free(self, value: Float[Array, "..."]) -> Float[Array, "..."]:
        return jnp.log((value - self.low) / (self.high - value))

    def contains(self, value: np.ndarray) -> Bool[np.ndarray, "..."]:
        return np.asarray((value > self.low) & (value < self.high))

    def near(self, value: np.ndarray) -> Bool[np.ndarray, "..."]:
        slack = 1e-3 * (self.high - self.low)
        return np.asarray((value < self.low + slack) | (value > self.high - slack))

    def nearer(self, value: Float[Array, "..."]) -> Float[Array, "..."]:
        middle = 0.5 * (self.low + self.high)
        return 0.5 * (value + jnp.where(value < middle, self.low, self.high))
