r"""The quadratic integrate-and-fire neuron with exponential currents.

$$τ V' = V (V - 1) + I, \quad τ I' = -2 I + τ \sum_i w_i \sum_{t_i} δ(t - t_i),$$

which spikes when $V$ reaches $∞$ and restarts from $-∞$. In time units of τ, with $u = 1 - e^{-t}$
and $V = e^{-t} W$, it is $dW/du = W^2 + I_0$: a rotation of $(N, D)$, $W = N/D$, by the entire
functions $C = \cos\sqrt x$, $S = \sin\sqrt x/\sqrt x$ of $x = I_0 u^2$ (hyperbolic for $x < 0$):

$$N = N_0 C + I_0 u S D_0, \quad D = D_0 C - u S N_0.$$

The state is the point $(n, d)$ of the upper half circle with $V = n/d$, so that no potential is
infinite: a spike is $(1, 0)$, the reset $(-1, 0)$, and nothing has to be cut off.
"""

from __future__ import annotations

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Float, Int

from .._check import check_positive
from ..model._leaf import as_leaf, leaf
from . import currents, pseudospikes
from .neuron import AbstractDynamics, AbstractSmoothNeuron, State
from .parameters import aligned, check_count, check_parameter, part


class QIFState(NamedTuple):
    """Points `(n, d)`, d ≥ 0, of the unit circle, $V = n/d$, and currents; shape `(n,)` each."""

    n: Array
    d: Array
    current: Array


class QIFDynamics(AbstractDynamics):
    """The QIF neuron in time units of τ.

    The cotangent of its membrane is that of $η = d\\,δn - n\\,δd = -δ\\arg(n, d)$, which the flow
    multiplies by $e^{-Δt}$ and the rescaling to the circle by its square.
    """

    def waits(self, state: QIFState) -> Float[Array, " n"]:
        u = first_passage(*state)
        return jnp.where(u < 1, -jnp.log1p(-jnp.where(u < 1, u, 0)), jnp.inf)

    def next_spike(self, state: QIFState) -> tuple[Int[Array, ""], Float[Array, ""]]:
        u = first_passage(*state)
        first = jnp.argmin(u)  # of u, so that one logarithm is taken
        return first, -jnp.log1p(-jnp.minimum(u[first], 1))

    def evolve(self, state: QIFState, dt: Float[Array, "*b"]) -> QIFState:
        numerator, denominator, u = _turn(state, dt)[:3]
        # Rounding must not carry a neuron that is about to spike beyond its spike.
        denominator = jnp.where(denominator < 0, 0, denominator)
        scale = lax.rsqrt(numerator**2 + denominator**2)
        return QIFState(numerator * scale, denominator * scale, state.current * (1 - u) ** 2)

    def kick(self, state: QIFState, weights: Float[Array, " n"]) -> QIFState:
        return state._replace(current=state.current + weights)

    def reset(self, state: QIFState, fired: Bool[Array, " n"]) -> QIFState:
        return QIFState(jnp.where(fired, -1, state.n), jnp.where(fired, 0, state.d), state.current)

    def cotangents(self, state: QIFState, cotangent: QIFState) -> currents.Cotangents:
        return cotangent.n * state.d - cotangent.d * state.n, cotangent.current

    def state_cotangent(self, state: QIFState, cotangents: currents.Cotangents) -> QIFState:
        membrane, current = cotangents
        return QIFState(membrane * state.d, -membrane * state.n, current)

    def end_time_cotangent(
        self, state: QIFState, cotangents: currents.Cotangents
    ) -> Float[Array, ""]:
        membrane, current = cotangents
        return jnp.sum(membrane * _speed(state) - 2 * current * state.current)

    def linearise(
        self,
        before: QIFState,
        dt: Float[Array, "k 1"],
        after: QIFState,
        weights: Float[Array, "k n"],
        fired: Bool[Array, "k n"],
    ) -> currents.Linearised:
        membrane, current = _variation(before, dt)
        return currents.Linearised(
            # the neuron that fired leaves its reset at speed 1, the others are kicked
            time_membrane=-weights * after.d**2 - fired,
            time_current=2 * weights,
            keep=1 - fired.astype(dt.dtype),
            spike=-fired.astype(dt.dtype),
            membrane=membrane,
            current=current,
            decay=jnp.exp(-2 * dt),
        )

    def pull(
        self,
        coefficients: currents.Linearised,
        cotangents: currents.Cotangents,
        time: Float[Array, ""],
    ) -> tuple[currents.Cotangents, Float[Array, " n"], Float[Array, ""]]:
        return currents.pull(coefficients, cotangents, time)


class QIF(AbstractSmoothNeuron):
    r"""Quadratic integrate-and-fire neurons whose inputs are exponential currents.

    $τ V' = V(V-1) + I$ and $τ I' = -2I + τ \sum_i w_i \sum_{t_i} δ(t-t_i)$; a spike is $V = ∞$, the
    reset $V = -∞$. Spikes appear and vanish at the end of a trial only, and all their times are
    smooth in weights, input times and initial values.

    **Arguments:** `tau`: $τ > 0$, the membrane time constant, twice the synaptic one (time): a
    number, or one for each neuron, shape `(n,)`.

    **Raises:** `ValueError` unless `tau` is positive.

    **Reference:** C. Klos, R.-M. Memmesheimer, arXiv 2309.14523 (2025).
    """

    tau: Float[Array, "*n"] = eqx.field(converter=leaf("tau"), default=1.0)

    def __check_init__(self):
        check_parameter("tau", self.tau)
        check_positive("tau", self.tau)

    @property
    def dynamics(self) -> QIFDynamics:
        return QIFDynamics()

    @property
    def time_unit(self) -> Float[Array, "*n"]:
        return self.tau

    @property
    def weight_unit(self) -> Float[Array, "*n"]:
        return jnp.ones_like(self.tau)

    def check_number(self, num: int) -> None:
        check_count("tau", self.tau, num)

    def clipped(self) -> QIF:
        return QIF(jnp.maximum(self.tau, jnp.finfo(self.tau.dtype).eps))

    def rest(self, num: int) -> tuple[Float[Array, " n"], Float[Array, " n"]]:
        """Potentials and currents of neurons at rest, $V = I = 0$, shape `(n,)` each (voltage)."""
        return jnp.zeros(num, self.tau.dtype), jnp.zeros(num, self.tau.dtype)

    def state(self, initial: State) -> QIFState:
        potential, current = initial
        scale = lax.rsqrt(1 + potential**2)
        return QIFState(potential * scale, scale, current)

    def values(self, state: QIFState) -> tuple[Array, Array]:
        """Potentials, infinite at spike and reset, and currents, shape `(n,)` each (voltage)."""
        return state.n / state.d, state.current

    def rates(
        self, state: QIFState, weights: Float[Array, "n n"]
    ) -> tuple[Float[Array, "b n"], Bool[Array, " b"]]:
        rates = pseudospikes.qif_pseudorate(state.n, state.d)
        return rates, jnp.ones(rates.shape[:-1], bool)

    def pseudospikes(
        self, state: QIFState, drive: Float[Array, "b o"], numbers: Int[Array, "b o k"]
    ) -> Float[Array, "b o k"]:
        n, d, current = (x[..., None] for x in state)
        later = pseudospikes.qif_pseudospikes(n, d, current + drive[..., None], numbers)
        return aligned(self.tau, 3, 1) * later

    def of(self, neurons: np.ndarray) -> QIF:
        return QIF(part(self.tau, neurons))

    def flow(
        self, potential: ArrayLike, current: ArrayLike, dt: ArrayLike
    ) -> tuple[Float[Array, "..."], Float[Array, "..."]]:
        """Potential and current a time later; the potential passes through ∞ at a spike.

        Differentiable everywhere, also where the current is 0.

        **Arguments:** of shapes that broadcast: `potential`, `current` (voltage); `dt` (time).

        **Returns:** both in the broadcast shape (voltage).
        """
        scaled = as_leaf("dt", dt) / self.tau
        start = as_leaf("potential", potential), as_leaf("current", current)
        return _flow(*jnp.broadcast_arrays(*start, scaled))

    def next_spike(self, potential: ArrayLike, current: ArrayLike) -> Float[Array, "..."]:
        """The time until $V = ∞$ if nothing arrives before; `inf` if there is no spike.

        Differentiable everywhere, also where the current is 0; the derivative is 0 where there is
        no spike.

        **Arguments:** of shapes that broadcast: `potential`, `current` (voltage).

        **Returns:** the broadcast shape (time).
        """
        state = as_leaf("potential", potential), as_leaf("current", current)
        return self.tau * _next_spike(*jnp.broadcast_arrays(*state))


# ---- the free flow ---------------------------------------------------------------------------


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
    a, b = _variation(QIFState(n, d, current), at)
    earlier = a * (d * n_dot - n * d_dot) + b * current_dot
    return u, jnp.where(spikes, (until - 1) * earlier, 0)


def _root(x: Array) -> Array:
    r"""$\sqrt{|x|}$, kept away from 0, where the functions below have reached their limits."""
    return jnp.sqrt(jnp.maximum(jnp.abs(x), jnp.finfo(x.dtype).tiny))


@jax.custom_jvp
def _circular(x: Array) -> tuple[Array, Array, Array]:
    r"""$\cos\sqrt x$ and $\sin\sqrt x/\sqrt x$, and by what they are to be multiplied.

    Where x is negative the hyperbolic functions are returned times $e^{-\sqrt{-x}}$, which they
    would overflow without; the third value is $e^{-2\sqrt{-x}}$ there and 1 elsewhere.
    """
    root = _root(x)
    shrunk = jnp.where(x < 0, -jnp.expm1(-2 * root), 0)
    cosine = jnp.where(x < 0, 1 - shrunk / 2, jnp.cos(root))
    sine = jnp.where(x < 0, shrunk / 2, jnp.sin(root)) / root
    # A CPU would compute both again wherever they are used.
    cosine, sine = lax.optimization_barrier((cosine, sine))
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


def _turn(state: QIFState, dt: Array) -> tuple[Array, ...]:
    r"""$(n, d)$ a time `dt` later, not on the circle; also u, x and what `_circular` returns."""
    n, d, current = state
    u = -jnp.expm1(-dt)
    x = current * u**2
    cosine, sine, shrink = _circular(x)
    numerator = (1 - u) * (n * cosine + current * u * sine * d)
    return numerator, d * cosine - u * sine * n, u, x, cosine, sine, shrink


def _variation(state: QIFState, dt: Array) -> tuple[Array, Array]:
    r"""$a$, $b$ of $η(Δt) = a\,η(0) + b\,δI(0)$.

    Without rescaling $η(Δt) = e^{-Δt}(η + δI \int_0^u D^2 du)$, and the integral is

    $$\frac u2\left(d^2 (1 + CS) - 2 n d\,u S^2 + 2 n^2 u^2 \frac{1 - CS}{2x}\right).$$
    """
    n, d, _ = state
    numerator, denominator, u, x, cosine, sine, shrink = _turn(state, dt)
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


def _speed(state: QIFState) -> Array:
    r"""$η'$ of the free motion: $n^2 - n d + I d^2$."""
    n, d, current = state
    return n**2 - n * d + current * d**2


# ---- flow and next spike as functions of the potential ------------------------------------------


@jax.custom_jvp
def _flow(potential: Array, current: Array, dt: Array) -> tuple[Array, Array]:
    state = QIFState(potential, jnp.ones_like(potential), current)
    numerator, denominator = _turn(state, dt)[:2]
    return numerator / denominator, current * jnp.exp(-2 * dt)


@_flow.defjvp
def _flow_jvp(
    primals: tuple[Array, Array, Array], tangents: tuple[Array, Array, Array]
) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
    potential, current, dt = primals
    potential_dot, current_dot, dt_dot = tangents
    later, decayed = _flow(*primals)
    a, b = _variation(QIFState(potential, jnp.ones_like(potential), current), dt)
    # η = δV here, where d = 1; there it is on the circle, and δV = (1 + V²) η
    moved = (1 + later**2) * (a * potential_dot + b * current_dot)
    return (later, decayed), (
        moved + (later * (later - 1) + decayed) * dt_dot,
        jnp.exp(-2 * dt) * current_dot - 2 * decayed * dt_dot,
    )


def _next_spike(potential: Array, current: Array) -> Array:
    u = first_passage(potential, jnp.ones_like(potential), current)
    spikes = jnp.isfinite(u)
    return jnp.where(spikes, -jnp.log1p(-jnp.where(spikes, u, 0)), jnp.inf)
