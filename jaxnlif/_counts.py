"""Counts of spikes and of intervals, held against those that a run makes one expect."""

from __future__ import annotations

import abc
from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from . import _deviance
from ._check import check, check_finite, check_integer, check_positive, check_scalar, is_concrete
from ._module import Module
from ._observed import (
    Data,
    binned,
    course,
    course_at,
    matches_populations,
    over_members,
    times,
)
from .integrate.solution import Solution
from .model._leaf import as_integers

_ON_EDGE = 1e-6  # how far from an edge, in bins, a spike is on it: decimals are rounded
_MOST_BINS = 10_000_000

Neurons = int | Sequence[int] | np.ndarray
"""How many there are, or how many of each population."""


class AbstractCounts(Module):
    """Counts in bins, `(k,)` or `(k, p)`, whose expectations grow with `Solution.spikes`."""

    edges: Float[np.ndarray, " k+1"]
    counts: Float[np.ndarray, "k *p"]

    def __init__(self, edges: Data, counts: Data):
        self.edges = times("edges", edges)
        check(self.edges.size > 1, "edges: must be at least two times")
        self.counts = course("counts", counts, self.edges.size - 1)

    @property
    @abc.abstractmethod
    def number(self) -> Float[Array | np.ndarray, "*p"]:
        """How many counts one spike of every neuron makes, `()` or `(p,)`."""

    @over_members
    def expected(self, sol: Solution) -> Float[Array, "*members k *p"]:
        """The counts that a run makes one expect, shape `(k,)` or `(k, p)` (dimensionless).

        **Arguments:** `sol`: of the run; one of `vmap` has its axes first.

        **Raises:** `ValueError` if it does not cover the times, was saved nowhere in a bin, has
        other populations, or ε = 0, for which every neuron fires without end in every bin.
        """
        matches_populations("counts", self.counts, sol)
        sol = binned(self.edges, sol)
        epsilon = sol.model.epsilon
        check(
            not is_concrete(epsilon) or bool(np.asarray(epsilon) > 0),
            "epsilon = 0: must be positive where spikes are counted",
        )
        fired = course_at(self.edges, sol.ts, sol.spikes)
        return _deviance.differences(fired, jnp.asarray(self.number, fired.dtype) / epsilon)

    @over_members
    def __call__(self, sol: Solution) -> Float[Array, "*members k *p"]:
        """Residuals of a solution, shape `(k,)` or `(k, p)` (dimensionless).

        **Arguments:** `sol`: of the run; one of `vmap` has its axes first.

        **Raises:** `ValueError` as `expected`.
        """
        return _deviance.residuals(self.expected(sol), self.counts)

    @over_members
    def in_deviations(self, sol: Solution) -> Float[Array, "*members k *p"]:
        r"""$2 \sqrt e$ of the expected counts, whose derivatives are those of e in units of the
        standard deviation $\sqrt e$: `fit` finds standard errors by them, shape `(k,)` or
        `(k, p)` (dimensionless).

        **Arguments:** `sol`: of the run; one of `vmap` has its axes first.

        **Raises:** `ValueError` as `expected`.
        """
        return 2 * jnp.sqrt(self.expected(sol))


class SpikeCounts(AbstractCounts):
    r"""Spikes of a population, counted in bins: their counts are those of Poisson processes.

    The residuals are the signed roots of the deviance of the counts c from those expected, e,

    $$r = \operatorname{sign}(e - c) \sqrt{2 (e - c + c \log(c/e))}, \qquad
    e_k = \frac{M}{ε} \int_{t_k}^{t_{k+1}} \bar N\,dt,$$

    of which half the sum of squares is the negative log-likelihood: at its minimum the run has the
    mean rate that was recorded, however few spikes a bin holds. Standard errors are those of the
    Fisher information. Say `absolute=True` to `fit`.

    Neurons that fire more regularly or in bursts have other standard errors than Poisson counts,
    and, but for correlations of bins, the same best fit.

    **Arguments:** `edges`, increasing times `(k+1,)` that begin and end bins (learning time);
    `counts`, the spikes of all neurons in all trials in each bin `(k,)`, of p populations `(k, p)`,
    or of several `(p,)` in a single bin; `neurons`, how many were recorded, silent ones included,
    of populations one number for all or `(p,)`; `trials`, how often.

    **Raises:** as `Rate`, and for fewer than two edges, or numbers of neurons or trials that are no
    positive integers, or not as many as there are populations.

    **Reference:** P. McCullagh, J. A. Nelder, *Generalized Linear Models*, 2nd ed. (1989), 2.4.
    """

    sources: Float[np.ndarray, "*p"]

    def __init__(self, edges: Data, counts: Data, neurons: Neurons, *, trials: int = 1):
        super().__init__(edges, counts)
        trials = check_integer("trials", trials, at_least=1)
        self.sources = np.asarray(_neurons(neurons) * trials)
        _check_populations("neurons", self.sources, self.counts)

    @property
    def number(self) -> Float[Array | np.ndarray, "*p"]:
        return self.sources

    @classmethod
    def from_times(
        cls,
        ts: Data,
        neurons: Neurons,
        *,
        width: float | int,
        begin: float | int = 0.0,
        end: float | int | None = None,
        trials: int = 1,
        population: Sequence | ArrayLike | None = None,
    ) -> SpikeCounts:
        """Counts of spike times in bins of one width; the time 0 of the run is when they begin.

        **Arguments:** `ts`, the times of all spikes of all neurons and trials, in any order, `(n,)`
        (learning time); `width`, that of the bins (learning time); `begin`, `end`, when the
        recording, or each trial, began and ended (learning time). Spikes outside are left out, and
        the last bin may be shorter. By default it began at 0 and ended with the last bin that is
        over when the last spike comes: spikes do not tell how long silence was recorded after them.
        `neurons`, `trials`: as for `SpikeCounts`; `population`: of each spike the number, from 0
        on, of its population, `(n,)`, where `neurons` are those of each, `(p,)`.

        **Returns:** the loss.

        **Raises:** `ValueError` for wrong numbers, and if there is no whole bin.
        """
        for name, value in (("width", width), ("begin", begin), ("end", end)):
            if value is not None:
                check_scalar(name, value)
                check_finite(name, value)
        check_finite("ts", ts)
        check_positive("width", width)
        spikes = np.ravel(np.asarray(ts, float)) - begin
        edges = _edges(spikes, begin, end, width)
        # Decimals are rounded: a spike so near to an edge is on it, and in the bin that it opens.
        places = np.searchsorted(edges, spikes + _ON_EDGE * width, side="right") - 1
        inside = (places >= 0) & (places < edges.size - 1)
        if population is None:
            check(np.ndim(neurons) == 0, "population: must be given where neurons are of several")
            counts = np.bincount(places[inside], minlength=edges.size - 1)
        else:
            which, num = _sources(population, spikes.size, neurons)
            cells = num * places[inside] + which[inside]
            counts = np.bincount(cells, minlength=num * (edges.size - 1)).reshape(-1, num)
        return cls(edges, counts, neurons, trials=trials)


def _neurons(neurons: Any) -> np.ndarray:
    """How many there are, or how many of each population."""
    each = [
        check_integer("neurons", one, at_least=1)
        for one in (np.ravel(neurons) if np.ndim(neurons) == 1 else [neurons])
    ]
    return np.asarray(each if np.ndim(neurons) == 1 else each[0], float)


def _check_populations(name: str, numbers: np.ndarray, counts: np.ndarray) -> None:
    """Requires one number for all populations, or one for each."""
    check(
        numbers.shape in ((), counts.shape[1:]),
        f"{name}: shape {numbers.shape}: must be a number"
        + (f", or ({counts.shape[1]},), one for each population" if counts.ndim == 2 else ""),
    )


def _sources(population: Any, spikes: int, neurons: Any) -> tuple[np.ndarray, int]:
    """The populations of spikes, and how many there are."""
    which = np.asarray(as_integers("population", population))
    check(
        which.shape == (spikes,),
        f"population: shape {which.shape}: must be ({spikes},), one for each spike",
    )
    check(np.ndim(neurons) == 1, "neurons: must be those of each population, (p,)")
    num = np.shape(neurons)[0]
    for wrong in which[(which < 0) | (which >= num)][:1]:
        raise ValueError(f"population = {wrong}: must be from 0 to {num - 1}")
    return which, num


def _edges(spikes: np.ndarray, begin: Any, end: Any, width: Any) -> Float[np.ndarray, " n"]:
    """The edges of bins from 0 to the end, or up to the bin of the last spike."""
    check(end is not None or spikes.size > 0, "ts: must not be empty, or end be given")
    length = float(np.max(spikes) if end is None else end - begin)
    given = "ts: the last spike" if end is None else f"end = {end:g}"
    check(length > 0, f"{given} must come after begin = {begin:g}")
    check(
        length <= _MOST_BINS * width,
        f"width = {width:g}: {given}, must come after at most {_MOST_BINS} bins",
    )
    if end is not None:
        return np.append(width * np.arange(np.ceil(length / width - _ON_EDGE)), length)
    whole = float(np.floor(length / width + _ON_EDGE))
    check(whole > 0, f"width = {width:g}: must be over when the last spike comes, or end be given")
    return width * np.arange(whole + 1)


class Intervals(AbstractCounts):
    r"""A histogram of interspike intervals, or of first-passage times.

    Compared with a run in which who fires stays away, `Network(refractory=jn.Never())`, from
    `jn.at_reset(grid)`: then `Solution.spikes`, over $ε$, is the distribution function of the
    intervals. The residuals are those of `SpikeCounts`.

    **Arguments:** `edges`, increasing times `(k+1,)` from the spike on (learning time); `counts`,
    the intervals in each bin `(k,)`, of p populations `(k, p)`; `total`, all intervals, also those
    outside the bins, of populations `(p,)`.

    **Raises:** as `Rate`, and for fewer than two edges, or more counts than `total`.

    **Reference:** P. McCullagh, J. A. Nelder, *Generalized Linear Models*, 2nd ed. (1989), 2.4.
    """

    total: Float[np.ndarray, "*p"]

    def __init__(self, edges: Data, counts: Data, *, total: Data | None = None):
        super().__init__(edges, counts)
        inside = np.sum(self.counts, axis=0)
        check_positive("total", inside if total is None else total)
        self.total = np.asarray(inside if total is None else total, float)
        check(
            self.total.shape == inside.shape,
            f"total: shape {self.total.shape}: must be "
            + ("a single number" if inside.ndim == 0 else f"({inside.size},), of each population"),
        )
        for given, found in zip(self.total.flat, inside.flat, strict=True):
            check(found <= given, f"total = {given:g}: there are {found:g} counts")

    @property
    def number(self) -> Float[Array | np.ndarray, "*p"]:
        return self.total
