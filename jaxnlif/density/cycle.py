r"""Watches for rates that jump to and fro from step to step.

A coupling that sees the rate of the step before is a fixed-point iteration in time. Where the
answer to that rate is stronger than the rate itself, steps alternate between two rates, of which
neither reproduces itself.
"""

from __future__ import annotations

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from ..model import Network
from ..model.drive import is_still
from .coupling import AbstractCoupling
from .voltage import VoltageStep, frozen

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
        driven: Bool[Array, ""],
    ) -> Alternation:
        """With one more step, from the rate `before` to `rate`, in which neurons saw `seen`.

        **Arguments:** `driven`, whether the drive may be what alternates, and not the coupling.
        """
        change = rate - before
        second = change - self.change
        size, largest = jnp.abs(second), jnp.abs(self.swing)
        visible = size > _VISIBLE * (rate + before)
        goes_on = (second * self.swing < 0) & (size >= _KEPT * largest) & visible & ~driven
        swing = jnp.sign(second) * jnp.where(goes_on, jnp.maximum(size, largest), size)
        return Alternation(change, swing, seen, jnp.where(goes_on, self.steps + 1, 0))


def watch(coupling: AbstractCoupling, model: Network, dtype: np.dtype) -> Alternation | None:
    """What a run that begins is watched with, or `None` where the coupling makes no cycles.

    Whether delayed signals do is a property of the synapse.
    """
    synapse = model.connections
    may = synapse.may_alternate if synapse.delayed else coupling.may_cycle
    zero = jnp.zeros((), dtype)
    return Alternation(zero, zero, zero, jnp.zeros((), jnp.int32)) if may else None


def watched(
    alternation: Alternation | None,
    before: Float[Array, ""],
    rate: Float[Array, ""],
    signals: Float[Array, " s"],
    step: VoltageStep,
    dt: Float[Array, ""],
) -> Alternation | None:
    """`Alternation.after` a voltage step of length `dt`, where it is watched."""
    if alternation is None:
        return None
    before, rate, signals, step, dt = frozen((before, rate, signals, step, dt))
    driven = _driven(step, signals, alternation.seen[None], dt)
    return alternation.after(before, rate, signals[0], driven)


def _driven(
    step: VoltageStep, signals: Float[Array, " s"], before: Float[Array, " s"], dt: Array
) -> Bool[Array, ""]:
    """Whether the drive has changed in the step by more than half as much as the coupling."""
    model, w, time = step.model, step.weights, step.time
    if is_still(model.drive):
        return jnp.zeros((), bool)
    drive = model.external(time, w) - model.external(time - dt, w)
    coupling = model.connections.input(w, signals) - model.connections.input(w, before)
    return jnp.max(jnp.abs(drive)) > _CAUSED * jnp.max(jnp.abs(coupling))
