"""Data that losses hold: checked when they are given, and held against the times of a run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array

from ._check import check, check_finite, check_positive, is_concrete
from .solve.solution import Solution

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


def deviation(std: Any, observed: np.ndarray) -> np.ndarray:
    """Standard deviations, one for all data or one for each."""
    check_positive("std", std)
    std = np.asarray(std, float)
    check(
        std.shape in ((), observed.shape),
        f"std: shape {std.shape} must be () or that of the data, {observed.shape}",
    )
    return std


def covered(name: str, times: Any, sol: Solution) -> None:
    """Requires times between the first and the last that a run saved."""
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


def matches_grid(name: str, given: int, weights: int) -> None:
    """Requires as many weights as the grid of the run has."""
    check(given == weights, f"{name}: has {given} weights, the grid of the run has {weights}")


def rows_at(ts: Any, saved: Array, rows: Array) -> Array:
    """Rows interpolated linearly in time."""
    index = jnp.clip(jnp.searchsorted(saved, ts, side="right") - 1, 0, max(saved.shape[0] - 2, 0))
    following = jnp.minimum(index + 1, saved.shape[0] - 1)
    width = saved[following] - saved[index]
    part = jnp.where(width > 0, (ts - saved[index]) / jnp.where(width > 0, width, 1), 0)
    part = jnp.clip(part, 0, 1)[:, None].astype(rows.dtype)
    return (1 - part) * rows[index] + part * rows[following]
