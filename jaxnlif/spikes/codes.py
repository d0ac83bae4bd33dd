"""Numbers from 0 to 1 as spikes: the larger, the earlier or the more often."""

from __future__ import annotations

import math
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Float, PRNGKeyArray

from .._check import (
    check,
    check_finite,
    check_integer,
    check_key,
    check_plain,
    check_positive,
    check_scalar,
    is_concrete,
)
from ..integrate.result import SolveError
from ..model._leaf import as_leaf
from .inputs import InputSpikes
from .span import check_span

_MOST = 2**30
"""Spikes that there are numbers for, in 32 bits."""


def latency(
    values: Float[ArrayLike, "*batch n"],
    *,
    first: ArrayLike,
    last: ArrayLike,
    silent: ArrayLike | None = 0.0,
) -> Float[Array, "*batch n"]:
    """One spike per input, the earlier the larger its value: at `first` for 1, at `last` for 0.

    $t = x t_{first} + (1 - x) t_{last}$ for the value x. Differentiable.

    **Arguments:** `values`: from 0 to 1, shape `(…, n)` (dimensionless); `first`, `last`: times of
    the spikes of the values 1 and 0 (time); `silent`: the largest value without a spike, `None` if
    all values have one (dimensionless).

    **Returns:** the time of the spike of each input, `inf` for none; shape `(…, n)` (time). Where
    values are traced, those outside of 0 to 1 have the time NaN.

    **Raises:** `ValueError` if a value is not from 0 to 1, or unless 0 ≤ `first` < `last`.
    """
    values = _checked(values)
    first, last = (x.astype(values.dtype) for x in check_span(first, last))
    times = values * first + (1 - values) * last
    if silent is not None:
        check_scalar("silent", silent)
        check_finite("silent", silent)
        times = jnp.where(values > as_leaf("silent", silent), times, jnp.inf)
    return jnp.where(_valid(values), times, jnp.nan)


def rate_coding(
    values: Float[ArrayLike, "*batch n"],
    *,
    max_rate: ArrayLike,
    duration: ArrayLike,
    key: PRNGKeyArray,
    num: int | None = None,
) -> InputSpikes:
    """Poisson spikes of each input, at a rate of its value times `max_rate`.

    Exact: spikes of all inputs at the highest rate are drawn, and each is kept with the probability
    that is the value of its input. Without derivatives.

    **Arguments:**

    - `values`: from 0 to 1, shape `(…, n)` (dimensionless).
    - `max_rate`: of an input whose value is 1 (1 / time).
    - `duration`: spikes come before it (time).
    - `key`: a random key.
    - `num`: room for spikes of each sample; by default for $μ + 8 \\sqrt μ + 32$, where μ is the
      mean number if all values were 1, which more exceed with a probability below 10⁻¹³.

    **Returns:** times ascending along the last axis, `inf` where there are no more (time), and
    sources, 0 there; both of shape `(…, num)`. If there are more spikes than room and something is
    traced, or a traced value is not from 0 to 1, the times of that sample are NaN.

    **Raises:** `ValueError` for values that are not from 0 to 1, for a rate or duration that is not
    positive or is traced, and for a `num` below 1; `SolveError` if there are more than `num`
    spikes.
    """
    values = lax.stop_gradient(_checked(values))
    for name, value in (("max_rate", max_rate), ("duration", duration)):
        check_plain(name, value)
        check_scalar(name, value)
        check_positive(name, value)
    check_key(key)
    rate, end = float(np.asarray(max_rate)), float(np.asarray(duration))
    mean = values.shape[-1] * rate * end
    check(mean < _MOST, f"max_rate = {rate:g}: must give a sample fewer than {_MOST} spikes")
    drawn = math.ceil(mean + 8 * math.sqrt(mean) + 32)
    room = drawn if num is None else check_integer("num", num, at_least=1)
    scale, until = (jnp.asarray(x, values.dtype) for x in (end / mean, end))
    spikes, lost = _poisson(values, scale, until, key, drawn, room)
    if is_concrete(lost):
        _check_room(lost, room)
    return spikes


def _check_room(lost: Bool[Array, "..."], num: int) -> None:
    """**Raises:** `SolveError` if a sample has lost spikes."""
    for k in np.argwhere(np.asarray(lost))[:1]:
        where = f" of sample {', '.join(map(str, k))}" if k.size else ""
        raise SolveError(f"num = {num}: there are more spikes{where} than that; give more room")


@eqx.filter_jit
def _poisson(
    values: Float[Array, "*batch n"],
    scale: Float[Array, ""],
    end: Float[Array, ""],
    key: PRNGKeyArray,
    drawn: int,
    num: int,
) -> tuple[InputSpikes, Bool[Array, "*batch"]]:
    """Spikes, and which samples lost some; `scale` is the mean interval of those drawn."""
    *batch, n = values.shape
    shape = (*batch, drawn)
    arrive, choose, keep = jax.random.split(key, 3)
    # Sums in another order, as they are made, may fall by their rounding.
    times = jnp.cumsum(jax.random.exponential(arrive, shape, values.dtype), axis=-1)
    times = lax.cummax(times, axis=times.ndim - 1) * scale
    sources = jax.random.randint(choose, shape, 0, n)
    chance = jnp.take_along_axis(values, sources, axis=-1)
    kept = (times < end) & (jax.random.uniform(keep, shape, values.dtype) < chance)
    place = jnp.where(kept, jnp.cumsum(kept, axis=-1) - 1, num)

    def moved(empty: Array, x: Array) -> Array:
        """What is kept to the front."""
        return jnp.put_along_axis(empty, place, x, axis=-1, inplace=False, mode="drop")

    room = (*batch, num)
    lost = (jnp.sum(kept, axis=-1) > num) | (times[..., -1] < end)
    wrong = lost | ~jnp.all(_valid(values), axis=-1)
    ordered = moved(jnp.full(room, jnp.inf, values.dtype), times)
    ordered = jnp.where(wrong[..., None], jnp.nan, ordered)
    return InputSpikes(ordered, moved(jnp.zeros(room, sources.dtype), sources)), lost


def _checked(values: Any) -> Float[Array, "*batch n"]:
    """Values of inputs, looked at where they can be."""
    if is_concrete(values):
        check_finite("values", values)
    numbers = as_leaf("values", values)
    check(
        numbers.ndim >= 1 and numbers.shape[-1] >= 1,
        f"values: shape {numbers.shape}: must be (…, n) for n inputs, at least one",
    )
    if is_concrete(numbers):
        known = np.asarray(numbers)
        for value in known[(known < 0) | (known > 1)].flat[:1]:
            raise ValueError(f"values = {value:g}: must be from 0 to 1")
    return numbers


def _valid(values: Float[Array, "..."]) -> Bool[Array, "..."]:
    return (values >= 0) & (values <= 1)
