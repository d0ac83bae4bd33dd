"""The free motion of QIF neurons with exponential currents, and its derivatives; see `qif`.

Everything is in units of τ, on points $(n, d)$ of the upper half circle with $V = n/d$.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array


class QIFState(NamedTuple):
    """Points `(n, d)`, d ≥ 0, of the unit circle, $V = n/d$, and currents; of one shape."""

    n: Array
    d: Array
    current: Array


@jax.custom_jvp
def first_passage(n: Array, d: Array, current: Array) -> Array:
    r"""The smallest $u ∈ [0, 1)$ with $D(u) = 0$, `inf` where there is none.

    It is $\mathrm{arctan2}(\sqrt I\,d, n)/\sqrt I$, and $\mathrm{artanh}(\sqrt{-I}\,d/n)/\sqrt{-I}$
    where the current is negative and $V > \sqrt{-I}$.
    """
    root = _root(current)
    side = root * d
    # artanh(side/n), whose argument is below 1 for every spike that still happens in u < 1
    ratio = 2 * side / jnp.where(n > side, n - side, 1)
    attracted = jnp.where(n > side, jnp.log1p(jnp.where(n > side, ratio, 0)) / 2, jnp.inf)
    u = jnp.where(current >= 0, _upper_angle(n, side), attracted) / root
    return jnp.where(u < 1, u, jnp.inf)


def _upper_angle(x: Array, y: Array) -> Array:
    """`arctan2(y, x)` where y is not negative, by half the angle: a third of its time on a CPU."""
    length = jnp.sqrt(x**2 + y**2)
    front = x > 0
    below = jnp.where(front, length + x, y)
    safe = jnp.where(below > 0, below, 1)
    # the half angle is that of the point (length + x, y), or (y, length - x)
    half = jnp.arctan(jnp.where(front, y, length - x) / safe)
    return jnp.where(below > 0, 2 * half, jnp.where(x < 0, jnp.pi, 0))


@first_passage.defjvp
def _first_passage_jvp(
    primals: tuple[Array, Array, Array], tangents: tuple[Array, Array, Array]
) -> tuple[Array, Array]:
    u = first_passage(*primals)
    spikes = jnp.isfinite(u)
    # e^{-t} = 1 - u, and η grows at speed 1 where the neuron spikes
    until = jnp.where(spikes, u, 0)
    at = -jnp.log1p(-until)
    n, d, current = primals
    n_dot, d_dot, current_dot = tangents
    a, b = variation(QIFState(n, d, current), at)
    earlier = a * (d * n_dot - n * d_dot) + b * current_dot
    return u, jnp.where(spikes, (until - 1) * earlier, 0)


def _root(x: Array) -> Array:
    r"""$\sqrt{|x|}$, kept away from 0, where the functions below have reached their limits."""
    # its square times one that is not quite 1 is still a number
    return jnp.sqrt(jnp.maximum(jnp.abs(x), 64 * jnp.finfo(x.dtype).tiny))


@jax.custom_jvp
def _circular(x: Array) -> tuple[Array, Array, Array]:
    r"""$\cos\sqrt x$ and $\sin\sqrt x/\sqrt x$, and by what they are to be multiplied.

    Where x is negative the hyperbolic functions are returned times $e^{-\sqrt{-x}}$, which they
    would overflow without; the third value is $e^{-2\sqrt{-x}}$ there and 1 elsewhere.
    """
    root = _root(x)
    shrunk = jnp.where(x < 0, -jnp.expm1(-2 * root), 0)
    # XLA computes a cosine again wherever it is used, but not a quotient.
    cosine = root * jnp.where(x < 0, 1 - shrunk / 2, jnp.cos(root)) / root
    sine = jnp.where(x < 0, shrunk / 2, jnp.sin(root)) / root
    return cosine, sine, 1 - shrunk


@_circular.defjvp
def _circular_jvp(
    primals: tuple[Array], tangents: tuple[Array]
) -> tuple[tuple[Array, Array, Array], tuple[Array, Array, Array]]:
    """$C' = -S/2$, $S' = (C - S)/2x$; what both are multiplied by cancels, and counts as fixed."""
    (x,), (x_dot,) = primals, tangents
    cosine, sine, shrink = _circular(x)
    small = jnp.abs(x) < 0.25
    y = jnp.where(small, x, 0)
    # (C - S)/2x = -1/3! + 2x/5! - 3x²/7! + …
    series = jnp.zeros_like(x)
    for k in range(len(_INVERSE_FACTORIALS) - 1, -1, -1):
        series = -(k + 1) * _INVERSE_FACTORIALS[k] - y * series
    scale = jnp.sqrt(shrink)
    slope = jnp.where(small, scale * series, (cosine - sine) / jnp.where(small, 1, 2 * x))
    return (cosine, sine, shrink), (-sine / 2 * x_dot, slope * x_dot, jnp.zeros_like(shrink))


def turn(state: QIFState, dt: Array) -> tuple[Array, ...]:
    r"""$(n, d)$ a time `dt` later, not on the circle; also u, x and what `_circular` returns."""
    n, d, current = state
    u = -jnp.expm1(-dt)
    x = current * u**2
    cosine, sine, shrink = _circular(x)
    numerator = (1 - u) * (n * cosine + current * u * sine * d)
    return numerator, d * cosine - u * sine * n, u, x, cosine, sine, shrink


def variation(state: QIFState, dt: Array) -> tuple[Array, Array]:
    r"""$a$, $b$ of $η(Δt) = a\,η(0) + b\,δI(0)$.

    Without rescaling $η(Δt) = e^{-Δt}(η + δI \int_0^u D^2 du)$, and the integral is

    $$\frac u2\left(d^2 (1 + CS) - 2 n d\,u S^2 + 2 n^2 u^2 \frac{1 - CS}{2x}\right).$$
    """
    n, d, _ = state
    numerator, denominator, u, x, cosine, sine, shrink = turn(state, dt)
    both = cosine * sine
    integral = d**2 * (shrink + both) - 2 * n * d * u * sine**2
    integral = integral + 2 * n**2 * u**2 * _third(x, both, shrink)
    rescaled = (1 - u) / (numerator**2 + denominator**2)
    return rescaled * shrink, rescaled * integral * u / 2


def _third(x: Array, both: Array, shrink: Array) -> Array:
    r"""$(1 - CS)/2x$, an entire function, times `shrink`; `both` is $CS$ times `shrink`."""
    small = jnp.abs(x) < 0.25
    y = jnp.where(small, 4 * x, 0)
    # (1 - sin √y/√y)/y = 1/3! - y/5! + …, to rounding for |y| < 1
    series = jnp.zeros_like(x)
    for coefficient in _INVERSE_FACTORIALS[::-1]:
        series = coefficient - y * series
    return jnp.where(small, 2 * shrink * series, (shrink - both) / jnp.where(small, 1, 2 * x))


_INVERSE_FACTORIALS = [
    1 / 6,
    1 / 120,
    1 / 5040,
    1 / 362880,
    1 / 39916800,
    1 / 6227020800,
    1 / 1307674368000,
    1 / 355687428096000,
]
r"""$1/3!, 1/5!, …, 1/17!$."""


def speed(state: QIFState) -> Array:
    r"""$η'$ of the free motion: $n^2 - n d + I d^2$."""
    n, d, current = state
    return n**2 - n * d + current * d**2


# ---- flow and next spike as functions of the potential -----------------------------------------


@jax.custom_jvp
def flow(potential: Array, current: Array, dt: Array) -> tuple[Array, Array]:
    state = QIFState(potential, jnp.ones_like(potential), current)
    numerator, denominator = turn(state, dt)[:2]
    return numerator / denominator, current * jnp.exp(-2 * dt)


@flow.defjvp
def _flow_jvp(
    primals: tuple[Array, Array, Array], tangents: tuple[Array, Array, Array]
) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
    potential, current, dt = primals
    potential_dot, current_dot, dt_dot = tangents
    later, decayed = flow(*primals)
    a, b = variation(QIFState(potential, jnp.ones_like(potential), current), dt)
    # η = δV here, where d = 1; there it is on the circle, and δV = (1 + V²) η
    moved = (1 + later**2) * (a * potential_dot + b * current_dot)
    return (later, decayed), (
        moved + (later * (later - 1) + decayed) * dt_dot,
        jnp.exp(-2 * dt) * current_dot - 2 * decayed * dt_dot,
    )


def next_spike(potential: Array, current: Array) -> Array:
    u = first_passage(potential, jnp.ones_like(potential), current)
    spikes = jnp.isfinite(u)
    return jnp.where(spikes, -jnp.log1p(-jnp.where(spikes, u, 0)), jnp.inf)
