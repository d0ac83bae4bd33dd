r"""Stationary firing rate and density of neurons that receive a constant drive.

Times are in membrane time constants. With $A = (V_F - μ)/\sqrt a$ and $D = (V_F - V_R)/\sqrt a$
the rate depends on two numbers only, and that is how it is computed.

**Reference:** M. J. Cáceres, J. A. Carrillo, B. Perthame, *Analysis of nonlinear noisy integrate
& fire neuron models: blow-up and steady states*, J. Math. Neurosci. 1:7 (2011) [CCP].
"""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.typing import ArrayLike
from jaxtyping import Array, Float, Real

from ..._check import check, is_concrete
from ..._quadrature import gauss_legendre
from ...model import AbstractMembrane, Leaky
from ...model.network import LEAKY
from ._roots import as_floats, check_numbers, require
from .quadrature import density_by_quadrature, log_rate_by_quadrature

# Integrands are cut where they have fallen by exp(-_REACH²/2), below the precision of float64.
_REACH = 8.7
# So many standard deviations away, a threshold is reached with a probability of exp(-800) = 0.
_OUT_OF_REACH = 40.0
# Measured against 40 digits: 80 nodes reach 1e-15 for D <= 100, 100 nodes 1e-13 for D <= 1e6.
_RATE_NODES = 100
_DENSITY_NODES = 40


def log_firing_rate(
    drive: Real[ArrayLike, "..."],
    noise: Real[ArrayLike, "..."] = 1.0,
    threshold: Real[ArrayLike, "..."] = 2.0,
    reset: Real[ArrayLike, "..."] = 1.0,
    refractory: Real[ArrayLike, "..."] = 0.0,
    *,
    membrane: AbstractMembrane = LEAKY,
) -> Float[Array, "..."]:
    r"""Logarithm of the stationary firing rate, free of overflow.

    $$\frac1{r(μ)} = τ + \int_0^\infty \frac{ds}{s}\, e^{-s^2/2}
      \left(e^{s(V_F-μ)/\sqrt a} - e^{s(V_R-μ)/\sqrt a}\right)$$

    (equation (1); [CCP], steady states) for leaky neurons; for other membranes the integrals of
    their mean time from reset to threshold.

    **Arguments:** of shapes that broadcast against each other,

    - `drive`: mean input $μ$ (voltage).
    - `noise`: diffusion coefficient $a > 0$ (voltage² / membrane time).
    - `threshold`, `reset`: $V_F > V_R$ (voltage).
    - `refractory`: $τ ≥ 0$, for which neurons rest after a spike (membrane time); that of a
      `Network` is in learning times, ε times as many.
    - `membrane`: that of the neurons, such as `Exponential()`.

    **Returns:** $\log r$, for $r$ in units of (spikes / neuron / membrane time), in the broadcast
    shape and the common dtype.

    **Raises:** `ValueError` where a known argument breaks its rule or is not finite.

    **Guarantees:** relative error in $r$ of $10^{-12}$ in float64, up to the rounding of the
    arguments, which $\log r ≈ -A^2/2$ amplifies by $A^2$. Values and derivatives of every order
    and in every argument are finite wherever $\log r$ is representable.
    For membranes that are not leaky the error is $10^{-9}$, and rates below about $e^{-380}$ are
    zero, with a `density` of NaN.

    **Reference:** M. J. Cáceres, J. A. Carrillo, B. Perthame, *J. Math. Neurosci.* 1:7 (2011).
    """
    drive, noise, threshold, reset, rest = neuron(
        drive, noise, threshold, reset, refractory=refractory
    )
    log_r = _log_rate(membrane, drive, noise, threshold, reset)
    return log_r if _is_zero(refractory) else rested(log_r, rest)


def firing_rate(
    drive: Real[ArrayLike, "..."],
    noise: Real[ArrayLike, "..."] = 1.0,
    threshold: Real[ArrayLike, "..."] = 2.0,
    reset: Real[ArrayLike, "..."] = 1.0,
    refractory: Real[ArrayLike, "..."] = 0.0,
    *,
    membrane: AbstractMembrane = LEAKY,
) -> Float[Array, "..."]:
    r"""Stationary firing rate $r(μ)$ of equation (1): the exponential of `log_firing_rate`.

    A rate below the smallest number of the dtype is zero.

    **Arguments:** those of `log_firing_rate`.

    **Returns:** $r$ (spikes / neuron / membrane time), in the broadcast shape and the common dtype.

    **Raises:** as `log_firing_rate`.

    **Reference:** as `log_firing_rate`.
    """
    log_r = log_firing_rate(drive, noise, threshold, reset, refractory, membrane=membrane)
    return _exponential(log_r)


def density(
    v: Real[ArrayLike, "..."],
    drive: Real[ArrayLike, "..."],
    noise: Real[ArrayLike, "..."] = 1.0,
    threshold: Real[ArrayLike, "..."] = 2.0,
    reset: Real[ArrayLike, "..."] = 1.0,
    refractory: Real[ArrayLike, "..."] = 0.0,
    *,
    membrane: AbstractMembrane = LEAKY,
) -> Float[Array, "..."]:
    r"""Stationary density of the membrane potential, of mass one without a refractory period.

    $$p(v) = \frac{r(μ)}a \int_{\max(v, V_R)}^{V_F} e^{(u-v)(u+v-2μ)/2a}\,du,
      \qquad p(v) = 0 \text{ for } v ≥ V_F$$

    ([CCP], steady states), so that $-a\,p'(V_F) = r(μ)$, the derivative being that from the left.
    With a refractory period τ its mass is $1 - τ\,r(μ)$: the others rest, and have no potential.

    **Arguments:** of shapes that broadcast against each other, those of `log_firing_rate` and

    - `v`: membrane potential (voltage).

    **Returns:** $p ≥ 0$ (1 / voltage), in the broadcast shape and the common dtype.

    **Raises:** as `log_firing_rate`.

    **Guarantees:** nothing overflows, no difference of large numbers is taken, and both boundary
    layers of the integrand, of widths $a/|V_F-μ|$ and $a/|v-μ|$, are resolved.

    **Reference:** as `log_firing_rate`.
    """
    drive, noise, threshold, reset, v, rest = neuron(
        drive, noise, threshold, reset, v=v, refractory=refractory
    )
    _check_membrane(membrane)
    if isinstance(membrane, Leaky):
        p = _leaky_density(v, drive, noise, threshold, reset)
    else:
        p = density_by_quadrature(membrane, drive, noise, threshold, reset, v)
    if _is_zero(refractory):
        return p
    log_r = _log_rate(membrane, drive, noise, threshold, reset)
    return p * jnp.exp(rested(log_r, rest) - log_r)


@jax.jit
def _leaky_density(v: Array, drive: Array, noise: Array, threshold: Array, reset: Array) -> Array:
    """Without a refractory period."""
    limit = math.sqrt(float(jnp.finfo(noise.dtype).max)) / 8  # its square is a number
    scale = _scale(drive, noise, threshold, limit)
    voltages = (v - drive, threshold - drive, threshold - reset, threshold - v, reset - v)
    # Beyond the limit the density is zero.
    return _scaled_density(*(jnp.clip(x / scale, -limit, limit) for x in voltages)) / scale


def _log_rate(
    membrane: AbstractMembrane, drive: Array, noise: Array, threshold: Array, reset: Array
) -> Float[Array, "..."]:
    r"""$\log r$, of arguments of one shape, before the refractory period."""
    _check_membrane(membrane)
    if not isinstance(membrane, Leaky):
        return log_rate_by_quadrature(membrane, drive, noise, threshold, reset)
    return _leaky_log_rate(drive, noise, threshold, reset)


def _check_membrane(membrane: object) -> None:
    check(
        isinstance(membrane, AbstractMembrane),
        f"membrane = {membrane!r}: must be a membrane such as Exponential()",
    )


@jax.jit
def _leaky_log_rate(drive: Array, noise: Array, threshold: Array, reset: Array) -> Array:
    scale = _scale(drive, noise, threshold, float(jnp.finfo(noise.dtype).max) / 8)
    return log_rate((threshold - drive) / scale, (threshold - reset) / scale)


@jax.jit
def _exponential(log_r: Float[Array, "..."]) -> Float[Array, "..."]:
    """The rate: 0, as its derivatives are, below the smallest number, also where the square of the
    slope of log r overflows."""
    limit = jnp.finfo(log_r.dtype)
    vanishes = log_r < math.log(float(limit.tiny)) - limit.nmant
    return jnp.where(vanishes, 0, jnp.exp(jnp.where(vanishes, 0, log_r)))


@jax.jit
def rested(log_r: Float[Array, "..."], rest: Float[Array, "..."]) -> Float[Array, "..."]:
    r"""$\log (r / (1 + τ r))$, the rate of neurons that rest for τ, from $\log r$."""
    seldom = log_r - jnp.log1p(rest * jnp.exp(jnp.minimum(log_r, 0)))
    often = -jnp.log(rest + jnp.exp(-jnp.maximum(log_r, 0)))
    return jnp.where(log_r > 0, often, seldom)


def _is_zero(rest: Any) -> bool:
    """Whether there is no refractory period, as far as is known."""
    return is_concrete(rest) and not np.any(rest)


def _scale(drive: Array, noise: Array, threshold: Array, most: float) -> Float[Array, "..."]:
    r"""$\sqrt a$, and more where the quotient of a strong drive by that would exceed `most`."""
    return jnp.maximum(jnp.sqrt(noise), lax.stop_gradient(drive - threshold) / most)


@jax.jit
@partial(jnp.vectorize, signature="(),()->()")
def log_rate(to_threshold: Float[Array, ""], span: Float[Array, ""]) -> Float[Array, ""]:
    r"""$\log r$ from $A = (V_F - μ)/\sqrt a$ and $D = (V_F - V_R)/\sqrt a$, of equal shapes."""
    peak = jnp.maximum(lax.stop_gradient(to_threshold), 0)
    return _log_reduced_rate(to_threshold, span) - 0.5 * peak**2


def _log_reduced_rate(to_threshold: Float[Array, ""], span: Float[Array, ""]) -> Float[Array, ""]:
    r"""$\log r + P^2/2$, where $P = \max(A, 0)$ is the peak of $e^{-s^2/2 + sA}$ and a constant."""
    limits = jnp.finfo(to_threshold.dtype)
    far = float(limits.eps) ** -0.5
    rare = to_threshold > far
    near = _by_quadrature(jnp.where(rare, 0, to_threshold), span)
    distance = jnp.minimum(jnp.where(rare, to_threshold, far), limits.max)
    return jnp.where(rare, _by_laplace(distance, span), near)


def _by_laplace(distance: Float[Array, ""], span: Float[Array, ""]) -> Float[Array, ""]:
    r"""`_log_reduced_rate` for large A, where $1/r = \sqrt{2π}\,e^{A^2/2} (1 - e^{-AD}) / A$."""
    fixed = lax.stop_gradient(distance)
    # Zero, with the derivatives of -A²/2.
    falls = (fixed - distance) * (0.5 * fixed + 0.5 * distance)
    return falls + jnp.log(distance / (2 * np.pi) ** 0.5) - jnp.log(-jnp.expm1(-distance * span))


def _by_quadrature(to_threshold: Float[Array, ""], span: Float[Array, ""]) -> Float[Array, ""]:
    r"""`_log_reduced_rate` up to moderate A.

    $$\frac{e^{-P^2/2}}{r} = D \int_0^\infty e^{-s^2/2 + sA - P^2/2}\, \frac{1 - e^{-sD}}{sD}\,ds$$

    With $s = ℓ (\log(1 + e^t) - δ)$ nodes are uniform near the peak and logarithmic near $s = 0$,
    where the integrand bends at $s ~ 1/D$.
    """
    fixed, width = lax.stop_gradient((to_threshold, span))
    peak, slope = jnp.maximum(fixed, 0), jnp.minimum(fixed, 0)
    length = 1 / jnp.hypot(1.0, slope)
    offset = 1 / (1 + width * length)
    lower = jnp.maximum(peak - _REACH, 0)
    upper = peak + _REACH**2 / (jnp.hypot(slope, _REACH) - slope)

    start, end = (_inverse_softplus(edge / length + offset) for edge in (lower, upper))
    nodes, weights = (x.astype(fixed.dtype) for x in gauss_legendre(_RATE_NODES))
    t = start + 0.5 * (end - start) * (1 + nodes)
    s = length * (jax.nn.softplus(t) - offset)
    ds = 0.5 * (end - start) * weights * jax.nn.sigmoid(t)  # in units of the length

    # Equal to -s²/2 + sA - P²/2 without its cancellation; the last term is zero and carries dA.
    exponent = -0.5 * (s - peak) ** 2 + s * slope + s * (to_threshold - fixed)
    mean = jnp.sum(ds * jnp.exp(exponent) * _mean_exponential(s * span))
    return -jnp.log(span) - jnp.log(length) - jnp.log(mean)


def _mean_exponential(x: Float[Array, "..."]) -> Float[Array, "..."]:
    r"""$(1 - e^{-x})/x$ for $x > 0$."""
    small = x < 0.1
    series = jnp.zeros_like(x)
    for k in range(10, 0, -1):
        series = (1 - jnp.where(small, x, 0) * series) / k
    x = jnp.where(small, 1, x)
    return jnp.where(small, series, -jnp.expm1(-x) / x)


def _inverse_softplus(y: Float[Array, ""]) -> Float[Array, ""]:
    r"""$\log(e^y - 1)$ for $y > 0$."""
    return y + jnp.log(-jnp.expm1(-y))


@jax.jit
@partial(jnp.vectorize, signature="(),(),(),(),()->()")
def _scaled_density(
    x: Float[Array, ""],
    top: Float[Array, ""],
    span: Float[Array, ""],
    to_top: Float[Array, ""],
    to_reset: Float[Array, ""],
) -> Float[Array, ""]:
    r"""$\sqrt a\,p = r e^{-x^2/2} \int_B^A e^{y^2/2}\,dy$ with $x = (v - μ)/\sqrt a$.

    $B$ is the larger of $x$ and $A - D$. A threshold out of reach leaves $e^{-x^2/2}/\sqrt{2π}$.
    The integral is split at $y = 0$, where its integrand is least, and each part is written from
    the end at which it is largest, so that no exponent is positive. Small differences of large
    numbers (`to_top` $= A - x$, `to_reset`) are those of the voltages.
    """
    inside = to_top >= 0
    x, to_top, to_reset = (
        jnp.where(inside, value, at_top)
        for value, at_top in ((x, top), (to_top, 0), (to_reset, -span))
    )
    quiet = top > _OUT_OF_REACH
    free = jnp.exp(-0.5 * x**2) / (2 * np.pi) ** 0.5
    x, top, to_top, to_reset = (jnp.where(quiet, 0, value) for value in (x, top, to_top, to_reset))
    rise = jax.nn.relu(to_reset)
    bottom = x + rise
    length = jnp.minimum(to_top, span)
    peak = jnp.maximum(lax.stop_gradient(top), 0)

    above = jnp.where(top > 0, jnp.minimum(length, top), 0)
    upper = _layer(jnp.abs(top), above)
    lower = _layer(jnp.abs(bottom), length - above)
    # Zero, with the derivative of $A^2$; there is nothing above a negative top.
    crest = jnp.where(top > 0, (top - peak) * (top + peak), 0)
    upper *= jnp.exp(0.5 * (crest - x**2))
    lower *= jnp.exp(0.5 * (rise * (bottom + x) - peak**2))
    carried = jnp.exp(_log_reduced_rate(top, span)) * (upper + lower)
    return jnp.where(inside, jnp.where(quiet, free, carried), 0)


def _layer(end: Float[Array, ""], length: Float[Array, ""]) -> Float[Array, ""]:
    r"""$\int_0^L e^{-zE + z^2/2}\,dz$ for $0 ≤ L ≤ E$, cut where the integrand has vanished."""
    fixed = jnp.maximum(lax.stop_gradient(end), _REACH)
    beyond = jnp.sqrt(fixed - _REACH) * jnp.sqrt(fixed + _REACH)
    length = jnp.minimum(length, _REACH**2 / (fixed + beyond))
    nodes, weights = (x.astype(fixed.dtype) for x in gauss_legendre(_DENSITY_NODES))
    z = 0.5 * length * (1 + nodes)
    return 0.5 * length * jnp.sum(weights * jnp.exp(z * (0.5 * z - end)))


def neuron(
    drive: Any, noise: Any, threshold: Any, reset: Any, *, refractory: Any = 0.0, **others: Any
) -> list[Float[Array, "..."]]:
    """The arguments that describe a neuron, others, and the refractory period: checked, in one
    dtype and shape."""
    given = {"drive": drive, "noise": noise, "threshold": threshold, "reset": reset}
    given |= others | {"refractory": refractory}
    check_numbers(**given)
    require("noise", lambda a: a > 0, "must be positive", noise)
    require("reset", lambda low, high: low < high, "must be below threshold", reset, threshold)
    require("refractory", lambda rest: rest >= 0, "must not be negative", refractory)
    return as_floats(**given)
