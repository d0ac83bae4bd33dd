r"""Watches for rates that jump to and fro from step to step.

A coupling that sees the rate of the step before is a fixed-point iteration in time. Where the
answer to that rate is stronger than the rate itself, steps alternate between two rates, of which
neither reproduces itself.
"""

from __future__ import annotations

from collections.abc import Callable

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Float, Int

from ..model import Delay, Network
from .coupling import AbstractCoupling
from .interval import Interval, frozen

_STEPS = 24
_KEPT = 0.9
_VISIBLE = 0.005
_CAUSED = 0.5


class Alternation(eqx.Module):
    r"""How the rates of the last steps alternate.

    - `change`: $N^n - N^{n-1}$, with N the network rate.
    - `swing`: the largest second difference while they alternate, with the sign of the last.
    - `seen`: the rate that neurons saw in the last step.
    - `steps`: for how many steps on end the second difference has had another sign each time and
      has kept its size. One that decays, or that is less than half a percent of the rate, counts
      for none.
    """

    change: Float[Array, ""]
    swing: Float[Array, ""]
    seen: Float[Array, ""]
    steps: Int[Array, ""]

    @property
    def is_cycle(self) -> Bool[Array, ""]:
        return self.steps >= _STEPS

    def after(
        self,
        before: Float[Array, ""],
        rate: Float[Array, ""],
        seen: Float[Array, ""],
        response: Callable[[Array], Array],
    ) -> Alternation:
        """With one more step, from the rate `before` to `rate`, in which neurons saw `seen`.

        **Arguments:** `response`, the rate that results in the step from the one that is seen. It
        is evaluated after many alternations: if the rate that was seen in the step before makes no
        difference, a drive alternates, and not the coupling.
        """
        change = rate - before
        second = change - self.change
        size, largest = jnp.abs(second), jnp.abs(self.swing)
        visible = size > _VISIBLE * (rate + before)
        goes_on = (second * self.swing < 0) & (size >= _KEPT * largest) & visible
        steps = jnp.where(goes_on, self.steps + 1, 0)
        swing = jnp.sign(second) * jnp.where(goes_on, jnp.maximum(size, largest), size)

        def ask(_):
            caused = jnp.abs(response(self.seen) - rate) >= _CAUSED * jnp.abs(change)
            return jnp.where(caused, steps, 0), jnp.zeros((), bool)

        # A loop of at most one turn: under `vmap` a branch would be evaluated in every step.
        steps, _ = lax.while_loop(lambda carry: carry[1], ask, (steps, steps == _STEPS))
        return Alternation(change, swing, seen, steps)


def watch(coupling: AbstractCoupling, model: Network, dtype: np.dtype) -> Alternation | None:
    """What a run that begins is watched with, or `None` where the coupling makes no cycles.

    Rates that alternate after one `Delay`, for all spikes the same, are those of the equation.
    """
    delayed = model.delay is not None
    may = not isinstance(model.delay, Delay) if delayed else coupling.may_cycle
    zero = jnp.zeros((), dtype)
    return Alternation(zero, zero, zero, jnp.zeros((), jnp.int32)) if may else None


def watched(
    alternation: Alternation | None,
    before: Float[Array, ""],
    rate: Float[Array, ""],
    seen: Float[Array, ""],
    interval: Interval,
) -> Alternation | None:
    """`Alternation.after` the step of an interval, where there is something to watch."""
    if alternation is None:
        return None
    before, rate, seen, interval = frozen((before, rate, seen, interval))
    return alternation.after(before, rate, seen, interval.firing)
