"""Steps of learning: of a fixed rate, or of the length that a line search finds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float

Clip = Callable[[Any], Any]
"""Takes parameters back into their ranges."""

_HALVINGS = 40
"""Of a step, at most."""
_LONGEST = 1e3
"""How often the gradient a step of gradient descent may be."""


@dataclass(frozen=True)
class Fixed:
    """Steps as long as an optimiser of optax makes them."""

    optimiser: optax.GradientTransformation

    def init(self, parameters: Any) -> Any:
        return self.optimiser.init(parameters)

    def step(
        self,
        loss: Callable[[Any], Float[Array, ""]],
        clip: Clip,
        parameters: Any,
        memory: Any,
        value: Float[Array, ""],
        slope: Any,
    ) -> tuple[Any, Any]:
        """Parameters and memory after a step, from the loss there and its slope."""
        change, memory = self.optimiser.update(slope, memory, parameters)
        return clip(optax.apply_updates(parameters, change)), memory


@dataclass(frozen=True)
class Searched:
    """Steps whose length a line search finds: the loss never grows.

    The search follows the direction within the ranges of the parameters. Where nothing on it is
    better the parameters stay, and the optimiser forgets what led it there.

    **Reference:** J. Nocedal, S. J. Wright, Numerical Optimization (2006), sections 3.1 and 7.2.
    """

    optimiser: optax.GradientTransformationExtraArgs

    def init(self, parameters: Any) -> Any:
        return self.optimiser.init(parameters)

    def step(
        self,
        loss: Callable[[Any], Float[Array, ""]],
        clip: Clip,
        parameters: Any,
        memory: Any,
        value: Float[Array, ""],
        slope: Any,
    ) -> tuple[Any, Any]:
        """Parameters and memory after a step, from the loss there and its slope."""

        def inside(parameters: Any) -> Float[Array, ""]:
            return loss(clip(parameters))

        # what would only leave its range does not move
        target = clip(jax.tree.map(jnp.subtract, parameters, slope))
        slope = jax.tree.map(lambda x, to, at: jnp.where(to == at, 0, x), slope, target, parameters)
        options = {"value": value, "grad": slope, "value_fn": inside}
        change, new = self.optimiser.update(slope, memory, parameters, **options)
        moved = clip(optax.apply_updates(parameters, change))
        better = loss(moved) < value
        return jax.tree.map(
            lambda x, y: jnp.where(better, x, y), (moved, new), (parameters, self.init(parameters))
        )


def gradient() -> Searched:
    """Along the gradient; each search begins with twice the length that the last one found."""
    return Searched(optax.chain(optax.scale(-1.0), _search(growth=2.0, longest=_LONGEST)))


def lbfgs() -> Searched:
    """Along the direction of L-BFGS; each search begins with its whole length."""
    search = _search(growth=np.inf, longest=1.0)
    return Searched(optax.chain(optax.scale_by_lbfgs(), optax.scale(-1.0), search))


def _search(*, growth: float, longest: float) -> optax.GradientTransformationExtraArgs:
    return optax.scale_by_backtracking_linesearch(
        max_backtracking_steps=_HALVINGS,
        decrease_factor=0.5,
        increase_factor=growth,
        max_learning_rate=longest,
    )
