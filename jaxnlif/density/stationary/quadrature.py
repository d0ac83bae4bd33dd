r"""Stationary rate and density of neurons of any membrane, $dX = (f(X) + μ)\,dt + \sqrt{2a}\,dB$.

With $d = (f + μ)/a$ the mean time from reset to threshold and the density are

$$\frac1r = \frac1a \int_{V_R}^{V_F} ψ\,du, \quad ψ' = 1 - dψ, \qquad
  p(v) = \frac ra\,χ(v), \quad χ' = dχ - [v > V_R], \quad χ(V_F) = 0,$$

with ψ bounded at $-∞$. Both are $y' = 1 - gy$ along a path, solved by collocation at Radau's nodes
on panels with about equal $∫|g|$, and carried in logarithms. The order is 19, and the stiff limit
$y = 1/g$ is exact.

**Reference:** E. Hairer, G. Wanner, *Solving Ordinary Differential Equations II* (1996), IV.5.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Float

from ...model import AbstractMembrane

_STAGES = 10
_PANELS = 128
_SAMPLES = 1025
_DEPTH = 42.0  # e^{-42} is nothing
_FARTHEST = 1e6  # times the natural length
_MOST_GROWTH = 6.0  # the logarithm of a factor that a panel resolves to nine digits

_Growth = Callable[[Array], Array]


def log_rate_by_quadrature(
    membrane: AbstractMembrane,
    drive: Float[Array, "..."],
    noise: Float[Array, "..."],
    threshold: Float[Array, "..."],
    reset: Float[Array, "..."],
) -> Float[Array, "..."]:
    r"""Logarithm of the stationary rate, of arguments of one shape.

    It is $-∞$ where no neuron fires, and where spikes are rarer than about $e^{-380}$.
    """
    one = jnp.vectorize(partial(_log_rate, membrane), signature="(),(),(),()->(),()")
    return one(drive, noise, threshold, reset)[0]


def density_by_quadrature(
    membrane: AbstractMembrane,
    drive: Float[Array, "..."],
    noise: Float[Array, "..."],
    threshold: Float[Array, "..."],
    reset: Float[Array, "..."],
    v: Float[Array, "..."],
) -> Float[Array, "..."]:
    """The stationary density at `v`, of arguments of one shape; NaN where spikes are too rare."""
    one = partial(_density, membrane)
    signature = "(),(),(),(),()->()"
    return jnp.vectorize(one, signature=signature)(drive, noise, threshold, reset, v)


@jax.jit
def _log_rate(
    membrane: AbstractMembrane,
    drive: Float[Array, ""],
    noise: Float[Array, ""],
    threshold: Float[Array, ""],
    reset: Float[Array, ""],
) -> tuple[Float[Array, ""], Bool[Array, ""]]:
    """It, and whether spikes are frequent enough to know it, or do not occur at all."""

    def growth(v: Float[Array, ""]) -> Float[Array, ""]:
        return (membrane.drift(v) + drive) / noise

    lowest, found = _lowest(*lax.stop_gradient((membrane, drive, noise, threshold, reset)))
    start = jnp.where(found, growth(lowest), 1)
    at_reset, _, below = _march(growth, lowest, reset, -jnp.log(start))
    _, time, above = _march(growth, reset, threshold, at_reset)
    resolved = jnp.maximum(below, above) < _MOST_GROWTH
    return jnp.where(found & resolved, jnp.log(noise) - time, -jnp.inf), resolved | ~found


@jax.jit
def _density(
    membrane: AbstractMembrane,
    drive: Float[Array, ""],
    noise: Float[Array, ""],
    threshold: Float[Array, ""],
    reset: Float[Array, ""],
    v: Float[Array, ""],
) -> Float[Array, ""]:
    def growth(v: Float[Array, ""]) -> Float[Array, ""]:
        return (membrane.drift(v) + drive) / noise

    log_r, known = _log_rate(membrane, drive, noise, threshold, reset)
    inside = v < threshold
    v = jnp.where(inside, v, reset)
    above = jnp.maximum(v, reset)
    nothing = jnp.asarray(-jnp.inf, v.dtype)
    log_chi, _, _ = _march(growth, threshold, above, nothing)
    log_chi = log_chi + _integral(growth, reset, jnp.minimum(v, reset))
    log_p = log_r - jnp.log(noise) + log_chi
    p = jnp.where(inside & (log_r > -jnp.inf), jnp.exp(log_p), 0)
    return jnp.where(known, p, jnp.nan)


def _march(
    growth: _Growth, begin: Array, end: Array, log_start: Array
) -> tuple[Array, Array, Array]:
    r"""Logarithms of $y$ at the end of a path, where $y' = 1 - g y$ with $'$ along the path, and of
    $∫ y$ over it; and the largest logarithm of the growth of a panel."""
    nodes, matrix = _radau()
    c, a = (jnp.asarray(x, begin.dtype) for x in (nodes, matrix))
    length = jnp.abs(end - begin)
    edges = _edges(growth, begin, end)
    at = edges[:-1, None] + jnp.diff(edges)[:, None] * c[None]
    h = jnp.diff(edges) * length
    rate = jax.vmap(jax.vmap(growth))(begin + (end - begin) * at)
    system = jnp.eye(_STAGES, dtype=begin.dtype)[None] + h[:, None, None] * a[None] * rate[:, None]
    given = jnp.stack([jnp.ones_like(rate), h[:, None] * jnp.sum(a, 1)[None]], 2)
    answers = _solved(system, given)  # to a start of 1, and to the source
    means = h[:, None] * jnp.einsum("j,kji->ki", a[-1], answers)

    def panel(log_y: Array, inputs: tuple[Array, Array]) -> tuple[Array, Array]:
        (to_start, to_source), (part_start, part_source) = inputs
        scale = jnp.maximum(log_y, 0)
        y, one = jnp.exp(log_y - scale), jnp.exp(-scale)
        new = _log(to_start * y + to_source * one) + scale
        return new, _log(part_start * y + part_source * one) + scale

    log_y, parts = lax.scan(panel, log_start, (answers[:, -1], means))
    return log_y, jax.nn.logsumexp(parts), jnp.max(-h * (rate @ a[-1]))


def _solved(matrix: Float[Array, "k s s"], given: Float[Array, "k s c"]) -> Float[Array, "k s c"]:
    """Solutions of many small systems, by the elimination of Gauss and Jordan.

    `jnp.linalg.solve` of so many inside a larger program sometimes never returns on a CPU (jax
    0.10). No rows are exchanged: a matrix is the identity and a multiple of Radau's.
    """
    both = jnp.concatenate([matrix, given], -1)
    for k in range(matrix.shape[-1]):
        row = both[:, k, :] / both[:, k, k, None]
        both = (both - both[:, :, k, None] * row[:, None, :]).at[:, k, :].set(row)
    return both[..., matrix.shape[-1] :]


def _log(x: Array) -> Array:
    tiny = jnp.finfo(x.dtype).tiny
    return jnp.log(jnp.maximum(x, tiny))


def _integral(growth: _Growth, begin: Array, end: Array) -> Float[Array, ""]:
    r"""$-∫ g$ along a path."""
    nodes, matrix = _radau()
    c, b = (jnp.asarray(x, begin.dtype) for x in (nodes, matrix[-1]))
    edges = _edges(growth, begin, end)
    at = edges[:-1, None] + jnp.diff(edges)[:, None] * c[None]
    rate = jax.vmap(jax.vmap(growth))(begin + (end - begin) * at)
    return -jnp.sum(rate @ b * jnp.diff(edges)) * jnp.abs(end - begin)


def _edges(growth: _Growth, begin: Array, end: Array) -> Float[Array, " edges"]:
    """Fractions of a path, from 0 to 1, between which y grows by about the same factor.

    Where y decays, it follows 1/g, however fast.
    """
    share = jnp.linspace(0, 1, _SAMPLES, dtype=begin.dtype)
    begin, end = lax.stop_gradient((begin, end))
    g = lax.stop_gradient(jax.vmap(growth)(begin + (end - begin) * share))
    size = jnp.maximum(-g, 0) + jnp.log1p(jnp.maximum(g, 0))
    size = jnp.nan_to_num(size, posinf=float(jnp.finfo(size.dtype).max) ** 0.5)
    mean = jnp.mean(size)
    density = jnp.where(mean > 0, size / jnp.where(mean > 0, mean, 1), 0) + 1
    total = jnp.cumsum((density[1:] + density[:-1]) / 2)
    total = jnp.append(jnp.zeros_like(total[:1]), total / total[-1])
    inner = jnp.interp(jnp.linspace(0, 1, _PANELS + 1, dtype=begin.dtype), total, share)
    return inner.at[0].set(0).at[-1].set(1)


def _lowest(
    membrane: AbstractMembrane, drive: Array, noise: Array, threshold: Array, reset: Array
) -> tuple[Array, Array]:
    """A potential that is hardly ever reached from above, and whether there is one."""
    unit = jnp.minimum(threshold - reset, jnp.sqrt(noise)) / 64
    steps = jnp.linspace(0, np.log(64 * _FARTHEST), 4 * _SAMPLES, dtype=drive.dtype)
    v = reset - unit * jnp.expm1(steps)
    force = jnp.nan_to_num((membrane.drift(v) + drive) / noise, posinf=1e30, neginf=-1e30)
    parts = (force[1:] + force[:-1]) / 2 * (v[:-1] - v[1:])
    well = jnp.append(jnp.zeros_like(parts[:1]), jnp.cumsum(jnp.clip(parts, -1e30, 1e30)))
    deep = (well - lax.cummin(well) > _DEPTH) & (force > 0)
    return v[jnp.argmax(deep)], jnp.any(deep)


@cache
def _radau() -> tuple[np.ndarray, np.ndarray]:
    """Nodes and matrix of Radau's method IIA, on the unit interval."""
    legendre = np.polynomial.legendre
    # The nodes are the zeros of P_s - P_{s-1}, the last of which is the end.
    coefficients = np.zeros(_STAGES + 1)
    coefficients[-1], coefficients[-2] = 1, -1
    x = np.sort(np.real(legendre.legroots(coefficients)))
    x[-1] = 1.0
    values = legendre.legvander(x, _STAGES - 1)
    integrals = np.stack(
        [legendre.legval(x, legendre.legint(unit, lbnd=-1)) for unit in np.eye(_STAGES)],
        1,
    )
    return (x + 1) / 2, integrals @ np.linalg.inv(values) / 2
