"""What a solution says of times between those that were saved."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Float, Int

from .._check import check_finite, is_concrete
from .interpolate import interpolate, is_smooth
from .log import Log
from .result import Result


class Moment(eqx.Module):
    r"""A `Solution` at times of any shape, which comes first; m weights.

    - `t`: the times (learning time).
    - `rate`: network rate $\bar N(t)$ (spikes / neuron / membrane time).
    - `rates`: $N(w, t)$, `(…, m)` (spikes / neuron / membrane time / weight).
    - `weights`: weight density $H(w, t)$, `(…, m)` (1 / weight).
    - `spikes`: $∫ \bar N\,dt$ since the beginning
      (spikes / neuron × learning time / membrane time).
    - `refractory`: fraction of the neurons that rest after a spike (dimensionless).
    - `regime`: the `Regime`.
    - `saved`: what `SaveAt.fn` saved, densities by default.
    """

    t: Float[Array, "..."]
    rate: Float[Array, "..."]
    rates: Float[Array, "... m"]
    weights: Float[Array, "... m"]
    spikes: Float[Array, "..."]
    refractory: Float[Array, "..."]
    regime: Int[Array, "..."]
    saved: Any


def at(sol: Any, t: ArrayLike | Sequence) -> Moment:
    """A solution at times `t`; one of `vmap` with its axes first. **Raises:** as `Solution`."""
    check_finite("t", t)
    end = jnp.where(sol.result == Result.completed, jnp.inf, sol.t_end)
    first, last = jnp.max(sol.ts[..., 0]), jnp.min(jnp.minimum(sol.ts[..., -1], end))
    t = _within(first, last, jnp.asarray(t, sol.ts.dtype))
    logs = [log for name, log in sol.logs.items() if name != "raster"]
    courses = sol.rate, sol.rates, sol.weights, sol.spikes, sol.refractory, sol.regime, sol.saved
    in_file = any(isinstance(leaf, np.memmap) for leaf in jax.tree.leaves(sol.saved))
    return (_evaluate if in_file else _compiled)(sol.ts, courses, logs, t)


def _within(first: Array, last: Array, t: Array) -> Array:
    """The times, which must lie between the first that was saved and the last that was reached."""
    rule = "must lie within the saved times of the run"
    slack = 4 * jnp.finfo(t.dtype).eps * jnp.maximum(jnp.abs(first), jnp.abs(last))
    wrong = (t < first - slack) | (t > last + slack)
    if not is_concrete(wrong, t):
        return eqx.error_if(t, wrong, f"t: {rule}")
    for time in np.asarray(t)[np.asarray(wrong)][:1]:
        raise ValueError(f"t = {time:g}: {rule}, {float(first):g} … {float(last):g}")
    return t


def _evaluate(ts: Array, courses: Any, logs: list[Log], t: Array) -> Moment:
    """What a solution says at these times, each of which it reached."""
    if ts.ndim > 1:
        return jax.vmap(_evaluate, in_axes=(0, 0, 0, None))(ts, courses, logs, t)
    first = jnp.clip(jnp.searchsorted(ts, t, side="right") - 1, 0, max(len(ts) - 2, 0))
    last = jnp.minimum(first + 1, len(ts) - 1)
    width = ts[last] - ts[first]
    part = jnp.clip(jnp.where(width > 0, (t - ts[first]) / jnp.where(width > 0, width, 1), 1), 0, 1)
    before, after = (jax.tree.map(lambda x, k=k: _rows(x, k), courses) for k in (first, last))
    *_, regime, _ = zip(before, after, strict=True)
    smooth = is_smooth(*regime, _interrupted(logs, ts[first], ts[last]))
    rate, rates, weights, _, refractory, regime, saved = interpolate(before, after, part, smooth)
    spikes = interpolate(before[3], after[3], part)
    return Moment(t, rate, rates, weights, spikes, refractory, regime, saved)


_compiled = jax.jit(_evaluate)


def _rows(x: Any, index: Array) -> Array:
    """Some rows; of what lies in a file, those alone."""
    return jnp.asarray(x[np.asarray(index)]) if isinstance(x, np.memmap) else jnp.asarray(x)[index]


def _interrupted(logs: list[Log], begin: Array, end: Array) -> Bool[Array, "..."]:
    """Whether something was recorded after `begin`, and no later than `end`."""
    found = jnp.zeros(begin.shape, bool)
    for log in logs:
        time, written = log.rows.time[:-1], jnp.arange(log.capacity) < log.count
        time, written = (x.reshape((1,) * begin.ndim + x.shape) for x in (time, written))
        inside = (time > begin[..., None]) & (time <= end[..., None])
        found |= jnp.any(inside & written, -1)
    return found
