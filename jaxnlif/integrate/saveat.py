"""When to save, and what."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

import equinox as eqx
import numpy as np
from jaxtyping import Float, Int

from .._check import check, check_finite, check_integer
from .._module import Module
from .solver import Snapshot

_ON_STEP = 1e-6  # of a step: what is nearer to one is rounding


def density(snapshot: Snapshot) -> Any:
    """The default of `SaveAt.fn`: the whole density."""
    return snapshot.density


class Saves(NamedTuple):
    """When a run saves: in the `steps`, each of which ends at or after the time, after a `part` of
    them, which is 1 at their end; the first step is 1, and the beginning of the run the end of 0.
    """

    times: Float[np.ndarray, " k"]
    steps: Int[np.ndarray, " k"]
    parts: Float[np.ndarray, " k"]

    @property
    def between(self) -> bool:
        """Whether a time lies between two steps."""
        return bool(np.any(self.parts < 1))


class SaveAt(Module):
    """Saves at given times, or at a number of equally spaced ones including both ends.

    Rates and weight densities are always saved; `fn` chooses what is saved besides.

    Times need not be those of steps. Between two steps of a density everything is linear in time;
    where neurons fire together or the description changes in between, and of particles, whose rate
    is the mean of a step, it is that of the nearest step. Where steps of second order are divided,
    by `Adaptive` or at jumps of the drive, it is that of a shorter step. Else `Solution.spikes` is
    always linear, so that its differences are mean rates. A `dt` whose steps end at the times saves
    what the solver computes, and costs nothing more.

    **Arguments:** exactly one of the first two, and `fn`.

    - `ts`: increasing times, shape `(k,)` (learning time).
    - `num`: number of times, at least 2.
    - `fn`: maps a `Snapshot` to whatever pytree of arrays should be saved; the density by
      default, `None` for nothing. A statistic in its place lets long runs fit memory.

    **Raises:** `ValueError` unless exactly one of `ts` and `num` is given, times are finite and
    strictly increasing, and `num` is an integer above 1.
    """

    ts: tuple[float, ...] | None = eqx.field(static=True)
    num: int | None = eqx.field(static=True)
    fn: Callable[[Snapshot], Any] | None = eqx.field(static=True)

    def __init__(self, ts: Any = None, *, num: int | None = None, fn: Any = density):
        check((ts is None) != (num is None), "ts, num: give exactly one of the two")
        if ts is not None:
            check_finite("ts", ts)
            times = np.atleast_1d(np.asarray(ts, dtype=float))
            check(times.ndim == 1 and times.size > 0, "ts: must be a non-empty 1-D array")
            check(bool(np.all(np.diff(times) > 0)), "ts: must be strictly increasing")
            ts = tuple(times.tolist())
        self.ts = ts
        self.num = None if num is None else check_integer("num", num, at_least=2)
        self.fn = fn

    def saves(self, t0: float, t1: float, num_steps: int, dtype: np.dtype) -> Saves:
        """The times, and where they lie among the steps of a run.

        **Arguments:** `t0`, `t1`: first and last time of the run (learning time); `num_steps`: the
        steps between them; `dtype`: that of the run.

        **Raises:** `ValueError` if a time lies outside the run, or two are equal in this dtype.
        """
        return _saves(self.ts, self.num, t0, t1, num_steps, np.dtype(dtype))


@lru_cache(maxsize=32)
def _saves(
    ts: tuple[float, ...] | None,
    num: int | None,
    t0: float,
    t1: float,
    num_steps: int,
    dtype: np.dtype,
) -> Saves:
    times = np.linspace(t0, t1, num or 0) if ts is None else np.array(ts)
    slack = 1e-9 * (t1 - t0)
    for time in times[(times < t0 - slack) | (times > t1 + slack)][:1]:
        raise ValueError(f"saveat: ts = {time:g} lies outside t0 = {t0:g} … t1 = {t1:g}")
    rounded = times.astype(dtype)
    for time in times[1:][np.diff(rounded) <= 0][:1]:
        raise ValueError(
            f"saveat: ts = {time:.9g} is that before in {dtype}; save fewer, or in float64"
        )
    places = np.clip((times - t0) / (t1 - t0) * num_steps, 0, num_steps)
    whole = np.rint(places)
    on_step = np.abs(places - whole) <= _ON_STEP
    steps = np.where(on_step, whole, np.ceil(places))
    parts = np.where(on_step, 1, places - np.floor(places))
    found = Saves(rounded, steps.astype(np.int64), parts.astype(dtype))
    for array in found:
        array.flags.writeable = False  # they are shared by all runs with these times
    return found
