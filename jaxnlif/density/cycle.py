r"""Watches for rates that jump to and fro from step to step.

A coupling that sees the rate of the step before is a fixed-point iteration in time. Where the
answer to that rate is stronger than the rate itself, steps alternate between two rates, of which
neither reproduces itself.
"""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
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
    r"""How the rates of the last steps alternate, of each population if there are several.

    - `change`: $N^n - N^{n-1}$, with N the network rate.
    - `swing`: the largest second difference while they alternate, with the sign of the last.
    - `seen`: the rate that neurons saw in the last step.
    - `steps`: for how many steps on end the second difference has had another sign each time and
      has kept its size. One that decays, or that is less than half a percent of the rate, counts
      for none.
    """

    change: Float[Array, "*k"]
    swing: Float[Array, "*k"]
    seen: Float[Array, "*s"]
    steps: Int[Array, "*k"]

    @property
    def is_cycle(self) -> Bool[Array, ""]:
        return jnp.any(self.steps >= _STEPS)

    def after(
        self,
        before: Float[Array, "*k"],
        rate: Float[Array, "*k"],
        seen: Float[Array, "*s"],
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


def watch(
    coupling: AbstractCoupling, model: Network, rate: Float[Array, "*k"]
) -> Alternation | None:
    """What a run that begins is watched with, or `None` where the coupling makes no cycles.

    Whether delayed signals do is a property of the synapse.
    """
    synapse = model.connections
    may = synapse.may_alternate if synapse.delayed else coupling.may_cycle
    if not may:
        return None
    zero, seen = jnp.zeros_like(rate), jnp.zeros_like(rate)
    if synapse.delayed and rate.ndim:
        felt = jax.eval_shape(synapse.seen, synapse.start(rate), jnp.ones((), rate.dtype))
        seen = jnp.zeros(felt.shape, felt.dtype)
    return Alternation(zero, zero, seen, jnp.zeros(rate.shape, jnp.int32))


def watched(
    alternation: Alternation | None,
    before: Float[Array, "*k"],
    rate: Float[Array, "*k"],
    signals: Float[Array, " s"],
    step: VoltageStep,
    dt: Float[Array, ""],
) -> Alternation | None:
    """`Alternation.after` a voltage step of length `dt`, where it is watched."""
    if alternation is None:
        return None
    before, rate, signals, step, dt = frozen((before, rate, step.heard(signals), step, dt))
    driven = _driven(step, signals, jnp.atleast_1d(alternation.seen), dt)
    seen = signals.reshape(alternation.seen.shape)
    return alternation.after(before, rate, seen, driven)


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
