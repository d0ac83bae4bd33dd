r"""What a run is compared with: each loss maps a `Solution` to residuals.

A residual is (prediction - observation) / standard deviation; `fit` minimises half the sum of their
squares. A function of a `Solution` that returns an array of residuals, several in a tuple, or one
number to be minimised is a loss as well.

Of a solution of `vmap` every member is compared with the data; where each has data of its own,
`[loss(member) for loss, member in zip(losses, sol.members())]` is the loss.
"""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.typing import ArrayLike
from jaxtyping import Array, Float, Real

from ._check import check, check_positive, is_concrete
from ._counts import Intervals as Intervals
from ._counts import SpikeCounts as SpikeCounts
from ._module import Module
from ._observed import (
    Data,
    binned,
    course,
    course_at,
    covered,
    deviation,
    matches_grid,
    matches_populations,
    observed,
    over_members,
    rows_at,
    times,
    without_populations,
)
from .density.stationary.circuit import circuit_rate
from .integrate.solution import Solution
from .model import Delay, Network


class Rate(Module):
    r"""The network rate $\bar N$ observed at some times, between which `Solution.ts` are linear.

    **Arguments:** `ts`, increasing times `(k,)` (learning time); `rate`, observed there `(k,)`, of
    p populations `(k, p)`, or of several `(p,)` at a single time (spikes / neuron / membrane
    time); `std`, its standard deviation, a number or of the shape of `rate`, or `(p,)`, in the unit
    of `rate`.

    **Raises:** `ValueError` for empty, unsorted, negative, non-finite or unequal data.
    """

    ts: Float[np.ndarray, " k"]
    rate: Float[np.ndarray, "k *p"]
    std: Float[np.ndarray, "..."]

    def __init__(
        self,
        ts: Data,
        rate: Data,
        *,
        std: Data = 1.0,
    ):
        self.ts = times("ts", ts)
        self.rate = course("rate", rate, self.ts.size)
        self.std = deviation(std, self.rate)

    @over_members
    def __call__(self, sol: Solution) -> Float[Array, "*members k *p"]:
        """Residuals of a solution, shape `(k,)` or `(k, p)` (dimensionless).

        **Arguments:** `sol`: of the run; one of `vmap` has its axes first.

        **Raises:** `ValueError` if it does not cover the times, or has other populations.
        """
        matches_populations("rate", self.rate, sol)
        sol = covered("ts", self.ts, sol)
        return (course_at(self.ts, sol.ts, sol.rate) - self.rate) / self.std


class MeanRate(Module):
    r"""The means of the network rate between consecutive times, with known standard deviations.

    Counts of spikes are compared by `SpikeCounts`: a deviation taken from each count itself gives
    rates that are too low.

    **Arguments:** `edges`, increasing times `(k+1,)` (learning time); `rate`, the spikes in each
    bin per neuron and width in membrane times, `(k,)`, of p populations `(k, p)`, or of several
    `(p,)` in a single bin (spikes / neuron / membrane time); `std`, its standard deviation, a
    number or of the shape of `rate`, or `(p,)`, in the unit of `rate`.

    **Raises:** as `Rate`, and for fewer than two edges.
    """

    edges: Float[np.ndarray, " k+1"]
    rate: Float[np.ndarray, "k *p"]
    std: Float[np.ndarray, "..."]

    def __init__(
        self,
        edges: Data,
        rate: Data,
        *,
        std: Data = 1.0,
    ):
        self.edges = times("edges", edges)
        check(self.edges.size > 1, "edges: must be at least two times")
        self.rate = course("rate", rate, self.edges.size - 1)
        self.std = deviation(std, self.rate)

    @over_members
    def __call__(self, sol: Solution) -> Float[Array, "*members k *p"]:
        """Residuals of a solution, shape `(k,)` or `(k, p)` (dimensionless).

        **Arguments:** `sol`: of the run; one of `vmap` has its axes first.

        **Raises:** `ValueError` if it does not cover the times, was saved nowhere in a bin, or has
        other populations.
        """
        matches_populations("rate", self.rate, sol)
        sol = binned(self.edges, sol)
        spikes = jnp.diff(course_at(self.edges, sol.ts, sol.spikes), axis=0)
        widths = jnp.reshape(jnp.diff(self.edges), (-1,) + (1,) * (self.rate.ndim - 1))
        return (spikes / widths - self.rate) / self.std


class Rates(Module):
    r"""The response of each weight, $N(w, t)$, observed at some times.

    **Arguments:** `ts`, increasing times `(k,)` (learning time); `rates`, `(k, m)` for the m
    weights of the grid (spikes / neuron / membrane time / weight); `std`, their standard deviation,
    a number or `(k, m)`, in the unit of `rates`.

    **Raises:** as `Rate`.
    """

    ts: Float[np.ndarray, " k"]
    rates: Float[np.ndarray, "k m"]
    std: Float[np.ndarray, "..."]

    def __init__(
        self,
        ts: Data,
        rates: Data,
        *,
        std: Data = 1.0,
    ):
        self.ts = times("ts", ts)
        self.rates = observed("rates", rates, (self.ts.size, None))
        self.std = deviation(std, self.rates)

    @over_members
    def __call__(self, sol: Solution) -> Float[Array, "*members k m"]:
        """Residuals of a solution, shape `(k, m)` (dimensionless).

        **Arguments:** `sol`: of the run; one of `vmap` has its axes first.

        **Raises:** `ValueError` if it does not cover the times, or has another number of weights.
        """
        without_populations("rates", sol)
        sol = covered("ts", self.ts, sol)
        matches_grid("rates", self.rates.shape[1], sol.rates.shape[1])
        return (rows_at(self.ts, sol.ts, sol.rates) - self.rates) / self.std


class Weights(Module):
    r"""The weight density $H(w)$ observed at one time.

    **Arguments:** `weights`, `(m,)` for the m weights of the grid (1 / weight); `std`, their
    standard deviation, a number or `(m,)`, in the unit of `weights`; `t`, the time, by default the
    last one (learning time).

    **Raises:** as `Rate`.
    """

    weights: Float[np.ndarray, " m"]
    std: Float[np.ndarray, "..."]
    t: float | None = eqx.field(static=True)

    def __init__(
        self,
        weights: Data,
        *,
        std: Data = 1.0,
        t: float | None = None,
    ):
        self.weights = observed("weights", weights, (None,))
        self.std = deviation(std, self.weights)
        self.t = None if t is None else float(times("t", [t])[0])

    @over_members
    def __call__(self, sol: Solution) -> Float[Array, "*members m"]:
        """Residuals of a solution, shape `(m,)` (dimensionless).

        **Arguments:** `sol`: of the run; one of `vmap` has its axes first.

        **Raises:** `ValueError` if it does not cover the time, or has another number of weights.
        """
        without_populations("weights", sol)
        matches_grid("weights", self.weights.size, sol.weights.shape[1])
        if self.t is None:
            found = sol.weights[-1]
        else:
            at = np.array([self.t])
            sol = covered("t", at, sol)
            found = rows_at(at, sol.ts, sol.weights)[0]
        return (found - self.weights) / self.std


_PARTS = 1.0, 0.1, 0.01
"""Of the rates observed, from which a state is sought."""


class StationaryRate(Module):
    r"""The stationary rates of populations, without a run in time: a loss of their network.

    The state is that of `stationary.circuit_rate` near the rates observed or, if they lead to none,
    near a tenth or a hundredth of them. For `fit` it is enough that `run` returns the network:

    ```python
    jn.fit(network, lambda network: network, jn.losses.StationaryRate(rate, std=std), ...)
    ```

    **Arguments:**

    - `rate`: observed, positive, one of each population, shape `(p,)` (spikes / neuron / time).
    - `std`: its standard deviation, a number or shape `(p,)` (spikes / neuron / time).
    - `threshold`, `reset`: $V_F$ and $V_R$ if the model has none, shape `()` or `(p,)` (voltage).
    - `synaptic_shift`: as in `stationary.circuit_rates`.

    **Raises:** `ValueError` for rates of another shape, or that are not positive.

    **Reference:** N. Brunel, *J. Comput. Neurosci.* 8:183 (2000).
    """

    rate: Float[np.ndarray, " p"]
    std: Float[np.ndarray, "..."]
    threshold: Real[ArrayLike, "..."] | None
    reset: Real[ArrayLike, "..."] | None
    synaptic_shift: bool = eqx.field(static=True)

    def __init__(
        self,
        rate: Data,
        *,
        std: Data = 1.0,
        threshold: Real[ArrayLike, "..."] | None = None,
        reset: Real[ArrayLike, "..."] | None = None,
        synaptic_shift: bool = False,
    ):
        self.rate = observed("rate", rate, (None,))
        check_positive("rate", self.rate)
        self.std = deviation(std, self.rate)
        self.threshold, self.reset, self.synaptic_shift = threshold, reset, synaptic_shift

    def __call__(self, model: Any) -> Float[Array, " p"]:
        """Residuals of a network, shape `(p,)` (dimensionless).

        They are NaN where Newton's method finds no state from there.

        **Arguments:** `model`: the `Network` of the populations.

        **Raises:** `ValueError` for other populations, rates of more than a spike in each
        refractory period, and as `stationary.circuit_rates`.
        """
        check(isinstance(model, Network), f"run: returns {type(model).__name__}: must be a Network")
        _check_attainable(self.rate, model)
        rate = jnp.asarray(self.rate)
        guesses = jnp.asarray(_PARTS)[:, None] * rate[None]
        tried = lax.stop_gradient(jax.vmap(lambda guess: self._state(model, guess))(guesses))
        known = jnp.all(jnp.isfinite(tried), axis=1)
        # The first of them, as a function of the network.
        guess = jnp.where(jnp.any(known), tried[jnp.argmax(known)], rate)
        return (self._state(model, guess) - rate) / self.std

    def _state(self, model: Network, guess: Array) -> Float[Array, " p"]:
        """The stationary rates that a guess leads to, or NaN."""
        ends: Any = {"threshold": self.threshold, "reset": self.reset}
        return circuit_rate(model, guess, **ends, synaptic_shift=self.synaptic_shift, throw=False)


def _check_attainable(rate: np.ndarray | Array, model: Network) -> None:
    """Requires a rate for each population, with which its refractory periods leave time."""
    num = 1 if model.populations is None else model.populations
    names = model.names or tuple(f"population {k}" for k in range(num))
    check(
        rate.shape == (num,),
        f"rate: shape {rate.shape}: must be ({num},), one for each of {', '.join(names)}",
    )
    if not isinstance(model.refractory, Delay) or not is_concrete(rate, model.refractory):
        return
    periods = np.broadcast_to(np.asarray(model.refractory.duration, float), (num,))
    for name, value, period in zip(names, np.asarray(rate), periods, strict=True):
        check(
            value * period < 1,
            f"rate = {value:g} of {name}: no state has it; must be less than a spike in each "
            f"refractory period of {period:g}",
        )
