r"""Stationary states of a network in which all neurons share one weight: rates and their fold.

A network with drive $I$, weight $b$ and noise $a_0 + a_1 N$ is stationary at the rates
$N = r(I + bN, a_0 + a_1 N)$, with $r$ of equation (1). For constant noise $b(μ) = (μ - I)/r(μ)$ is
explicit; in general the states are a curve, see `Curve`, on which they are found by sampling.

**Reference:** M. J. Cáceres, J. A. Carrillo, B. Perthame, J. Math. Neurosci. 1:7 (2011) [CCP].
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Float, Int, Real

from ..._check import check, is_concrete
from ..._module import Module
from ._curve import Curve, Network, State
from ._roots import (
    bisect,
    check_numbers,
    implicit_root,
    is_root,
    known_root,
    newton,
    raise_if,
    require,
    with_slope,
)
from .rate import neuron

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
    refractory: Real[ArrayLike, ""] = 0.0,
) -> Float[Array, " roots"]:
    r"""All stationary rates $N = r(I + bN, a_0 + a_1 N)$ of a network, in ascending order.

    An inhibitory network has one; an excitatory one may have none, one, two or more ([CCP]). With a
    refractory period τ, in $1/r$ besides equation (1), no rate exceeds $1/τ$, and there is one at
    every weight.

    **Arguments:**

    - `weight`: coupling $b$, negative for inhibition (voltage × membrane time).
    - `drive`: external input $I$ (voltage).
    - `noise`: $a_0 > 0$ (voltage² / membrane time).
    - `noise_slope`: $a_1 ≥ 0$ (voltage²).
    - `threshold`, `reset`: $V_F > V_R$ (voltage).
    - `refractory`: $τ ≥ 0$, for which neurons rest after a spike (membrane time); that of a
      `Network` is in learning times, ε times as many.

    **Returns:** the rates, shape `(roots,)`, empty if there is none
    (spikes / neuron / membrane time).

    **Raises:** `ValueError` where an argument breaks its rule or is not finite, and under `jit` and
    `vmap`, where the number of rates cannot be known: follow one by `self_consistent_rate` there.

    **Guarantees:** each rate is differentiable in every argument (`grad` and `jvp` work). Two
    rates near a fold are told apart as long as the arithmetic can.

    **Reference:** M. J. Cáceres, J. A. Carrillo, B. Perthame, *J. Math. Neurosci.* 1:7 (2011).
    """
    curve, network = _network(weight, drive, noise, noise_slope, threshold, reset, refractory)
    search = jax.tree.map(lax.stop_gradient, (curve, network))
    if not is_concrete(search):
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
    refractory: Real[ArrayLike, ""] = 0.0,
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
    curve, network = _network(weight, drive, noise, noise_slope, threshold, reset, refractory)
    check_numbers(guess=guess)
    check(np.ndim(guess) == 0, f"guess: shape {np.shape(guess)}: must be a single number")
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
    $V_F - V_R$ as the rate grows without bound, the result says so; see `Fold`. Neurons with a
    refractory period have a stationary rate at every coupling, so that there is no such value.

    **Arguments:** those of `self_consistent_rates` without the weight.

    **Returns:** a `Fold`, differentiable in every argument; works under any transformation.

    **Raises:** `ValueError` where a known argument breaks its rule or is not finite.

    **Reference:** as `self_consistent_rates`.
    """
    curve, network = _network(0.0, drive, noise, noise_slope, threshold, reset)
    return _fold(curve, network.drive)


def _network(
    weight: ArrayLike,
    drive: ArrayLike,
    noise: ArrayLike,
    noise_slope: ArrayLike,
    threshold: ArrayLike,
    reset: ArrayLike,
    refractory: ArrayLike = 0.0,
) -> tuple[Curve, Network]:
    """The arguments, checked, as a curve of states and a network that picks some of them."""
    others = {"weight": weight, "noise_slope": noise_slope}
    check_numbers(**others)
    require("noise_slope", lambda slope: slope >= 0, "must not be negative", noise_slope)
    drive, noise, threshold, reset, weight, noise_slope, rest = neuron(
        drive, noise, threshold, reset, refractory=refractory, **others
    )
    check(drive.ndim == 0, f"drive, noise, …: shape {drive.shape}: must be single numbers")
    return Curve(noise, noise_slope, threshold, reset, rest), Network(weight, drive)


def _sign_changes(x: np.ndarray, values: np.ndarray) -> Iterator[tuple[Any, Any, Any]]:
    """Neighbours in `x` between which `values` change sign, and whether they fall."""
    positive = values > 0
    for k in np.flatnonzero(positive[1:] != positive[:-1]):
        yield x[k], x[k + 1], positive[k]


@jax.jit
def _sample(curve: Curve, network: Network) -> tuple[Array, Array, Array]:
    """The grid, and on it the excess and its slope."""
    grid = curve.grid(network)
    return grid, *jax.vmap(partial(with_slope, partial(curve.excess, network)))(grid)


@jax.jit
def _turn(
    curve: Curve, network: Network, lower: Array, upper: Array, falling: Array
) -> tuple[Array, Array]:
    """A local extremum of the excess, and the excess there."""
    excess = partial(curve.excess, network)
    turn = bisect(lambda distance: with_slope(excess, distance)[1], lower, upper, falling)
    return turn, excess(turn)


@jax.jit
def _state(curve: Curve, network: Network, lower: Array, upper: Array, falling: Array) -> State:
    """A state of the network, where its excess is zero."""
    return curve.state(bisect(partial(curve.excess, network), lower, upper, falling))


def _residual(curve: Curve, network: Network, log_n: Array) -> Array:
    r"""$\log N - \log r(I + bN, a_0 + a_1 N)$."""
    drive = network.drive + network.weight * jnp.exp(log_n)
    scale = jnp.sqrt(curve.noise_at(log_n))
    return log_n - curve.log_rate((curve.threshold - drive) / scale, scale)


@jax.jit
def _differentiable(curve: Curve, network: Network, log_n: Array) -> Array:
    """Logarithm of a known stationary rate as a function of the parameters."""
    return known_root(partial(_residual, curve, network), log_n)


@jax.jit
def _rate_near(curve: Curve, network: Network, start: Array) -> tuple[Array, Bool[Array, ""]]:
    """Logarithm of a stationary rate by Newton's method, and whether it is one."""
    residual = partial(_residual, curve, network)
    log_n = implicit_root(residual, partial(newton, max_step=2.0), start)
    return log_n, is_root(log_n, *with_slope(residual, lax.stop_gradient(log_n)))


@jax.jit
def _fold(curve: Curve, drive: Array) -> Fold:
    grid = lax.stop_gradient(curve.grid(Network(curve.gap, drive)))
    slopes, heights = jax.vmap(partial(curve.coupling_slope, drive))(grid)
    has_peak = (slopes[:-1] > 0) & (slopes[1:] <= 0)
    heights = jnp.where(has_peak, jnp.maximum(heights[:-1], heights[1:]), -jnp.inf)

    def slope(distance: Float[Array, ""]) -> Float[Array, ""]:
        return curve.coupling_slope(drive, distance)[0]

    def peak(k: Int[Array, ""]) -> tuple[Float[Array, ""], Float[Array, ""]]:
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
