r"""How the network's rate $\bar N$ enters its own input: lagged, corrected, or implicitly."""

from __future__ import annotations

import abc
import operator
from collections.abc import Callable
from typing import ClassVar, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, Int

from .._check import check_integer
from .._module import Module
from ..integrate.scan import remember
from .own_rate import chosen_rate, own_rate
from .root import nearest_root, overshot_root
from .roots import vector_root
from .voltage import VoltageStep, frozen

_MAX_EVALUATIONS = 60


class Coupled(NamedTuple):
    r"""The signals that neurons feel in a step, and how they were found.

    - `signals`: here the rate $\bar N$, shape `(s,)` (spikes / neuron / membrane time).
    - `evaluations`: how often the signals that result were computed; `found`: whether there are
      such that reproduce themselves.
    - `own`: whether they are those that result at the end of the step, if there are such.
    - `exhausted`: whether they were not found because the search took all its evaluations.
    """

    signals: Float[Array, " s"]
    evaluations: Int[Array, ""]
    found: Bool[Array, ""]
    own: bool = False
    exhausted: Bool[Array, ""] | bool = False


def given(signals: Float[Array, " s"]) -> Coupled:
    """Signals that are known before the step."""
    return Coupled(signals, jnp.zeros((), jnp.int32), jnp.ones((), bool))


class AbstractCoupling(Module):
    r"""Chooses the signals, here the rate $\bar N$, that the neurons feel within a step.

    `may_cycle`: whether the rates of successive steps may jump to and fro where those of the
    equation do not, so that the run has to be watched for it.
    """

    may_cycle: ClassVar[bool] = True

    @abc.abstractmethod
    def __call__(self, step: VoltageStep, previous: Float[Array, " s"]) -> Coupled:
        r"""Chooses the signals.

        **Arguments:** `step`, in which all signals result in others at the end,
        `step.firing(signals)`; `previous`, the signals at the beginning of the step, shape `(s,)`
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

    def __call__(self, step: object, previous: Float[Array, " s"]) -> Coupled:
        return given(previous)


class Corrected(AbstractCoupling):
    r"""Neurons see the rate that a lagged step predicts: half a linear solve more.

    The prediction $N_1$ is bounded by $2 N + 1$, which keeps a cascade from being predicted in one
    step; what the bound holds back comes with the next ones. Under inhibition a prediction
    overshoots: $N_1 - \bar N$, with $\bar N$ the rate that results in the step, has the sign
    opposite to $N_1 - N$. Then neurons see the rate between $N$ and $N_1$ that reproduces itself,
    as with `Implicit`, for a few half solves more. Networks that only excite never pay. Populations
    of which any inhibits see the rates that reproduce themselves where these are within the bound.

    **Reference:** jaxnlif's.
    """

    may_cycle: ClassVar[bool] = False

    def __call__(self, step: VoltageStep, previous: Float[Array, " s"]) -> Coupled:
        fired = step.firing(previous)
        bound = 2 * previous + 1
        predicted = jnp.minimum(fired, bound)
        still, start, first, bounded = frozen((step, previous, fired, predicted))
        inhibits = _inhibits(still, start, bounded)
        if step.grid.populations is not None:
            most = jnp.where(inhibits, _MAX_EVALUATIONS, 0)
            ahead = remember(vector_root(still.firing, start, most))
            within = ahead.found & jnp.all(ahead.signals <= frozen(bound))
            signals = chosen_rate(step, predicted, ahead.signals, within)
            return Coupled(signals, ahead.evaluations, jnp.ones((), bool))
        response = _of_one(still.firing)
        root = remember(
            overshot_root(response, start[0], first[0], bounded[0], inhibits, _MAX_EVALUATIONS)
        )
        rate = chosen_rate(step, predicted[0], root.rate, root.found)
        return Coupled(rate[None], root.evaluations, ~root.exhausted, exhausted=root.exhausted)


class Extrapolated(AbstractCoupling):
    r"""Neurons see the rate at the end of the step that the last two rates predict, or its own.

    In the place of `previous` comes the prediction. It is taken as it is where the network only
    excites, or feels what was sent before: no solve more. Where more spikes make any neuron receive
    less, an extrapolation is unstable, and neurons see the rate of the step itself, as with
    `Implicit`; so they do in a step that continues none (`step.fresh`), if there is such a rate.

    **Reference:** jaxnlif's.
    """

    may_cycle: ClassVar[bool] = False

    def __call__(self, step: VoltageStep, previous: Float[Array, " s"]) -> Coupled:
        still, start = frozen((step, previous))
        inhibits = _inhibits(still, start, start * 1.01 + 0.01)
        wanted = inhibits | step.fresh
        if step.grid.populations is not None:
            most = jnp.where(wanted, _MAX_EVALUATIONS, 0)
            ahead = remember(vector_root(still.firing, start, most))
            signals = chosen_rate(step, previous, ahead.signals, ahead.found & wanted)
            found, exhausted = ahead.found, ~ahead.found
        else:
            firing = _of_one(still.firing)
            root = remember(nearest_root(firing, start[0], _MAX_EVALUATIONS, wanted=wanted))
            signals = chosen_rate(step, previous[0], root.rate, root.found & wanted)[None]
            ahead, found, exhausted = root, root.found, root.exhausted
        return Coupled(signals, ahead.evaluations, found | ~inhibits, False, exhausted & inhibits)


def not_lagged(coupling: AbstractCoupling) -> AbstractCoupling:
    """`Corrected` in place of `Lagged`."""
    return Corrected() if isinstance(coupling, Lagged) else coupling


def _inhibits(step: VoltageStep, previous: Array, predicted: Array) -> Bool[Array, ""]:
    """Whether some neurons receive less where the network fires more."""
    if step.grid.populations is not None:
        one_each = jnp.eye(previous.size, dtype=previous.dtype)
        more = jax.vmap(lambda one: step.received(one) - step.received(jnp.zeros_like(one)))
        return jnp.any(more(one_each) < 0)
    received = (step.received(x) for x in (predicted, previous))
    change = operator.sub(*received)
    return jnp.any(change * jnp.sign(predicted - previous) < 0)


def _of_one(response: Callable[[Array], Array]) -> Callable[[Array], Array]:
    """The response of a vector of one signal as that of a number."""
    return lambda rate: response(rate[None])[0]


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

    def __call__(self, step: VoltageStep, previous: Float[Array, " s"]) -> Coupled:
        if step.grid.populations is not None:
            found = remember(
                vector_root(frozen(step).firing, frozen(previous), self.max_evaluations)
            )
            signals = own_rate(step, found.signals)
            return Coupled(signals, found.evaluations, found.found, True, ~found.found)
        firing, start = _of_one(frozen(step).firing), lax.stop_gradient(previous[0])
        root = remember(nearest_root(firing, start, self.max_evaluations))
        rate = own_rate(step, root.rate)
        return Coupled(rate[None], root.evaluations, root.found, True, root.exhausted)
