r"""The neurons of several populations, one population after another.

In units of the grid, on which population k lies stretched, and of its membrane time, neurons feel

$$dX_i = (f_k(X_i) + μ_k/s_k)\,dt + \sqrt{2a_k/s_k^2}\,dB_i
  + \sum_l \frac{b_{kl}}{s_k τ_k M_l} \sum_{j ∈ l} δ(t - τ_j)$$
"""

from __future__ import annotations

from typing import NamedTuple

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Float, Int

from ..grid import VoltageGrid
from ..model import AbstractMembrane, Network
from ..stretched import Stretched, kicks, stretched
from .alike import AbstractNeurons, Given
from .cascade import Cascade

_TOLERANCE = 0.01
_MAX_ITERATIONS = 30


class Several(AbstractNeurons):
    """The neurons of k populations.

    **Arguments:** `sizes`: how many each has.
    """

    sizes: tuple[int, ...] = eqx.field(static=True)

    @property
    def num(self) -> int:
        return sum(self.sizes)

    @property
    def population(self) -> np.ndarray:
        """That of each neuron, `(m,)`."""
        return np.repeat(np.arange(len(self.sizes), dtype=np.int32), self.sizes)

    def each(self, values: Float[Array, "*k"]) -> Float[Array, "..."]:
        """The number of its population for each neuron; one number for all as it is."""
        if not jnp.ndim(values):
            return values
        parts = [jnp.broadcast_to(values[k], size) for k, size in enumerate(self.sizes)]
        return jnp.concatenate(parts)

    def zeros(self, dtype: np.dtype) -> Float[Array, " k"]:
        return jnp.zeros(len(self.sizes), dtype)

    def count(self, who: Bool[Array, " m"]) -> Int[Array, " k"]:
        parts = jnp.split(who, np.cumsum(self.sizes)[:-1])
        return jnp.stack([jnp.sum(part, dtype=jnp.int32) for part in parts])

    def share(self, count: Int[Array, " k"], dtype: np.dtype) -> Float[Array, " k"]:
        return count.astype(dtype) / np.asarray(self.sizes, dtype)

    def membrane_times(self, model: Network, time: Float[Array, "..."]) -> Float[Array, "..."]:
        return self.each(time / model.epsilon / model.membrane_time)

    def kick(
        self, grid: VoltageGrid, model: Network, weights: Float[Array, " k"]
    ) -> Float[Array, "k k"] | None:
        if model.connections.delayed:
            return None
        return kicks(grid, model, weights)

    def given(
        self,
        grid: VoltageGrid,
        model: Network,
        t: Float[Array, ""],
        weights: Float[Array, " k"],
        signals: Float[Array, " s"],
    ) -> Given:
        drive = model.external(t, weights)
        if model.connections.delayed:
            drive = drive + model.connections.input(weights, signals)
        noise = model.diffusion(signals, t)
        membrane, unit = stretched(grid, model)
        if isinstance(membrane, Stretched):
            # The leak of a neuron, -λ (o + s x), is one to the 0 of the grid, and a drive.
            drive = drive - membrane.membrane.leak * membrane.offset
            offset, scale = self.each(membrane.offset), self.each(membrane.scale)
            membrane = _placed(membrane.membrane, offset, scale)
        return Given(membrane, self.each(drive / unit), self.each(noise / unit**2))

    def moved(
        self,
        kick: Float[Array, "k k"] | None,
        mass: Float[Array, " k"],
        gain: Float[Array, "..."] | float = 1.0,
    ) -> Float[Array, "..."]:
        if kick is None:
            return jnp.zeros((), mass.dtype)
        return self.each(self.jump(kick, mass)) * gain

    def jump(
        self, kick: Float[Array, "k k"] | None, mass: Float[Array, " k"]
    ) -> Float[Array, " k"]:
        return jnp.zeros_like(mass) if kick is None else jnp.sum(kick * mass[None], axis=1)

    def expected(
        self,
        margin: Float[Array, " m"],
        kick: Float[Array, "k k"] | None,
        gain: Float[Array, "..."],
        last: Float[Array, " k"],
    ) -> Float[Array, " k"]:
        r"""The masses whose kicks act as a drift during the step.

        They are those of the `last` step, unless inhibition answers with a change of the opposite
        sign and of any size in one of the populations. Then they are those that reproduce
        themselves within the step, to 1 %, found by relaxation between the last ones and their
        answer: excitation carries nobody away before the event that it may be.
        """
        if kick is None:
            return jnp.zeros_like(last)
        one = self.share(jnp.ones(len(self.sizes), jnp.int32), last.dtype)

        def excess(x: Float[Array, " k"]) -> Float[Array, " k"]:
            fires = margin + self.moved(kick, x, gain) > 0
            return self.share(self.count(fires), last.dtype) - x

        first = excess(last)
        second = excess(last + first)
        swings = (second * first < 0) & (jnp.abs(second) > one / 2)
        sought = jnp.any(swings)
        low, high = jnp.minimum(last, last + first), jnp.maximum(last, last + first)

        def unfinished(s: _Relaxation) -> Bool[Array, ""]:
            beyond = ((s.x <= low) & (s.f < 0)) | ((s.x >= high) & (s.f > 0))
            open = sought & ~beyond & (jnp.abs(s.f) > _TOLERANCE * s.x + one)
            return jnp.any(open) & (s.iterations < _MAX_ITERATIONS)

        def relax(s: _Relaxation) -> _Relaxation:
            x = jnp.clip(s.x + s.part * s.f, low, high)
            f = excess(x)
            return _Relaxation(x, f, jnp.where(f * s.f < 0, s.part / 2, s.part), s.iterations + 1)

        half = jnp.where(swings, 0.5, 1).astype(last.dtype)
        begin = _Relaxation(last, first, half, jnp.zeros((), jnp.int32))
        return jnp.clip(lax.while_loop(unfinished, relax, begin).x, 0, 1)

    def together(
        self,
        potentials: Float[Array, " m"],
        fired: Bool[Array, " m"],
        free: Bool[Array, " m"],
        kick: Float[Array, "k k"] | None,
        expected: Float[Array, " k"],
        threshold: float,
    ) -> Cascade:
        r"""Who fires once those in `fired` have, each at most once.

        With $S_k$ of $M_k$ neurons that fired, the masses grow from $m_k = S_k/M_k$ to the smallest
        with

        $$m_k M_k = \max\big(m_k M_k, S_k
          + \#\{i: X_i + \sum_l b_{kl} (m_l - \hat m_l) ≥ V_F\}\big),$$

        at which no more neurons reach the threshold: excitatory kicks carry the event, inhibitory
        ones act in it, and who fired has fired.
        """
        seeds, none = self.count(fired), jnp.zeros((), jnp.int32)
        if kick is None:
            return Cascade(seeds, jnp.zeros_like(fired), none)

        def unfinished(s: _Growth) -> Bool[Array, ""]:
            return jnp.any(s.count > s.previous)

        def widen(s: _Growth) -> _Growth:
            mass = self.share(s.count, expected.dtype)
            highest = jnp.maximum(s.highest, self.jump(kick, mass - expected))
            carried = free & (potentials + self.each(highest) >= threshold)
            return _Growth(s.count, seeds + self.count(carried), highest, s.rounds + 1)

        kicks = self.jump(kick, self.share(seeds, expected.dtype) - expected)
        # Nobody is carried along by kicks of which none lifts.
        previous = jnp.where(jnp.any(kicks > 0), seeds - 1, seeds)
        begin = _Growth(previous, seeds, jnp.zeros_like(expected), none)
        end = lax.while_loop(unfinished, widen, begin)
        carried = free & (potentials + self.each(end.highest) >= threshold)
        return Cascade(end.count, carried, end.rounds)


class _Relaxation(NamedTuple):
    """Fractions, how many more fire than they assume, and by which part of that to go on."""

    x: Float[Array, " k"]
    f: Float[Array, " k"]
    part: Float[Array, " k"]
    iterations: Int[Array, ""]


class _Growth(NamedTuple):
    """How many fired a round before, and now, by the highest kicks so far."""

    previous: Int[Array, " k"]
    count: Int[Array, " k"]  # pyright: ignore[reportIncompatibleMethodOverride]: of tuples
    highest: Float[Array, " k"]
    rounds: Int[Array, ""]


class _Placed(AbstractMembrane):
    """A membrane of neurons that lie stretched on the grid, but for the constant part of its leak.

    **Arguments:** `offset`, `scale`: of each neuron, shape `(m,)` (voltage).
    """

    membrane: AbstractMembrane
    offset: Float[Array, " m"]
    scale: Float[Array, " m"]

    @property
    def leak(self) -> Float[Array, ""] | float:
        return self.membrane.leak

    def drift(self, v: Float[Array, " m"]) -> Float[Array, " m"]:
        there = self.offset + self.scale * v
        return (self.membrane.drift(there) + self.leak * self.offset) / self.scale

    def flow(self, v: Float[Array, " m"], t: Float[Array, "..."]) -> Float[Array, " m"]:
        return (self.membrane.flow(self.offset + self.scale * v, t) - self.offset) / self.scale


def _placed(membrane: AbstractMembrane, offset: Array, scale: Array) -> AbstractMembrane:
    """Of a linear membrane only the leak counts."""
    return membrane if membrane.linear else _Placed(membrane, offset, scale)
