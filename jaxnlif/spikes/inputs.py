"""What networks receive: spikes of inputs, one time per input, or many inputs at shared times.

All of them may have leading batch axes. An array of shape `(…, inputs)` is the time of one spike
per input, `inf` for none.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Shaped

from .._check import check, check_finite, check_positive, is_concrete
from .._quantity import brief
from ..model._leaf import as_integers, as_leaf, leaf


class InputSpikes(NamedTuple):
    """Input spikes in the order of time, any number of each input.

    - `times`: ascending along the last axis, `inf` for none, shape `(…, m)` (time).
    - `sources`: the number of the input of each, from 0, shape `(…, m)`, or `(m,)` for all.
    """

    times: Float[Array, "*batch m"]
    sources: Int[Array, "*batch m"]


def _which(which: Any) -> Int[Array, "..."]:
    return jnp.asarray(as_integers("which", which))


class Volleys(eqx.Module):
    """Inputs that spike at most once, at few distinct times, many together.

    A volley acts on a neuron by the sum of its weights, so that it takes one matrix product.

    **Arguments:** `times`: of the volleys, strictly increasing, shape `(e,)` (time); `which`: the
    volley in which an input takes part, any other number if it is silent, shape `(…, inputs)`.

    **Raises:** `ValueError` if the times are a single number, not finite, not increasing or
    negative.
    """

    times: Float[Array, " e"] = eqx.field(converter=leaf("times"))
    which: Int[Array, "*batch n"] = eqx.field(converter=_which)

    def __check_init__(self):
        _check_shared_times(self.times)

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the batch, then the number of inputs."""
        return self.which.shape


def _counts(counts: Any) -> Shaped[Array, "..."]:
    """Numbers of spikes in the type that they are given in, which may be short."""
    if not is_concrete(counts):
        return jnp.asarray(counts)
    kind = getattr(counts, "dtype", None)
    array = as_leaf("counts", counts) if kind is None else counts
    check(
        np.asarray(array).dtype.kind in "buif",
        f"counts: of type {kind}: must be numbers of spikes",
    )
    for wrong in np.argwhere(~(np.asarray(array) >= 0))[:1]:
        raise ValueError(f"counts = {np.asarray(array)[tuple(wrong)]}: must not be negative")
    return jnp.asarray(array)


class BinnedSpikes(eqx.Module):
    """Inputs that spike any number of times, all at the times of a few bins.

    **Arguments:** `times`: of the bins, strictly increasing, shape `(e,)` (time); `counts`: how
    many spikes each input has in each bin, shape `(…, e, inputs)`, of any type of number.

    **Raises:** `ValueError` if the times are a single number, not finite, not increasing or
    negative, or there are not as many as bins.
    """

    times: Float[Array, " e"] = eqx.field(converter=leaf("times"))
    counts: Shaped[Array, "*batch e n"] = eqx.field(converter=_counts)

    def __check_init__(self):
        _check_shared_times(self.times)
        shape = getattr(self.counts, "shape", None)
        if isinstance(self.times, jax.Array) and shape is not None and is_concrete(self.times):
            check(
                len(shape) >= 2 and shape[-2] == self.times.shape[0],
                f"counts: shape {shape}: must be (…, {self.times.shape[0]}, inputs), "
                "one row for each time",
            )

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the batch, then the number of inputs."""
        return (*self.counts.shape[:-2], self.counts.shape[-1])


PRECISION = "highest"
"""Of products of matrices: GPUs round float32 to three digits otherwise."""

Known = Float[Array, "*batch before"] | InputSpikes | Volleys | BinnedSpikes
"""What a network takes, once it has been looked at."""

Shared = Volleys | BinnedSpikes
"""Inputs at times that all samples share."""


def _check_shared_times(times: Any) -> None:
    # Transformations fill modules with anything: only arrays that can be looked at are checked.
    if not isinstance(times, jax.Array) or not is_concrete(times):
        return
    check(np.ndim(times) == 1, f"times: shape {times.shape}: must be a sequence of numbers")
    check_finite("times", times)
    check_positive("times", times, allow_zero=True)
    check(
        bool(np.all(np.diff(np.asarray(times)) > 0)),
        "times: must be strictly increasing, one for each volley or bin",
    )


def sorted_spikes(times: Any, sources: Any) -> InputSpikes:
    """Input spikes in the order of their times; differentiable in the times.

    **Arguments:** `times`: `inf` for none, shape `(…, m)` (time); `sources`: the number of the
    input of each, shape `(…, m)`, or `(m,)` for all.

    **Raises:** `ValueError` if `sources` are no integers, or not as many as `times`.
    """
    given, numbers = as_leaf("times", times), as_integers("sources", sources)
    check(
        given.ndim >= 1 and numbers.shape in (given.shape, given.shape[-1:]),
        f"sources: shape {numbers.shape}: must be {given.shape}, as of times, or (m,)",
    )
    order = jnp.argsort(given, axis=-1)
    numbers = jnp.broadcast_to(jnp.asarray(numbers), given.shape)
    return InputSpikes(
        jnp.take_along_axis(given, order, axis=-1), jnp.take_along_axis(numbers, order, axis=-1)
    )


def stack_spikes(samples: Iterable[Any]) -> InputSpikes:
    """A batch of samples that have different numbers of spikes.

    **Arguments:** `samples`: for each the times of its spikes, in any order, shape `(m,)` (time),
    and the numbers of their inputs, shape `(m,)`.

    **Returns:** spikes in the order of time, shape `(samples, most)`, `inf` where a sample has no
    more.

    **Raises:** `ValueError` if there are none, or the numbers of a sample are no integers or not as
    many as its times.

    **Reference:** jaxnlif's.
    """
    rows = []
    for k, sample in enumerate(samples):
        check(
            isinstance(sample, (tuple, list)) and len(sample) == 2,
            f"samples[{k}] = {brief(sample)}: must be a pair of times and numbers of inputs",
        )
        times = np.asarray(as_leaf(f"samples[{k}]: times", sample[0]))
        sources = np.asarray(as_integers(f"samples[{k}]: sources", sample[1]))
        check(
            times.ndim == 1 and times.shape == sources.shape,
            f"samples[{k}]: times of shape {times.shape} and sources of shape {sources.shape}: "
            "must be one-dimensional and as many",
        )
        order = np.argsort(times, kind="stable")
        rows.append((times[order], sources[order]))
    check(rows, "samples: must not be empty")
    most = max(len(times) for times, _ in rows)
    padded = np.full((len(rows), most), np.inf, np.result_type(*(times for times, _ in rows)))
    numbers = np.zeros((len(rows), most), int)
    for k, (times, sources) in enumerate(rows):
        padded[k, : len(times)], numbers[k, : len(times)] = times, sources
    return InputSpikes(as_leaf("times", padded), jnp.asarray(as_integers("sources", numbers)))


# ---- what a network requires of its inputs -----------------------------------------------------


def as_inputs(inputs: Any, num: int, duration: Any) -> Known:
    """Inputs of a network that has `num` of them, with arrays in JAX's types, at least one time.

    **Raises:** `ValueError` if their number is another, a time is NaN, negative or beyond the
    trial, times do not ascend, or a source is none of the inputs, as far as values are known.
    """
    found = _as_known(inputs, num)
    times = found if isinstance(found, jax.Array) else found.times
    if is_concrete(times, duration):
        values, end = np.asarray(times), float(np.asarray(duration))
        for late in values[np.isfinite(values) & (values > end * (1 + 1e-6))][:1]:
            raise ValueError(
                f"inputs: time {late:g}: must be within the trial, of duration {end:g} "
                "(inf is no spike)"
            )
    if times.shape[-1] > 0:
        return found
    batch = found.shape[:-1] if isinstance(found, Volleys | BinnedSpikes) else times.shape[:-1]
    return InputSpikes(jnp.full((*batch, 1), jnp.inf, times.dtype), jnp.zeros((*batch, 1), int))


def _as_known(inputs: Any, num: int) -> Known:
    if isinstance(inputs, Volleys | BinnedSpikes):
        check(
            inputs.shape[-1] == num,
            f"inputs: {type(inputs).__name__} of {inputs.shape[-1]} inputs: must be {num}, as many "
            "as the network has",
        )
        return inputs
    if isinstance(inputs, InputSpikes):
        return _as_spikes(inputs, num)
    check(
        not isinstance(inputs, tuple),
        f"inputs = {brief(inputs)}: must be an array of times, InputSpikes(times, sources), "
        "Volleys or BinnedSpikes, not a plain tuple",
    )
    times = as_leaf("inputs", inputs)
    check(
        times.ndim >= 1 and times.shape[-1] == num,
        f"inputs: shape {times.shape} must end with {num}, the number of inputs",
    )
    if is_concrete(times):
        values = np.asarray(times)
        check(not np.any(np.isnan(values)), "inputs: spike times must not be NaN (inf is none)")
        check(not np.any(values < 0), "inputs: spike times must not be negative")
    return times


def _as_spikes(inputs: InputSpikes, num: int) -> InputSpikes:
    times = as_leaf("inputs: times", inputs.times)
    sources = as_integers("inputs: sources", inputs.sources)
    check(
        times.ndim >= 1 and sources.shape in (times.shape, times.shape[-1:]),
        f"inputs: times of shape {times.shape} and sources of shape {sources.shape}: must be as "
        "many, along the last axis",
    )
    if is_concrete(times):
        _check_times(np.asarray(times))
    if is_concrete(sources):
        numbers = np.asarray(sources)
        for k in np.argwhere((numbers < 0) | (numbers >= num))[:1]:
            raise ValueError(
                f"inputs: source {numbers[tuple(k)]} at {_place(k)}: must be from 0 to {num - 1}, "
                f"one of {num} inputs"
            )
    return InputSpikes(times, jnp.broadcast_to(jnp.asarray(sources), times.shape))


def _check_times(values: np.ndarray) -> None:
    for k in np.argwhere(np.isnan(values) | (values < 0))[:1]:
        raise ValueError(
            f"inputs: time {values[tuple(k)]:g} at {_place(k)}: must be a number that is at least 0"
        )
    later, sooner = values[..., 1:], values[..., :-1]
    for k in np.argwhere(later < sooner)[:1]:
        raise ValueError(
            f"inputs: time {later[tuple(k)]:g} at {_place([*k[:-1], k[-1] + 1])} after "
            f"{sooner[tuple(k)]:g}: times must ascend (sorted_spikes sorts them)"
        )


def _place(index: Any) -> str:
    return f"[{', '.join(map(str, index))}]"


def are_in_order(inputs: Known, num: int) -> Any:
    """Whether what could not be looked at before is right, for each sample."""
    if isinstance(inputs, InputSpikes):
        times, sources = inputs
        ascend = jnp.all(times >= 0, -1) & jnp.all(times[..., 1:] >= times[..., :-1], -1)
        known = (sources >= 0) & (sources < num)
        return ascend & jnp.all(known | jnp.isinf(times), -1)
    if isinstance(inputs, Volleys | BinnedSpikes):
        increase = jnp.all(inputs.times >= 0) & jnp.all(inputs.times[1:] > inputs.times[:-1])
        return jnp.broadcast_to(increase, inputs.shape[:-1])
    return jnp.all(inputs >= 0, -1)


def batch_of(inputs: Known) -> tuple[int, ...]:
    """The leading axes."""
    if isinstance(inputs, Volleys | BinnedSpikes):
        return inputs.shape[:-1]
    return (inputs.times if isinstance(inputs, InputSpikes) else inputs).shape[:-1]


def volley_kicks(inputs: Shared, weights: Float[Array, "before n"]) -> Float[Array, "e samples n"]:
    """What each volley or bin adds to each neuron in each sample, the samples in one axis."""
    *batch, num = inputs.shape
    samples, dtype = int(np.prod(batch)), weights.dtype
    if isinstance(inputs, Volleys):
        which = inputs.which.reshape(samples, num)
        arrived = [(which == k).astype(dtype) for k in range(inputs.times.shape[0])]
        return jnp.stack([jnp.matmul(x, weights, precision=PRECISION) for x in arrived])
    counts = inputs.counts.reshape(samples, -1, num)
    return jnp.einsum("bei,in->ebn", counts.astype(dtype), weights, precision=PRECISION)
