r"""The curve of all stationary states of networks that share noise, threshold and reset.

**Reference:** M. J. Cáceres, J. A. Carrillo, B. Perthame, J. Math. Neurosci. 1:7 (2011).
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

from ._roots import implicit_root, newton, with_slope
from .rate import log_rate, rested

_SAMPLES = 1024


class Network(NamedTuple):
    """Weight and drive of a network."""

    weight: Float[Array, ""]
    drive: Float[Array, ""]


class State(NamedTuple):
    r"""Mean input $μ$ and logarithm of the rate $N$ of a stationary state."""

    input: Float[Array, ""]
    log_n: Float[Array, ""]

    def log_coupling(self, drive: Float[Array, ""]) -> Float[Array, ""]:
        r"""$\log b$ where $b = (μ - I)/N$ is positive; $-\infty$ elsewhere."""
        rise = self.input - drive
        positive = rise > 0
        return jnp.where(positive, jnp.log(jnp.where(positive, rise, 1)) - self.log_n, -jnp.inf)


class Curve(NamedTuple):
    r"""The stationary states of all networks with this noise, $A = (V_F - μ)/\sqrt{a_0 + a_1 N}$.

    For every real $A$ there is one such state: given $A$, the slope of $\log N - \log r$ in
    $\log N$ is between 1/2 and 1. A network with drive $I$ and weight $b$ is stationary where
    $μ(A) = I + b N(A)$. $A$ is bounded by a few multiples of the parameters where $\log N$ runs
    over $10^5$ and more, and everything is smooth on the scale of $\operatorname{asinh} A$.
    """

    noise: Float[Array, ""]
    noise_slope: Float[Array, ""]
    threshold: Float[Array, ""]
    reset: Float[Array, ""]
    rest: Float[Array, ""]

    def noise_at(self, log_n: Float[Array, ""]) -> Float[Array, ""]:
        """Noise $a_0 + a_1 N$."""
        return self.noise + self.noise_slope * jnp.exp(log_n)

    def log_rate(self, distance: Float[Array, ""], scale: Float[Array, ""]) -> Float[Array, ""]:
        r"""$\log r$ at $A$, kept above the logarithms that are no numbers."""
        lowest = float(jnp.finfo(scale.dtype).min) / 8
        return rested(jnp.maximum(log_rate(distance, self.gap / scale), lowest), self.rest)

    def state(self, distance: Float[Array, ""]) -> State:
        """The stationary state at $A$."""

        def residual(log_n: Float[Array, ""]) -> Float[Array, ""]:
            return log_n - self.log_rate(distance, jnp.sqrt(self.noise_at(log_n)))

        # From so low a rate the first step leads to the solution for the noise a0.
        start = jnp.full_like(distance, -100)
        log_n = implicit_root(residual, partial(newton, max_step=jnp.inf), start)
        return State(self.threshold - distance * jnp.sqrt(self.noise_at(log_n)), log_n)

    def excess(self, network: Network, distance: Float[Array, ""]) -> Float[Array, ""]:
        r"""$μ(A) - I - b N(A)$ relative to its terms: zero at the states of the network."""
        state = self.state(distance)
        recurrent = network.weight * jnp.exp(state.log_n)
        size = jnp.abs(self.threshold) + jnp.abs(self.threshold - state.input)
        size += jnp.abs(network.drive) + jnp.abs(recurrent)
        return (state.input - network.drive - recurrent) / size

    def coupling_slope(
        self, drive: Float[Array, ""], distance: Float[Array, ""]
    ) -> tuple[Float[Array, ""], Float[Array, ""]]:
        r"""$N\, db/dA = μ' - (μ - I) (\log N)'$, and $\log b$."""
        state, slope = with_slope(self.state, distance)
        return slope.input - (state.input - drive) * slope.log_n, state.log_coupling(drive)

    @property
    def gap(self) -> Float[Array, ""]:
        """$V_F - V_R$."""
        return self.threshold - self.reset

    def grid(self, network: Network) -> Float[Array, " sample"]:
        r"""Values of $A$ that enclose all states: those beyond are as in the limits.

        At high rates $μ ≈ V_F + N (V_F - V_R)$, so that states are the rarer the nearer $b$ is to
        $V_F - V_R$; at $A > 40$ and below the drive, the rate is nothing.
        """
        scale = jnp.sqrt(self.noise)
        distance = (self.threshold - network.drive) / scale
        size = jnp.abs(distance) + (self.gap + self.noise_slope / self.gap) / scale + 1
        smallest = jnp.sqrt(jnp.finfo(scale.dtype).eps)
        detuning = jnp.clip(jnp.abs(network.weight / self.gap - 1), smallest, 1)
        # With a refractory period there is a state up to where all neurons fire at its inverse.
        rests = self.rest > 0
        most = jnp.maximum(network.weight, 0) / jnp.where(rests, self.rest, 1) / scale
        bound = jnp.maximum(10 * size / detuning, jnp.where(rests, 2 * (size + most), 0))
        low, high = -bound, 2 * jnp.maximum(distance, 0) + 40
        return jnp.sinh(jnp.linspace(jnp.arcsinh(low), jnp.arcsinh(high), _SAMPLES))
