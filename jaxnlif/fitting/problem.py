"""What a fit minimises over the free leaves of a model, and what is learned of a point."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from ..integrate.result import Result
from ..integrate.solution import Solution
from .parameters import Parameters

Free = list[Array]
"""Unbounded coordinates of the leaves."""


class Problem(eqx.Module):
    """What is minimised: `loss(run(model))` over the free leaves of a model."""

    parameters: Parameters
    run: Callable[[Any], Any]
    loss: Callable[[Any], Any]

    def residuals(self, values: list[Array]) -> tuple[Any, Bool[Array, ""]]:
        """The loss as it was written, and whether the run completed."""
        output = self.run(self.parameters.with_values(values))
        completed = jnp.ones((), bool)
        if isinstance(output, Solution):
            completed = jnp.all(output.result == Result.completed)
        return jax.tree.map(jnp.asarray, self.loss(output)), completed

    def in_deviations(self, values: list[Array]) -> tuple[Any, Any]:
        """What has the derivatives of predictions in units of their noise, and the residuals.

        The first are the residuals too, unless the loss has an `in_deviations`, as where the noise
        follows from the prediction."""
        output = self.run(self.parameters.with_values(values))
        losses = getattr(self.loss, "in_deviations", self.loss), self.loss
        deviations, residuals = (jax.tree.map(jnp.asarray, loss(output)) for loss in losses)
        return deviations, residuals

    def objective(self, free: Free) -> tuple[Float[Array, ""], Bool[Array, ""]]:
        """The number to minimise, and whether it is one that a completed run gave."""
        return self.value(self.parameters.values(free))

    def value(self, values: list[Array]) -> tuple[Float[Array, ""], Bool[Array, ""]]:
        """The same for values within the bounds."""
        residuals, completed = self.residuals(values)
        value = as_number(residuals)
        good = completed & jnp.isfinite(value)
        return jnp.where(good, value, huge(value.dtype)), good


def is_number(residuals: Any) -> bool:
    """Whether a loss is one number to be minimised, and not residuals."""
    leaves = jax.tree.leaves(residuals)
    return len(leaves) == 1 and leaves[0].ndim == 0


def as_number(residuals: Any) -> Float[Array, ""]:
    """Half the sum of squares of residuals, or the number that a loss is."""
    if is_number(residuals):
        return jax.tree.leaves(residuals)[0]
    return jnp.asarray(0.5) * sum(jnp.sum(leaf**2) for leaf in jax.tree.leaves(residuals))


def in_one_row(residuals: Any) -> Float[Array, " r"]:
    """All residuals in one row."""
    return jnp.concatenate([jnp.ravel(leaf) for leaf in jax.tree.leaves(residuals)])


def huge(dtype: np.dtype) -> float:
    """A loss beyond every other, of which an optimiser can still compute."""
    return float(jnp.finfo(dtype).max) ** 0.25


class Tried(NamedTuple):
    """A point that was tried, and the way on from it or, if it is not accepted, from the last one.

    - `value`: the loss, beyond every other where the run failed; `good`: whether it did not.
    - `slope`: the largest derivative, of a point that is accepted.
    - `updates`: the way on, of which the next step is a part `factor` or, by optimisers that
      shorten it themselves, which is `factor` times as long as the first from there.
    - `fall`: the derivative of the loss along it. `optimiser`: the state of the optimiser.
    """

    point: Free
    value: Float[Array, ""]
    good: Bool[Array, ""]
    accepted: Bool[Array, ""]
    slope: Float[Array, ""]
    updates: Free
    fall: Float[Array, ""]
    factor: Float[Array, ""]
    optimiser: Any
