"""Data that losses hold: checked when they are given, and held against the times of a run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array

from ._check import check, check_finite, check_positive, is_concrete, known
from .integrate.solution import Solution

Data = ArrayLike | Sequence


def times(name: str, times: Any) -> np.ndarray:
    """Increasing times in one row."""
    check_finite(name, times)
    times = np.asarray(times, float)
    check(times.ndim == 1 and times.size > 0, f"{name}: must be a non-empty row of times")
    check(bool(np.all(np.diff(times) > 0)), f"{name}: must be strictly increasing")
    return times


def observed(name: str, values: Any, shape: tuple[int | None, ...]) -> np.ndarray:
    """Numbers of this shape that are not negative; `None` is any length."""
    values = _not_negative(name, values)
    fits = len(shape) == values.ndim and all(
        n is None or n == m for n, m in zip(shape, values.shape, strict=True)
    )
    wanted = ", ".join("m" if n is None else str(n) for n in shape)
    check(fits, f"{name}: shape {values.shape} must be ({wanted})")
    return values


def course(name: str, values: Any, num: int) -> np.ndarray:
    """Numbers that are not negative at `num` times, `(k,)`, or of p populations `(k, p)`.

    At a single time `(p,)` are those of the populations.
    """
    values = _not_negative(name, values)
    if num == 1 and values.ndim == 1 and values.size > 1:
        values = values[None]
    check(
        values.ndim in (1, 2) and values.shape[0] == num,
        f"{name}: shape {values.shape} must be ({num},), or ({num}, p) of p populations",
    )
    return values


def _not_negative(name: str, values: Any) -> np.ndarray:
    check_finite(name, values)
    values = np.asarray(values, float)
    check(values.size > 0, f"{name}: must not be empty")
    check(bool(np.all(values >= 0)), f"{name} = {values.min():g}: must not be negative")
    return values


def deviation(std: Any, observed: np.ndarray) -> np.ndarray:
    """Standard deviations, one for all data, one for each, or one for each population."""
    check_positive("std", std)
    std = np.asarray(std, float)
    check(
        std.shape in ((), observed.shape, observed.shape[1:]),
        f"std: shape {std.shape} must be () or that of the data, {observed.shape}"
        + (f", or ({observed.shape[1]},)" if observed.ndim == 2 else ""),
    )
    return std[None] if std.ndim == 1 and observed.ndim == 2 else std


def covered(name: str, times: Any, sol: Solution) -> Solution:
    """The solution, which must have saved times before the first and after the last of these.

    Saved times are traced in a batch under `jit`: the rule is then one of the run.
    """
    ts = known(sol.ts)
    slack = 1e-6 * (ts[-1] - ts[0])
    outside = (times[0] < ts[0] - slack) | (ts[-1] + slack < times[-1])
    rule = "must lie within the saved times of the run"
    if not is_concrete(sol.ts):
        return eqx.tree_at(
            lambda sol: sol.ts, sol, eqx.error_if(sol.ts, outside, f"{name}: {rule}")
        )
    if is_concrete(times):
        span = f"{times[0]:g} … {times[-1]:g}"
        check(not outside, f"{name} = {span}: {rule}, {ts[0]:g} … {ts[-1]:g}")
    return sol


def binned(edges: np.ndarray | Array, sol: Solution) -> Solution:
    """The solution, which must cover the bins, and have saved a time in each of them or at its end.

    Saved times are traced in a batch under `jit`: the rule is then one of the run.
    """
    sol = covered("edges", edges, sol)
    ts = known(sol.ts)
    numpy = np if is_concrete(ts) and is_concrete(edges) else jnp
    slack = 1e-6 * numpy.diff(edges)
    last = numpy.searchsorted(ts, edges[1:] + slack, side="right")
    first = numpy.searchsorted(ts, edges[:-1] + slack, side="right")
    empty = last <= first
    rule = "must be no finer than the saved times of the run; save at them, SaveAt(ts=edges)"
    if numpy is jnp:
        found = eqx.error_if(sol.ts, jnp.any(empty), f"edges: {rule}")
        return eqx.tree_at(lambda sol: sol.ts, sol, found)
    for k in np.flatnonzero(empty)[:1]:
        raise ValueError(f"edges = {edges[k]:g}, {edges[k + 1]:g}: {rule}")
    return sol


def over_members(method: Callable[[Any, Solution], Array]) -> Callable[[Any, Solution], Array]:
    """The method of a loss, for a solution of `vmap` too: what it returns for each member."""

    @wraps(method)
    def of_solution(self: Any, sol: Solution) -> Array:
        if sol.ts.ndim == 1:
            return method(self, sol)
        arrays, rest = eqx.partition(sol, eqx.is_array)
        return jax.vmap(lambda member: of_solution(self, eqx.combine(member, rest)))(arrays)

    return of_solution


def matches_populations(name: str, data: np.ndarray | Array, sol: Solution) -> None:
    """Requires a column for each population of the run, and none if it has no populations."""
    num = sol.solver.grid.populations
    if num is None:
        rule = f"the run has no populations; must be ({data.shape[0]},)"
    else:
        names = f", {', '.join(sol.model.names)}" if sol.model.names else ""
        rule = f"must be ({data.shape[0]}, {num}), a column for each population{names}"
    wanted = () if num is None else (num,)
    check(data.shape[1:] == wanted, f"{name}: shape {data.shape}: {rule}")


def without_populations(name: str, sol: Solution) -> None:
    """Requires a run that is of no populations."""
    check(
        sol.solver.grid.populations is None,
        f"{name}: are by weight, and populations have no weight axis; use Rate, MeanRate or "
        "SpikeCounts",
    )


def matches_grid(name: str, given: int, weights: int) -> None:
    """Requires as many weights as the grid of the run has."""
    check(given == weights, f"{name}: has {given} weights, the grid of the run has {weights}")


def course_at(ts: Any, saved: Array, values: Array) -> Array:
    """Courses, `(k,)` or `(k, p)`, interpolated linearly in time."""
    if values.ndim == 1:
        return jnp.interp(ts, saved, values)
    return jax.vmap(lambda one: jnp.interp(ts, saved, one), in_axes=1, out_axes=1)(values)


def rows_at(ts: Any, saved: Array, rows: Array) -> Array:
    """Rows interpolated linearly in time."""
    index = jnp.clip(jnp.searchsorted(saved, ts, side="right") - 1, 0, max(saved.shape[0] - 2, 0))
    following = jnp.minimum(index + 1, saved.shape[0] - 1)
    width = saved[following] - saved[index]
    part = jnp.where(width > 0, (ts - saved[index]) / jnp.where(width > 0, width, 1), 0)
    part = jnp.clip(part, 0, 1)[:, None].astype(rows.dtype)
    return (1 - part) * rows[index] + part * rows[following]
