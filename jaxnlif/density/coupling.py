r"""How the network's rate $\bar N$ enters its own input: lagged, corrected, or implicitly."""

from __future__ import annotations

import abc
from collections.abc import Callable
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from .. import _tolerance
from .._module import Module
from ..solve.scan import remember
from .blowup import MAX_RATE
from .interval import Interval, frozen
from .own_rate import own_rate


class Coupled(NamedTuple):
    r"""The rate to couple with, the residual evaluations it took, and whether it exists.

    `own`: whether it is the rate that results at the end of the step, if there is one.
    """

    rate: Float[Array, ""]
    evaluations: Int[Array, ""]
    found: Bool[Array, ""]
    own: bool = False


class AbstractCoupling(Module):
    r"""Chooses the rate $\bar N$ that the neurons see within a step."""

    @abc.abstractmethod
    def __call__(self, interval: Interval, previous: Float[Array, ""]) -> Coupled:
        r"""Chooses the rate.

        **Arguments:** `interval`, in which every rate results in one at the end; `previous`, the
        rate at the beginning of the step (spikes / neuron / membrane time).
        """


class Lagged(AbstractCoupling):
    r"""Neurons see the rate of the previous step: one linear solve, first order in time.

    In the stiff regime (ε ≪ Δt) this is a fixed-point iteration in time, which strong inhibition
    can lock into a spurious two-cycle; use `Implicit` there.

    **Reference:** J. Hu, J.-G. Liu, Y. Xie, Z. Zhou, arXiv 1911.07619 (2019); Q. He, J. Hu,
    Z. Zhou, *SIAM J. Sci. Comput.* (2022), arXiv 2109.04667.
    """

    def __call__(self, interval, previous):
        return Coupled(previous, jnp.zeros((), jnp.int32), jnp.ones((), bool))


class Corrected(AbstractCoupling):
    r"""Neurons see the rate that a lagged step predicts: half a linear solve more.

    The prediction $N_1$ is bounded by $2 N + 1$, which keeps an avalanche from being predicted in
    one step; what the bound holds back comes with the next ones.

    **Reference:** jaxnlif's.
    """

    def __call__(self, interval, previous):
        predicted = jnp.minimum(interval.firing(previous), 2 * previous + 1)
        return Coupled(predicted, jnp.ones((), jnp.int32), jnp.ones((), bool))


class Implicit(AbstractCoupling):
    r"""Neurons see the rate of the step itself: the root of $G(\bar N) = \bar N$.

    The root is sought on the branch that continues the previous rate: the nearest one in the
    direction in which the rate moves. Where none exists (an excitatory network past its fold), the
    run ends with the corresponding result. Every iterate is a valid step, so the tolerance never
    costs mass or positivity; derivatives are those of the implicit function.

    **Arguments:** `max_evaluations`: bound on the forward sweeps per step.

    **Reference:** jaxnlif's; the root is found by the Illinois variant of false position,
    M. Dowell, P. Jarratt, *BIT* 11:168 (1971).
    """

    max_evaluations: int = eqx.field(static=True, default=60)

    def __call__(self, interval, previous):
        firing, start = frozen(interval).firing, lax.stop_gradient(previous)
        root = remember(nearest_root(firing, start, self.max_evaluations))
        return Coupled(own_rate(interval, root.rate), root.evaluations, root.found, own=True)


class _Iterate(NamedTuple):
    """The newest point, and the one before it or on the other side of the root."""

    x: Array
    f: Array
    other_x: Array
    other_f: Array
    bracketed: Array
    evaluations: Array


class Root(NamedTuple):
    """A root, the evaluations it took to find it, and whether it was found."""

    rate: Float[Array, ""]
    evaluations: Int[Array, ""]
    found: Bool[Array, ""]


def nearest_root(
    response: Callable[[Array], Array], start: Float[Array, ""], max_evaluations: int
) -> Root:
    r"""The root of $F(x) = G(x) - x$ next to `start` in the direction in which F points.

    Fixed-point steps and secant extrapolation approach a root without passing it where F is convex,
    as it is where an excitatory network gains; as soon as a change of sign brackets the root, the
    Illinois variant of false position finishes. A search that runs beyond every physical rate has
    no root ahead.
    """
    tolerance = _tolerance.coupling(start.dtype)

    def residual(x):
        return response(x) - x

    def solved(s: _Iterate):
        scale = tolerance * (1 + jnp.abs(s.x))
        narrow = s.bracketed & (jnp.abs(s.x - s.other_x) <= scale)
        return (jnp.abs(s.f) <= scale) | narrow

    def unfinished(s: _Iterate):
        return ~solved(s) & (s.x < MAX_RATE) & (s.evaluations < max_evaluations)

    def improve(s: _Iterate):
        slope = (s.f - s.other_f) / jnp.where(s.x == s.other_x, 1, s.x - s.other_x)
        secant = s.x - s.f / jnp.where(slope == 0, 1, slope)
        # Without a bracket: at first the fixed-point step, then at least that and at most ten.
        eager = jnp.where(slope < 0, (secant - s.x) / jnp.where(s.f == 0, 1, s.f), 10)
        eager = jnp.where(s.evaluations == 1, 1, eager)
        x = jnp.where(s.bracketed, secant, s.x + jnp.clip(eager, 1, 10) * s.f)
        x = jnp.maximum(x, 0)
        f = residual(x)
        crossed = jnp.sign(f) != jnp.sign(s.f)
        retained = s.bracketed & ~crossed
        return _Iterate(
            x,
            f,
            jnp.where(retained, s.other_x, s.x),
            jnp.where(retained, s.other_f / 2, s.f),
            s.bracketed | crossed,
            s.evaluations + 1,
        )

    first = residual(start)
    no, one = jnp.zeros((), bool), jnp.ones((), jnp.int32)
    end = lax.while_loop(unfinished, improve, _Iterate(start, first, start, first, no, one))
    return Root(end.x, end.evaluations, (solved(end) | end.bracketed) & (end.x < MAX_RATE))


def finite_sample(
    key: PRNGKeyArray, rate: Float[Array, ""], spikes_per_rate: Float[Array, ""]
) -> Float[Array, ""]:
    r"""The rate of finitely many neurons in a step, whose spikes are a Poisson number.

    **Arguments:** key, expected rate (spikes / neuron / membrane time), `spikes_per_rate` $M\,δ$:
    neurons times the duration of the step (membrane time). **Returns:** the rate drawn,
    differentiable as the expected one.
    """
    expected = lax.stop_gradient(rate * spikes_per_rate)
    # Poisson numbers need this kind of key, whichever the run has.
    key = jax.random.key(jax.random.bits(key), impl="threefry2x32")
    drawn = jax.random.poisson(key, expected).astype(rate.dtype) / spikes_per_rate
    return rate + lax.stop_gradient(drawn - rate)
