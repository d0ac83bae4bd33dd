r"""What a run is compared with: each loss maps a `Solution` to residuals.

A residual is (prediction - observation) / standard deviation; `fit` minimises half the sum of their
squares. A function of a `Solution` that returns an array of residuals, several in a tuple, or one
number to be minimised is a loss as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from ._check import check, check_finite, check_positive, is_concrete
from .solve.solution import Solution

Data = ArrayLike | Sequence


class Rate(eqx.Module):
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
        self.ts = _times("ts", ts)
        self.rate = _observed("rate", rate, self.ts.shape)
        self.std = _std(std, self.rate)

    def __call__(self, sol: Solution) -> Float[Array, " k"]:
        """Residuals of a solution, shape `(k,)` (dimensionless).

        **Arguments:** `sol`: of the run.

        **Raises:** `ValueError` if it does not cover the times.
        """
        _covered("ts", self.ts, sol)
        return (jnp.interp(self.ts, sol.ts, sol.rate) - self.rate) / self.std


class MeanRate(eqx.Module):
    r"""The network rate observed as spike counts: its means between consecutive times.

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
        self.edges = _times("edges", edges)
        check(self.edges.size > 1, "edges: must be at least two times")
        self.rate = _observed("rate", rate, (self.edges.size - 1,))
        self.std = _std(std, self.rate)

    def __call__(self, sol: Solution) -> Float[Array, " k"]:
        """Residuals of a solution, shape `(k,)` (dimensionless).

        **Arguments:** `sol`: of the run.

        **Raises:** `ValueError` if it does not cover the times.
        """
        _covered("edges", self.edges, sol)
        spikes = jnp.diff(jnp.interp(self.edges, sol.ts, sol.spikes))
        return (spikes / jnp.diff(self.edges) - self.rate) / self.std


class Rates(eqx.Module):
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
        self.ts = _times("ts", ts)
        self.rates = _observed("rates", rates, (self.ts.size, None))
        self.std = _std(std, self.rates)

    def __call__(self, sol: Solution) -> Float[Array, "k m"]:
        """Residuals of a solution, shape `(k, m)` (dimensionless).

        **Arguments:** `sol`: of the run.

        **Raises:** `ValueError` if it does not cover the times, or has another number of weights.
        """
        _covered("ts", self.ts, sol)
        _matches_grid("rates", self.rates.shape[1], sol.rates.shape[1])
        return (_rows_at(self.ts, sol.ts, sol.rates) - self.rates) / self.std


class Weights(eqx.Module):
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
        self.weights = _observed("weights", weights, (None,))
        self.std = _std(std, self.weights)
        self.t = None if t is None else float(_times("t", [t])[0])

    def __call__(self, sol: Solution) -> Float[Array, " m"]:
        """Residuals of a solution, shape `(m,)` (dimensionless).

        **Arguments:** `sol`: of the run.

        **Raises:** `ValueError` if it does not cover the time, or has another number of weights.
        """
        _matches_grid("weights", self.weights.size, sol.weights.shape[1])
        if self.t is None:
            found = sol.weights[-1]
        else:
            at = np.array([self.t])
            _covered("t", at, sol)
            found = _rows_at(at, sol.ts, sol.weights)[0]
        return (found - self.weights) / self.std


class Intervals(eqx.Module):
    r"""A histogram of interspike intervals, or of first-passage times.

    Compared with a run in which who fires stays away, `Network(refractory=jn.Never())`, from
    `jn.at_reset(grid)`: then `Solution.spikes` is the distribution function of the intervals. The
    square roots of Poisson counts have standard deviation one half, so the residuals are
    $2\sqrt{e + 3/8} - 2\sqrt{c + 3/8}$ for expected and observed counts.

    **Arguments:** `edges`, increasing times `(k+1,)` from the spike on (learning time); `counts`,
    the intervals in each bin `(k,)`; `total`, all intervals, also those outside the bins.

    **Raises:** as `Rate`, and for fewer than two edges, or more counts than `total`.

    **Reference:** F. J. Anscombe, *Biometrika* 35:246 (1948).
    """

    edges: Float[np.ndarray, " k+1"]
    counts: Float[np.ndarray, " k"]
    total: float

    def __init__(
        self,
        edges: Data,
        counts: Data,
        *,
        total: ArrayLike | None = None,
    ):
        self.edges = _times("edges", edges)
        check(self.edges.size > 1, "edges: must be at least two times")
        self.counts = _observed("counts", counts, (self.edges.size - 1,))
        inside = float(np.sum(self.counts))
        check_positive("total", inside if total is None else total)
        self.total = inside if total is None else float(total)
        check(inside <= self.total, f"total = {self.total:g}: there are {inside:g} counts")

    def __call__(self, sol: Solution) -> Float[Array, " k"]:
        """Residuals of a solution, shape `(k,)` (dimensionless).

        **Arguments:** `sol`: of the run.

        **Raises:** `ValueError` if it does not cover the times.
        """
        _covered("edges", self.edges, sol)
        expected = self.total * jnp.diff(jnp.interp(self.edges, sol.ts, sol.spikes))
        expected = jnp.maximum(expected, 0)
        return 2 * jnp.sqrt(expected + 3 / 8) - 2 * jnp.sqrt(self.counts + 3 / 8)


def _times(name: str, times: Any) -> np.ndarray:
    check_finite(name, times)
    times = np.asarray(times, float)
    check(times.ndim == 1 and times.size > 0, f"{name}: must be a non-empty row of times")
    check(bool(np.all(np.diff(times) > 0)), f"{name}: must be strictly increasing")
    return times


def _observed(name: str, values: Any, shape: tuple[int | None, ...]) -> np.ndarray:
    check_finite(name, values)
    values = np.asarray(values, float)
    fits = len(shape) == values.ndim and all(
        n is None or n == m for n, m in zip(shape, values.shape, strict=True)
    )
    wanted = ", ".join("m" if n is None else str(n) for n in shape)
    check(fits, f"{name}: shape {values.shape} must be ({wanted})")
    check(values.size > 0, f"{name}: must not be empty")
    check(bool(np.all(values >= 0)), f"{name} = {values.min():g}: must not be negative")
    return values


def _std(std: Any, observed: np.ndarray) -> np.ndarray:
    check_positive("std", std)
    std = np.asarray(std, float)
    check(
        std.shape in ((), observed.shape),
        f"std: shape {std.shape} must be () or that of the data, {observed.shape}",
    )
    return std


def _covered(name: str, times: Any, sol: Solution) -> None:
    if not is_concrete(times, sol.ts):
        return
    saved = np.asarray(sol.ts)
    first, last = float(saved[0]), float(saved[-1])
    slack = 1e-6 * (last - first)
    check(
        bool(first - slack <= times[0] and times[-1] <= last + slack),
        f"{name} = {times[0]:g} … {times[-1]:g}: must lie within the saved times of the run, "
        f"{first:g} … {last:g}",
    )


def _matches_grid(name: str, given: int, weights: int) -> None:
    check(given == weights, f"{name}: has {given} weights, the grid of the run has {weights}")


def _rows_at(ts: Any, saved: Array, rows: Array) -> Array:
    """Rows interpolated linearly in time."""
    index = jnp.clip(jnp.searchsorted(saved, ts, side="right") - 1, 0, max(saved.shape[0] - 2, 0))
    following = jnp.minimum(index + 1, saved.shape[0] - 1)
    width = saved[following] - saved[index]
    part = jnp.where(width > 0, (ts - saved[index]) / jnp.where(width > 0, width, 1), 0)
    part = jnp.clip(part, 0, 1)[:, None].astype(rows.dtype)
    return (1 - part) * rows[index] + part * rows[following]
