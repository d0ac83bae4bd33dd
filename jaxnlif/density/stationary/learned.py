r"""The state that Hebbian learning reaches: how rates and weights are distributed there.

**Reference:** Q. He, J. Hu, Z. Zhou, *A structure preserving numerical scheme for Fokker–Planck
equations of structured neural networks with learning rules*, SIAM J. Sci. Comput. (2022),
arXiv 2109.04667 [HHZ]; B. Perthame, D. Salort, G. Wainrib, arXiv 1706.05796 [PSW].
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.typing import ArrayLike
from jaxtyping import Array, Float, Real

from ..._module import Module
from ..._quadrature import gauss_legendre
from ._roots import as_floats, bisect, check_numbers, known_root, raise_if, require, with_slope
from .rate import log_firing_rate, neuron, rested

_CANDIDATES = 64
_PANELS = 32
_PANEL_NODES = 8

Function = Callable[[Array], Array]


class LearnedState(Module):
    r"""A learned state: neurons with weights in $[0, A]$ fire at rates linear in $w / K(w)$.

    - `support`: $A$, the largest weight (weight).
    - `rate`: network rate $\bar N$ (spikes / neuron / membrane time).
    - `network`: what the state was computed from.

    It can be evaluated at any weights by `rates` and `weights`, and differentiated in whatever
    it was computed from.

    **Reference:** as `learned_state`.
    """

    support: Float[Array, ""]
    rate: Float[Array, ""]
    network: _LearningNetwork

    def rates(self, w: Real[ArrayLike, "..."]) -> Float[Array, "..."]:
        r"""$N(w) = w / (K(w) \bar N)$ on $[0, A]$ and zero elsewhere.

        **Arguments:** `w`: weights of any shape (weight).

        **Returns:** rates in the shape of `w` (spikes / neuron / membrane time / weight).
        """
        w, inside = self._inside(w)
        return jnp.where(inside, w / (self.network.gain_at(w) * self.rate), 0)

    def weights(self, w: Real[ArrayLike, "..."]) -> Float[Array, "..."]:
        r"""$H(w) = N(w) / r(I(w) + w σ(\bar N))$, of mass one.

        **Arguments:** `w`: weights of any shape (weight).

        **Returns:** the weight density in the shape of `w` (1 / weight).
        """
        w, inside = self._inside(w)
        rates = w / (self.network.gain_at(w) * self.rate)
        return jnp.where(inside, rates * jnp.exp(-self.network.log_rate(w, self.rate)), 0)

    def _inside(self, w: ArrayLike) -> tuple[Array, Array]:
        """The weights, those outside of $[0, A]$ replaced, and which are inside."""
        w = jnp.asarray(w, self.support.dtype)
        inside = (w >= 0) & (w <= self.support)
        return jnp.where(inside, w, 0.5 * self.support), inside


def learned_state(
    gain: Real[ArrayLike, ""] | Function,
    drive_fn: Function,
    response_fn: Function,
    noise: Real[ArrayLike, ""] = 1.0,
    noise_slope: Real[ArrayLike, ""] = 0.0,
    threshold: Real[ArrayLike, ""] = 2.0,
    reset: Real[ArrayLike, ""] = 1.0,
    refractory: Real[ArrayLike, ""] = 0.0,
    *,
    rate_fn: Callable[[Array, Array], Array] | None = None,
    bracket: tuple[float, float] = (1e-4, 1e3),
) -> LearnedState:
    r"""The stationary state of Hebbian learning with excitatory weights, $w ≥ 0$ and $K > 0$.

    $$N(w) = \frac{w}{K \bar N} \text{ on } [0, A], \quad
      \bar N^2 = \int_0^A \frac wK\,dw, \quad
      H = \frac{N}{r(I(w) + w σ(\bar N))}, \quad \int_0^A H\,dw = 1$$

    ([HHZ], [PSW], for general $K$, $σ$ and $r$). Integrals are composite Gauss quadratures: for
    gains and drives that are smooth on the scale $A/32$ of a panel their error is rounding, at
    kinks it is of second order in that scale.

    **Arguments:**

    - `gain`: $K > 0$, a constant or a function of the weights (weight² × membrane time²).
    - `drive_fn`: $I$, a function of the weights (voltage).
    - `response_fn`: $σ$, a function of the network rate (voltage / weight).
    - `noise`: $a_0 > 0$ of the noise $a_0 + a_1 \bar N$ (voltage² / membrane time).
    - `noise_slope`: $a_1 ≥ 0$ (voltage²).
    - `threshold`, `reset`: $V_F > V_R$ (voltage).
    - `refractory`: $τ ≥ 0$, for which neurons rest after a spike, in $1/r$ besides equation (1)
      (membrane time); that of a `Network` is in learning times, ε times as many.
    - `rate_fn`: `(drive, noise) -> rate` in place of equation (1), such as the stationary rate of
      a voltage grid, before the refractory period; maps drives of shape `(n,)` and a number to
      rates of that shape (spikes / neuron / membrane time). It is differentiated.
    - `bracket`: interval in which the support $A$ is sought (weight). The smallest
      solution in it is taken.

    Functions of the weights map arrays of shape `(n,)` to arrays of that shape. Those that are
    modules are compiled once; the derivative reaches their leaves and whatever else they hold.

    **Returns:** a `LearnedState`, differentiable in every argument to any order.

    **Raises:** `ValueError` where a known argument breaks its rule or is not finite, and if the
    mass of $H$ does not pass one in the bracket; where only compiled code can tell, `RuntimeError`.
    With a response that grows without bound, or a large gain, there may be no learned state.

    **Reference:** Q. He, J. Hu, Z. Zhou, *SIAM J. Sci. Comput.* (2022), arXiv 2109.04667;
    B. Perthame, D. Salort, G. Wainrib, arXiv 1706.05796 (2017).
    """
    check_numbers(noise_slope=noise_slope)
    require("noise_slope", lambda slope: slope >= 0, "must not be negative", noise_slope)
    if not callable(gain):
        require("gain", lambda gain: gain > 0, "must be positive", gain)
        (gain,) = as_floats(gain=gain)
    low, high = as_floats(low=bracket[0], high=bracket[1])
    require("bracket[0]", lambda low: low > 0, "must be positive", low)
    require("bracket[0]", lambda low, high: low < high, "must be below bracket[1]", low, high)
    _, noise, threshold, reset, noise_slope, rest = neuron(
        0.0, noise, threshold, reset, refractory=refractory, noise_slope=noise_slope
    )
    network = _LearningNetwork(
        gain, drive_fn, response_fn, noise, noise_slope, threshold, reset, rest, rate_fn
    )
    support = _support(network, low, high)
    support = raise_if(
        ~jnp.isfinite(support),
        support,
        "learned_state: ∫ H dw does not rise through 1 for any support in bracket = "
        f"[{bracket[0]:g}, {bracket[1]:g}]; there may be no learned state (a response without "
        "bound, a gain that is too large), or gain, drive or noise are out of range",
    )
    return LearnedState(support, network.network_rate(support), network)


class _LearningNetwork(eqx.Module):
    """What a learned state depends on."""

    gain: Array | Function
    drive_fn: Function
    response_fn: Function
    noise: Float[Array, ""]
    noise_slope: Float[Array, ""]
    threshold: Float[Array, ""]
    reset: Float[Array, ""]
    rest: Float[Array, ""]
    rate_fn: Callable[[Array, Array], Array] | None

    def gain_at(self, w: Float[Array, "..."]) -> Float[Array, "..."]:
        """$K(w)$."""
        return self.gain(w) if callable(self.gain) else self.gain

    def log_rate(
        self, w: Float[Array, "..."], network_rate: Float[Array, ""]
    ) -> Float[Array, "..."]:
        r"""$\log r(I(w) + w σ(\bar N))$."""
        drive = self.drive_fn(w) + w * self.response_fn(network_rate)
        noise = self.noise + self.noise_slope * network_rate
        if self.rate_fn is None:
            log_r = log_firing_rate(drive, noise, self.threshold, self.reset)
        else:
            log_r = jnp.log(self.rate_fn(drive, noise))
        return rested(log_r, self.rest)

    def network_rate(self, support: Float[Array, ""]) -> Float[Array, ""]:
        r"""$\bar N$ from $\bar N^2 = \int_0^A w/K\,dw$."""
        w, dw = _quadrature(support)
        return jnp.sqrt(jnp.sum(dw * w / self.gain_at(w)))

    def log_mass(self, support: Float[Array, ""]) -> Float[Array, ""]:
        r"""$\log \int_0^A H\,dw$; rates may be too low for their inverse to exist."""
        w, dw = _quadrature(support)
        network_rate = self.network_rate(support)
        rates = w / (self.gain_at(w) * network_rate)
        return jax.nn.logsumexp(jnp.log(dw * rates) - self.log_rate(w, network_rate))


def _quadrature(support: Float[Array, ""]) -> tuple[Float[Array, " w"], Float[Array, " w"]]:
    """Nodes and weights of a composite Gauss rule on [0, support]."""
    centers = np.arange(_PANELS)[:, None] + 0.5
    nodes, weights = gauss_legendre(_PANEL_NODES)
    nodes = (centers + 0.5 * nodes).ravel() / _PANELS
    weights = np.tile(0.5 * weights, _PANELS) / _PANELS
    return support * nodes.astype(support.dtype), support * weights.astype(support.dtype)


@eqx.filter_jit
def _support(network: _LearningNetwork, low: Array, high: Array) -> Array:
    """The smallest support of mass one, NaN if there is none in the bracket."""
    log_mass = network.log_mass
    candidates = jnp.geomspace(low, high, _CANDIDATES)
    log_masses, slopes = lax.map(partial(with_slope, log_mass), candidates)

    # The mass may pass one and return between two candidates, so its first maximum is one too.
    first = jnp.argmax((slopes[:-1] > 0) & (slopes[1:] <= 0))
    interval = candidates[first], candidates[first + 1]
    top = bisect(lambda support: with_slope(log_mass, support)[1], *interval, jnp.array(True))
    candidates = jnp.insert(candidates, first + 1, top)
    log_masses = jnp.insert(log_masses, first + 1, log_mass(top))

    rises = (log_masses[:-1] < 0) & (log_masses[1:] >= 0)
    first = jnp.argmax(rises)
    root = bisect(log_mass, candidates[first], candidates[first + 1], jnp.array(False))
    return jnp.where(rises.any(), known_root(log_mass, root), jnp.nan)
