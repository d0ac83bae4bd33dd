"""When to save, and what."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import equinox as eqx
import numpy as np

from .._check import check, check_finite, check_integer
from .._module import Module
from .solver import Snapshot


def density(snapshot: Snapshot) -> Any:
    """The default of `SaveAt.fn`: the whole density."""
    return snapshot.density


class SaveAt(Module):
    """Saves at given times, or at a number of equally spaced ones including both ends.

    Rates and weight densities are always saved; `fn` chooses what is saved besides.

    **Arguments:** exactly one of the first two, and `fn`.

    - `ts`: increasing times, shape `(k,)` (learning time); each is moved to the nearest step, and
      `Solution.ts` holds the times that were really saved.
    - `num`: number of times, at least 2.
    - `fn`: maps a `Snapshot` to whatever pytree of arrays should be saved; the density by
      default, `None` for nothing. A statistic in its place lets long runs fit memory.

    **Raises:** `ValueError` unless exactly one of `ts` and `num` is given, times are finite and
    strictly increasing, and `num` is an integer above 1.
    """

    ts: tuple[float, ...] | None = eqx.field(static=True)
    num: int | None = eqx.field(static=True)
    fn: Callable[[Snapshot], Any] | None = eqx.field(static=True)

    def __init__(self, ts=None, *, num: int | None = None, fn=density):
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

    def steps(self, t0: float, t1: float, num_steps: int) -> np.ndarray:
        """The numbers of the steps to save at, strictly increasing.

        **Arguments:** `t0`, `t1`: first and last time of the run (learning time); `num_steps`: the
        steps between them.

        **Raises:** `ValueError` if a time lies outside the run.
        """
        times = np.linspace(t0, t1, self.num or 0) if self.ts is None else np.array(self.ts)
        slack = 1e-9 * (t1 - t0)
        for time in times[(times < t0 - slack) | (times > t1 + slack)][:1]:
            raise ValueError(f"saveat: ts = {time:g} lies outside t0 = {t0:g} … t1 = {t1:g}")
        return np.unique(np.rint((times - t0) / (t1 - t0) * num_steps).astype(np.int64))
