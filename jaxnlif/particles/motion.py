r"""Neurons between spikes: their potentials after a step, and whether they fired on the way.

The free motion is $dX = (f(X) + μ)\,dt + \sqrt{2a}\,dB$ with $f(v) = -λ v + g(v)$.
"""

from __future__ import annotations

import abc
from typing import NamedTuple

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float, Float32

from ..grid import VoltageGrid
from ..model import AbstractMembrane

_FARTHEST = 4
"""So many times the way from reset to threshold, and beyond, is out of reach in a step."""


class Draws(NamedTuple):
    """Independent numbers for every neuron: of N(0, 1), of U(0, 1), and more of N(0, 1) for those
    who restart, where these are needed."""

    normal: Float32[Array, " m"]
    uniform: Float32[Array, " m"]
    restart: Float32[Array, " m"] | None = None


class Moved(NamedTuple):
    """Neurons that have moved with the noise of a step.

    - `begin`, `potentials`: before, and after (voltage).
    - `margin`: by how much `potentials` might be lower and the neuron still fire in the step; it
      fires where this is positive (voltage).
    """

    begin: Float[Array, " m"]
    potentials: Float[Array, " m"]
    margin: Float[Array, " m"]


class AbstractMotion(eqx.Module):
    r"""The free motion in a step.

    - `grid`: threshold and reset; `membrane`.
    - `drive`: μ, `()` or `(m,)` (voltage); `noise`: $a > 0$, `()` or `(m,)`
      (voltage² / membrane time).
    - `duration`: $δ ≥ 0$, `()` or `(m,)` (membrane time); a neuron with 0 neither moves nor fires.
    - `draws`: the random numbers.
    """

    grid: VoltageGrid
    membrane: AbstractMembrane
    drive: Float[Array, "..."]
    noise: Float[Array, "..."]
    duration: Float[Array, "..."]
    draws: Draws

    @abc.abstractmethod
    def move(self, potentials: Float[Array, " m"]) -> Moved:
        """Neurons after the noise of the step; an input besides displaces `potentials` and `margin`
        of the result alike, by `lift` times it."""

    @abc.abstractmethod
    def finished(self, potentials: Float[Array, " m"]) -> Float[Array, " m"]:
        """Potentials at the end of the step, of neurons that did not fire."""

    @abc.abstractmethod
    def restarted(
        self, potentials: Float[Array, " m"], lift: Float[Array, "..."]
    ) -> Float[Array, " m"]:
        """Potentials at the end of the step, of neurons that fired in it and re-entered at once.

        **Arguments:** `potentials`, as moved and lifted; `lift`, by how much (voltage).
        """

    @property
    def lift(self) -> Float[Array, "..."]:
        r"""The displacement at the end of the step by a constant input of 1 (membrane time)."""
        return _faded(self.membrane.leak, self.duration)

    def since(self, moved: Moved, potentials: Float[Array, " m"]) -> Float[Array, " m"]:
        """How long before the end of the step the neurons that fired did so (membrane time).

        Uniformly distributed over the step: below its chance, a uniform number is once more.

        **Arguments:** `potentials`, as moved and lifted; meaningful where neurons fired.
        """
        threshold, duration = self.grid.threshold, self.duration
        left = jnp.maximum(threshold - self.finished(potentials), 0)
        below = jnp.maximum(threshold - moved.begin, 0) * left
        inverse = jnp.exp(below / (self.noise * jnp.where(duration > 0, duration, 1)))
        return duration * jnp.minimum(self.draws.uniform.astype(inverse.dtype) * inverse, 1)

    def _transition(self, begin: Float[Array, " m"]) -> Float[Array, " m"]:
        r"""The Ornstein–Uhlenbeck transition by leak, input and noise,

        $$X' = X e^{-λδ} + μ \frac{1 - e^{-λδ}}λ + \sqrt{a \frac{1 - e^{-2λδ}}λ}\,ξ.$$
        """
        leak, faded = self.membrane.leak, self.lift
        # 1 - e^{-2δ} = (1 - e^{-δ}) (2 - (1 - e^{-δ}))
        spread = jnp.sqrt(self.noise * faded * (2 - leak * faded))
        noise = spread * self.draws.normal.astype(begin.dtype)
        return begin + faded * (self.drive - leak * begin) + noise

    def _reach(self, begin: Float[Array, " m"]) -> Float[Array, " m"]:
        r"""How far below $V_F$ the end of a step may be of a neuron that fired in it (voltage).

        A neuron below $V_F$ at both ends has crossed it in between with the probability of a
        Brownian bridge, $\exp(-(V_F - X)(V_F - X')/(a δ))$. A uniform number $U$ is below that
        where $V_F - X' < -a δ \ln U/(V_F - X)^+$.
        """
        lowest = self.noise * self.duration * -jnp.log(self.draws.uniform.astype(begin.dtype))
        return lowest / jnp.maximum(self.grid.threshold - begin, 0)


class LinearMotion(AbstractMotion):
    r"""The exact motion where the drift is a leak, or nothing."""

    def move(self, potentials: Float[Array, " m"]) -> Moved:
        end = self._transition(potentials)
        margin = self._reach(potentials) - (self.grid.threshold - end)
        return Moved(potentials, end, margin)

    def finished(self, potentials: Float[Array, " m"]) -> Float[Array, " m"]:
        return potentials

    def restarted(
        self, potentials: Float[Array, " m"], lift: Float[Array, "..."]
    ) -> Float[Array, " m"]:
        r"""A spike moves the neuron from $V_F$ to $V_R$ and leaves its noise as it was.

        As the motion is linear, the rest $s$ of the step turns the jump into
        $X' - (V_F - V_R)\,e^{-λs}$; here with the mean $s = δ/2$, which costs no random number and
        no order. A neuron that is above $V_F$ once more fires in the next step.
        """
        decay = jnp.exp(-(self.membrane.leak * self.duration) / 2)
        return potentials - (self.grid.threshold - self.grid.reset) * decay


class SplitMotion(AbstractMotion):
    r"""The motion of any membrane: half a step of $\dot v = g(v)$, leak, input and noise, another
    half of $\dot v = g(v)$ (Strang splitting, of second order).

    The bridge is that between the ends of the whole step; a neuron that either half carries over
    $V_F$ has fired. Who fired lives the mean rest of
    the step, δ/2, from the reset potential on, with noise of its own.
    """

    def move(self, potentials: Float[Array, " m"]) -> Moved:
        v, half, onset = self.grid, self.duration / 2, self._onset
        begin = self.membrane.flow(jnp.minimum(potentials, onset), half)
        end = self._transition(begin)
        # Where the noise has to end for the last half to end within reach of the threshold.
        reach = jnp.minimum(self._reach(potentials), _FARTHEST * (v.threshold - v.reset))
        enough = self.membrane.flow(v.threshold - reach, -half)
        margin = jnp.where(potentials >= onset, jnp.inf, end - enough)
        return Moved(potentials, end, margin)

    def finished(self, potentials: Float[Array, " m"]) -> Float[Array, " m"]:
        return self.membrane.flow(jnp.minimum(potentials, self._onset), self.duration / 2)

    def restarted(
        self, potentials: Float[Array, " m"], lift: Float[Array, "..."]
    ) -> Float[Array, " m"]:
        assert self.draws.restart is not None
        reset, leak, rest = self.grid.reset, self.membrane.leak, self.duration / 2
        faded = _faded(leak, rest)
        spread = jnp.sqrt(self.noise * faded * (2 - leak * faded))
        end = reset + faded * (self.drive - leak * reset) + lift / 2
        end = end + spread * self.draws.restart.astype(potentials.dtype)
        return self.membrane.flow(jnp.minimum(end, self._onset), rest)

    @property
    def _onset(self) -> Float[Array, "..."]:
        """The potential from which $V_F$ is reached in half a step without input."""
        half = jnp.asarray(self.duration / 2)
        return self.membrane.flow(jnp.full_like(half, self.grid.threshold), -half)


def motion_of(
    grid: VoltageGrid,
    membrane: AbstractMembrane,
    drive: Float[Array, "..."],
    noise: Float[Array, "..."],
    duration: Float[Array, "..."],
    draws: Draws,
) -> AbstractMotion:
    """The motion of neurons with this membrane."""
    kind = LinearMotion if membrane.linear else SplitMotion
    return kind(grid, membrane, drive, noise, duration, draws)


def _faded(leak: Float[Array, ""] | float, duration: Float[Array, "..."]) -> Float[Array, "..."]:
    r"""$(1 - e^{-λδ}) / λ$, also for λ = 0."""
    if isinstance(leak, float) and leak in (0.0, 1.0):
        return -jnp.expm1(-duration) if leak else jnp.asarray(duration)
    leaks = leak > 0
    safe = jnp.where(leaks, leak, 1)
    return jnp.where(leaks, -jnp.expm1(-safe * duration) / safe, duration)
