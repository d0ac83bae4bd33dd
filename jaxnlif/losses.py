r"""What a run is compared with: each loss maps a `Solution` to residuals.

A residual is (prediction - observation) / standard deviation; `fit` minimises half the sum of their
squares. A function of a `Solution` that returns an array of residuals, several in a tuple, or one
number to be minimised is a loss as well.

Of a solution of `vmap` every member is compared with the data; where each has data of its own,
`[loss(member) for loss, member in zip(losses, sol.members())]` is the loss.
"""

from __future__ import annotations

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ._check import check
from ._counts import Intervals as Intervals
from ._counts import SpikeCounts as SpikeCounts
from ._module import Module
from ._observed import (
    Data,
    binned,
    covered,
    deviation,
    matches_grid,
    observed,
    over_members,
    rows_at,
    times,
)
from .integrate.solution import Solution


class Rate(Module):
    r"""The network rate $\bar N$ observed at some times, between which `Solution.ts` are linear.

    **Arguments:** `ts`, increasing times `(k,)` (learning time); `rate`, observed there `(k,)`
    (spikes / neuron / membrane time); `std`, its standard deviation, a number or `(k,)`, in the
    unit of `rate`.

    **Raises:** `ValueError` for empty, unsorted, negative, non-finite or unequal data.
    """

    ts: Float[np.ndarray, " k"]
    rate: Float[np.ndarray, " k"]
    std: Float[np.ndarray, "..."]

    def __init__(
        self,
        ts: Data,
        rate: Data,
        *,
        std: Data = 1.0,
    ):
        self.ts = times("ts", ts)
        self.rate = observed("rate", rate, self.ts.shape)
        self.std = deviation(std, self.rate)

    @over_members
    def __call__(self, sol: Solution) -> Float[Array, "*members k"]:
        """Residuals of a solution, shape `(k,)` (dimensionless).

        **Arguments:** `sol`: of the run; one of `vmap` has its axes first.

        **Raises:** `ValueError` if it does not cover the times.
        """
        sol = covered("ts", self.ts, sol)
        return (jnp.interp(self.ts, sol.ts, sol.rate) - self.rate) / self.std


class MeanRate(Module):
    r"""The means of the network rate between consecutive times, with known standard deviations.

    Counts of spikes are compared by `SpikeCounts`: a deviation taken from each count itself gives
    rates that are too low.

    **Arguments:** `edges`, increasing times `(k+1,)` (learning time); `rate`, the spikes in each
    bin per neuron and width in membrane times, `(k,)` (spikes / neuron / membrane time); `std`,
    its standard deviation, a number or `(k,)`, in the unit of `rate`.

    **Raises:** as `Rate`, and for fewer than two edges.
    """

    edges: Float[np.ndarray, " k+1"]
    rate: Float[np.ndarray, " k"]
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
        self.rate = observed("rate", rate, (self.edges.size - 1,))
        self.std = deviation(std, self.rate)

    @over_members
    def __call__(self, sol: Solution) -> Float[Array, "*members k"]:
        """Residuals of a solution, shape `(k,)` (dimensionless).

        **Arguments:** `sol`: of the run; one of `vmap` has its axes first.

        **Raises:** `ValueError` if it does not cover the times, or was saved nowhere in a bin.
        """
        sol = binned(self.edges, sol)
        spikes = jnp.diff(jnp.interp(self.edges, sol.ts, sol.spikes))
        return (spikes / jnp.diff(self.edges) - self.rate) / self.std


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
        matches_grid("weights", self.weights.size, sol.weights.shape[1])
        if self.t is None:
            found = sol.weights[-1]
        else:
            at = np.array([self.t])
            sol = covered("t", at, sol)
            found = rows_at(at, sol.ts, sol.weights)[0]
        return (found - self.weights) / self.std
