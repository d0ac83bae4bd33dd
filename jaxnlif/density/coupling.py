r"""How the network's rate $\bar N$ enters its own input: lagged, corrected, or implicitly."""

from __future__ import annotations

import abc
from typing import ClassVar, NamedTuple

import equinox as eqx
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, Int

from .._check import check_integer
from .._module import Module
from ..integrate.scan import remember
from .interval import Interval, frozen
from .own_rate import chosen_rate, own_rate
from .root import nearest_root, overshot_root

_MAX_EVALUATIONS = 60


class Coupled(NamedTuple):
    r"""The rate that neurons see in a step, and how it was found.

    - `rate`: $\bar N$ (spikes / neuron / membrane time).
    - `evaluations`: how often the rate that results was computed; `found`: whether there is one.
    - `own`: whether it is the rate that results at the end of the step, if there is one.
    - `exhausted`: whether it was not found because the search took all its evaluations.
    """

    rate: Float[Array, ""]
    evaluations: Int[Array, ""]
    found: Bool[Array, ""]
    own: bool = False
    exhausted: Bool[Array, ""] | bool = False


def given(rate: Float[Array, ""]) -> Coupled:
    """A rate that is known before the step."""
    return Coupled(rate, jnp.zeros((), jnp.int32), jnp.ones((), bool))


class AbstractCoupling(Module):
    r"""Chooses the rate $\bar N$ that the neurons see within a step.

    `may_cycle`: whether the rates of successive steps may jump to and fro where those of the
    equation do not, so that the run has to be watched for it.
    """

    may_cycle: ClassVar[bool] = True

    @abc.abstractmethod
    def __call__(self, interval: Interval, previous: Float[Array, ""]) -> Coupled:
        r"""Chooses the rate.

        **Arguments:** `interval`, in which every rate results in one at the end,
        `interval.firing(rate)`; `previous`, the rate at the beginning of the step
        (spikes / neuron / membrane time).

        **Returns:** a `Coupled`.
        """


class Lagged(AbstractCoupling):
    r"""Neurons see the rate of the previous step: one linear solve, first order in time.

    This is a fixed-point iteration in time, which strong inhibition can lock into a spurious
    two-cycle, at any ε. A run that is found in one ends as `Result.rate_cycle`; use `Implicit`
    there.

    **Reference:** J. Hu, J.-G. Liu, Y. Xie, Z. Zhou, arXiv 1911.07619 (2019); Q. He, J. Hu,
    Z. Zhou, *SIAM J. Sci. Comput.* (2022), arXiv 2109.04667.
    """

    def __call__(self, interval, previous):
        return given(previous)


class Corrected(AbstractCoupling):
    r"""Neurons see the rate that a lagged step predicts: half a linear solve more.

    The prediction $N_1$ is bounded by $2 N + 1$, which keeps an avalanche from being predicted in
    one step; what the bound holds back comes with the next ones. Under inhibition a prediction
    overshoots: $N_1 - \bar N$, with $\bar N$ the rate that results in the step, has the sign
    opposite to $N_1 - N$. Then neurons see the rate between $N$ and $N_1$ that reproduces itself,
    as with `Implicit`, for a few half solves more. Networks that only excite never pay.

    **Reference:** jaxnlif's.
    """

    may_cycle: ClassVar[bool] = False

    def __call__(self, interval, previous):
        fired = interval.firing(previous)
        predicted = jnp.minimum(fired, 2 * previous + 1)
        still, *known = frozen((interval, previous, fired, predicted))
        inhibits = _inhibits(still, *known)
        root = overshot_root(still.firing, *known, inhibits, _MAX_EVALUATIONS)
        root = remember(root)
        rate = chosen_rate(interval, predicted, root.rate, root.found)
        return Coupled(rate, root.evaluations, ~root.exhausted, exhausted=root.exhausted)


def _inhibits(interval: Interval, previous: Array, fired: Array, predicted: Array) -> Array:
    """Whether some neurons receive less where the network fires more."""
    response = interval.model.response
    change = response(predicted) - response(previous)
    return jnp.any(interval.weights * change * jnp.sign(predicted - previous) < 0)


class Implicit(AbstractCoupling):
    r"""Neurons see the rate of the step itself: the root of $G(\bar N) = \bar N$.

    The root is sought on the branch that continues the previous rate: the nearest one in the
    direction in which the rate moves. Where none exists (an excitatory network past its fold), the
    run ends with the corresponding result. Every iterate is a valid step, so the tolerance never
    costs mass or positivity; derivatives are those of the implicit function.

    **Arguments:** `max_evaluations`: bound on the forward sweeps per step; a run that needs more
    ends as `Result.rate_not_found`.

    **Raises:** `ValueError` unless it is a positive integer.

    **Reference:** jaxnlif's; the root is found by the Illinois variant of false position,
    M. Dowell, P. Jarratt, *BIT* 11:168 (1971).
    """

    may_cycle: ClassVar[bool] = False
    max_evaluations: int = eqx.field(static=True, default=_MAX_EVALUATIONS)

    def __check_init__(self):
        check_integer("max_evaluations", self.max_evaluations, at_least=1)

    def __call__(self, interval, previous):
        firing, start = frozen(interval).firing, lax.stop_gradient(previous)
        root = remember(nearest_root(firing, start, self.max_evaluations))
        rate = own_rate(interval, root.rate)
        return Coupled(rate, root.evaluations, root.found, own=True, exhausted=root.exhausted)
