r"""Stationary states of a network in which all neurons share one weight: rates and their fold.

A network with drive $I$, weight $b$ and noise $a_0 + a_1 N$ is stationary at the rates
$N = r(I + bN, a_0 + a_1 N)$, with $r$ of equation (1). For constant noise $b(μ) = (μ - I)/r(μ)$ is
explicit; in general the states are a curve, see `_Curve`, on which they are found by sampling.

**Reference:** M. J. Cáceres, J. A. Carrillo, B. Perthame, J. Math. Neurosci. 1:7 (2011) [CCP].
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Float, Real

from ..._module import Module
from ._roots import (
    bisect,
    implicit_root,
    is_root,
    known_root,
    newton,
    raise_if,
    require,
    with_slope,
)
from .rate import log_rate, neuron

_SAMPLES = 1024
_MAX_FOLDS = 4


class Fold(Module):
    r"""The largest coupling at which an excitatory network has a stationary rate.

    - `coupling`: $b^*$ (voltage × membrane time); above it there is no stationary rate.
    - `rate`: the rate $N^*$ there (spikes / neuron / membrane time).
    - `attained`: whether it is a fold. If not, the rate grows without bound as the weight
      approaches `coupling` $= V_F - V_R$ from below, and `rate` is infinite.

    **Reference:** as `self_consistent_rates`.
    """

    coupling: Float[Array, ""]
    rate: Float[Array, ""]
    attained: Bool[Array, ""]


def self_consistent_rates(
    weight: Real[ArrayLike, ""],
    drive: Real[ArrayLike, ""],
    noise: Real[ArrayLike, ""] = 1.0,
    noise_slope: Real[ArrayLike, ""] = 0.0,
    threshold: Real[ArrayLike, ""] = 2.0,
    reset: Real[ArrayLike, ""] = 1.0,
) -> Float[Array, " roots"]:
    r"""All stationary rates $N = r(I + bN, a_0 + a_1 N)$ of a network, in ascending order.

    An inhibitory network has one; an excitatory one may have none, one, two or more ([CCP]).

    **Arguments:**

    - `weight`: coupling $b$, negative for inhibition (voltage × membrane time).
    - `drive`: external input $I$ (voltage).
    - `noise`: $a_0 > 0$ (voltage² / membrane time).
    - `noise_slope`: $a_1 ≥ 0$ (voltage²).
    - `threshold`, `reset`: $V_F > V_R$ (voltage).

    **Returns:** the rates, shape `(roots,)`, empty if there is none
    (spikes / neuron / membrane time).

    **Raises:** `ValueError` where an argument breaks its rule or is not finite, and under `jit` and
    `vmap`, where the number of rates cannot be known: follow one by `self_consistent_rate` there.

    **Guarantees:** each rate is differentiable in every argument (`grad` and `jvp` work). Two
    rates near a fold are told apart as long as the arithmetic can.

    **Reference:** M. J. Cáceres, J. A. Carrillo, B. Perthame, *J. Math. Neurosci.* 1:7 (2011).
    """
    curve, network = _network(weight, drive, noise, noise_slope, threshold, reset)
    search = jax.tree.map(lax.stop_gradient, (curve, network))
    if any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves(search)):
        raise ValueError(
            "self_consistent_rates: the number of rates is not known under jit or vmap; "
            "use self_consistent_rate with a guess there"
        )
    # Between neighbouring extrema of the excess there is at most one state. Where the excess is
    # rounding its sign says nothing, as for b = V_F - V_R at high rates.
    grid, excess, slope = map(np.asarray, _sample(*search))
    turns = [_turn(*search, *ends) for ends in _sign_changes(grid, slope)]
    at, excess = np.concatenate([[grid, excess], np.reshape(turns, (-1, 2)).T], axis=1)
    order = np.argsort(at)
    order = order[np.abs(excess[order]) > 64 * jnp.finfo(grid.dtype).eps]
    states = [_state(*search, *ends) for ends in _sign_changes(at[order], excess[order])]
    log_rates = [_differentiable(curve, network, state.log_n) for state in reversed(states)]
    return jnp.exp(jnp.asarray(log_rates, curve.noise.dtype))


def self_consistent_rate(
    weight: Real[ArrayLike, ""],
    drive: Real[ArrayLike, ""],
    noise: Real[ArrayLike, ""] = 1.0,
    noise_slope: Real[ArrayLike, ""] = 0.0,
    threshold: Real[ArrayLike, ""] = 2.0,
    reset: Real[ArrayLike, ""] = 1.0,
    *,
    guess: Real[ArrayLike, ""],
    throw: bool = True,
) -> Float[Array, ""]:
    r"""The stationary rate of a network on the branch near `guess`; works under any transformation.

    $$N = r(I + bN, a_0 + a_1 N)$$

    solved for $\log N$ by Newton's method with bounded steps.

    **Arguments:** those of `self_consistent_rates`, and

    - `guess`: a rate to start from (spikes / neuron / membrane time).
    - `throw`: whether a failure is an error; otherwise the rate is NaN then.

    **Returns:** the rate (spikes / neuron / membrane time), differentiable in every argument but
    `guess`, to any order.

    **Raises:** `ValueError` where a known argument breaks its rule or is not finite, or no rate is
    found near the guess, as beyond the fold; where only compiled code can tell, `RuntimeError`.

    **Reference:** as `self_consistent_rates`.
    """
    curve, network = _network(weight, drive, noise, noise_slope, threshold, reset)
    require("guess", lambda rate: rate > 0, "must be positive", guess)
    start = jnp.log(jnp.asarray(guess, curve.noise.dtype))
    log_n, found = _rate_near(curve, network, start)
    if throw:
        log_n = raise_if(
            ~found,
            log_n,
            "self_consistent_rate: no stationary rate near the guess; "
            "the coupling may be beyond the fold",
        )
    return jnp.where(found, jnp.exp(log_n), jnp.nan)


def fold(
    drive: Real[ArrayLike, ""],
    noise: Real[ArrayLike, ""] = 1.0,
    noise_slope: Real[ArrayLike, ""] = 0.0,
    threshold: Real[ArrayLike, ""] = 2.0,
    reset: Real[ArrayLike, ""] = 1.0,
) -> Fold:
    r"""The coupling beyond which an excitatory network has no stationary rate, and the rate there.

    $$b^* = \max_μ \frac{μ - I}{N(μ)}, \qquad N(μ) = r(μ, a_0 + a_1 N(μ))$$

    ([CCP], steady states). Where the maximum is not attained, because $b$ rises towards
    $V_F - V_R$ as the rate grows without bound, the result says so; see `Fold`.

    **Arguments:** those of `self_consistent_rates` without the weight.

    **Returns:** a `Fold`, differentiable in every argument; works under any transformation.

    **Raises:** `ValueError` where a known argument breaks its rule or is not finite.

    **Reference:** as `self_consistent_rates`.
    """
    curve, network = _network(0.0, drive, noise, noise_slope, threshold, reset)
    return _fold(curve, network.drive)


class _Network(NamedTuple):
    """Weight and drive of a network."""

    weight: Float[Array, ""]
    drive: Float[Array, ""]


class _State(NamedTuple):
    r"""Mean input $μ$ and logarithm of the rate $N$ of a stationary state."""

    input: Float[Array, ""]
    log_n: Float[Array, ""]

    def log_coupling(self, drive: Float[Array, ""]) -> Float[Array, ""]:
        r"""$\log b$ where $b = (μ - I)/N$ is positive; $-\infty$ elsewhere."""
        rise = self.input - drive
        positive = rise > 0
        return jnp.where(positive, jnp.log(jnp.where(positive, rise, 1)) - self.log_n, -jnp.inf)


class _Curve(NamedTuple):
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

    def noise_at(self, log_n: Float[Array, ""]) -> Float[Array, ""]:
        """Noise $a_0 + a_1 N$."""
        return self.noise + self.noise_slope * jnp.exp(log_n)

    def state(self, distance: Float[Array, ""]) -> _State:
        """The stationary state at $A$."""

        def residual(log_n):
            return log_n - log_rate(distance, self.gap / jnp.sqrt(self.noise_at(log_n)))

        # From so low a rate the first step leads to the solution for the noise a0.
        start = jnp.full_like(distance, -100)
        log_n = implicit_root(residual, partial(newton, max_step=jnp.inf), start)
        return _State(self.threshold - distance * jnp.sqrt(self.noise_at(log_n)), log_n)

    def excess(self, network: _Network, distance: Float[Array, ""]) -> Float[Array, ""]:
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

    def grid(self, network: _Network) -> Float[Array, " sample"]:
        r"""Values of $A$ that enclose all states: those beyond are as in the limits.

        At high rates $μ ≈ V_F + N (V_F - V_R)$, so that states are the rarer the nearer $b$ is to
        $V_F - V_R$; at $A > 40$ and below the drive, the rate is nothing.
        """
        scale = jnp.sqrt(self.noise)
        distance = (self.threshold - network.drive) / scale
        size = jnp.abs(distance) + (self.gap + self.noise_slope / self.gap) / scale + 1
        smallest = jnp.sqrt(jnp.finfo(scale.dtype).eps)
        detuning = jnp.clip(jnp.abs(network.weight / self.gap - 1), smallest, 1)
        low, high = -10 * size / detuning, jnp.maximum(distance, 0) + 40
        return jnp.sinh(jnp.linspace(jnp.arcsinh(low), jnp.arcsinh(high), _SAMPLES))


def _network(weight, drive, noise, noise_slope, threshold, reset) -> tuple[_Curve, _Network]:
    """The arguments, checked, as a curve of states and a network that picks some of them."""
    require("noise_slope", lambda slope: slope >= 0, "must not be negative", noise_slope)
    others = {"weight": weight, "noise_slope": noise_slope}
    drive, noise, threshold, reset, weight, noise_slope = neuron(
        drive, noise, threshold, reset, **others
    )
    return _Curve(noise, noise_slope, threshold, reset), _Network(weight, drive)


def _sign_changes(x, values):
    """Neighbours in `x` between which `values` change sign, and whether they fall."""
    positive = np.asarray(values) > 0
    for k in np.flatnonzero(positive[1:] != positive[:-1]):
        yield x[k], x[k + 1], positive[k]


@jax.jit
def _sample(curve: _Curve, network: _Network):
    """The grid, and on it the excess and its slope."""
    grid = curve.grid(network)
    return grid, *jax.vmap(partial(with_slope, partial(curve.excess, network)))(grid)


@jax.jit
def _turn(curve: _Curve, network: _Network, lower: Array, upper: Array, falling: Array):
    """A local extremum of the excess, and the excess there."""
    excess = partial(curve.excess, network)
    turn = bisect(lambda distance: with_slope(excess, distance)[1], lower, upper, falling)
    return turn, excess(turn)


@jax.jit
def _state(curve: _Curve, network: _Network, lower: Array, upper: Array, falling: Array) -> _State:
    """A state of the network, where its excess is zero."""
    return curve.state(bisect(partial(curve.excess, network), lower, upper, falling))


def _residual(curve: _Curve, network: _Network, log_n: Array) -> Array:
    r"""$\log N - \log r(I + bN, a_0 + a_1 N)$."""
    drive = network.drive + network.weight * jnp.exp(log_n)
    scale = jnp.sqrt(curve.noise_at(log_n))
    return log_n - log_rate((curve.threshold - drive) / scale, curve.gap / scale)


@jax.jit
def _differentiable(curve: _Curve, network: _Network, log_n: Array) -> Array:
    """Logarithm of a known stationary rate as a function of the parameters."""
    return known_root(partial(_residual, curve, network), log_n)


@jax.jit
def _rate_near(curve: _Curve, network: _Network, start: Array):
    """Logarithm of a stationary rate by Newton's method, and whether it is one."""
    residual = partial(_residual, curve, network)
    log_n = implicit_root(residual, partial(newton, max_step=2.0), start)
    return log_n, is_root(log_n, *with_slope(residual, lax.stop_gradient(log_n)))


@jax.jit
def _fold(curve: _Curve, drive: Array) -> Fold:
    grid = lax.stop_gradient(curve.grid(_Network(curve.gap, drive)))
    slopes, heights = jax.vmap(partial(curve.coupling_slope, drive))(grid)
    has_peak = (slopes[:-1] > 0) & (slopes[1:] <= 0)
    heights = jnp.where(has_peak, jnp.maximum(heights[:-1], heights[1:]), -jnp.inf)

    def slope(distance):
        return curve.coupling_slope(drive, distance)[0]

    def peak(k):
        """The state where the coupling has a local maximum, and the logarithm of that."""
        found = has_peak[k]
        top = bisect(slope, grid[k], grid[k + 1], jnp.array(True))
        # The stand-in where there is no peak has a slope, which keeps all derivatives finite.
        top = known_root(
            lambda distance: jnp.where(found, slope(distance), distance), jnp.where(found, top, 0)
        )
        state = curve.state(top)
        return state.log_n, jnp.where(found, state.log_coupling(drive), -jnp.inf)

    log_n, log_coupling = jax.vmap(peak)(lax.top_k(heights, _MAX_FOLDS)[1])
    best = jnp.argmax(log_coupling)
    attained = log_coupling[best] > jnp.log(curve.gap)
    return Fold(
        jnp.where(attained, jnp.exp(log_coupling[best]), curve.gap),
        jnp.where(attained, jnp.exp(log_n[best]), jnp.inf),
        attained,
    )
