"""Recordings of a network, rates or spike times, from files in their own unit of time."""

from __future__ import annotations

import os
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from .. import losses
from .._check import check, check_integer, check_positive
from ..io._rows import is_array, number, rows

_HEADERS = ("t,rate", "t", "t,neuron")
_RULE = "must be the header 't,rate' (times and rates), 't' or 't,neuron' (spike times)"
_BINS_PER_MEMBRANE_TIME = 10
_MOST_BINS = 100_000
_HIGHEST_RATE = 1e12
_ON_EDGE = 1e-6  # how far from an edge, in bins, a spike is on it: decimals are rounded


class Rates(NamedTuple):
    """Rates, spikes per neuron in the file's unit of time, at increasing times, both `(k,)`."""

    ts: Float[np.ndarray, " k"]
    rate: Float[np.ndarray, " k"]


class Spikes(NamedTuple):
    """The times `(k,)` of all spikes, in order, and of how many neurons, where that is known."""

    ts: Float[np.ndarray, " k"]
    neurons: int | None


class Observed(NamedTuple):
    """What a run is held against, in membrane times.

    - `ts`, `rate`: times `(k,)`, in the middle of bins, and the rates observed there.
    - `std`: the standard deviations of the rates, or `None` where they are unknown.
    - `t1`: how long a run has to be.
    - `loss`: a loss of `jn.losses`.
    - `what`: the same in words.
    """

    ts: Float[np.ndarray, " k"]
    rate: Float[np.ndarray, " k"]
    std: Float[np.ndarray, " k"] | None
    t1: float
    loss: losses.Rate | losses.MeanRate
    what: str


# ---- from a file to a recording --------------------------------------------------------------


def read_recording(path: str | os.PathLike) -> Rates | Spikes:
    """The recording in a CSV file, whose header tells what it holds: `t,rate`, `t` or `t,neuron`.

    Text after `#` and blank lines are skipped. An array in a `.npy` file holds times and rates,
    `(k, 2)`, or spike times, `(k,)`. Times count from the beginning of a run, 0.

    **Raises:** `ValueError` that names the file, the place in it, the value and the rule.
    """
    table = list(rows(path))
    if is_array(path):
        fields = ["t", "rate"] if table and len(table[0][1]) == 2 else ["t"]
    else:
        check(len(table) > 0, f"{path}: is empty; its first line {_RULE}")
        (place, fields), *table = table
        given = ",".join(fields)
        check(given.lower() in _HEADERS, f"{path}, {place}: {given!r} {_RULE}")
    header = ",".join(fields).lower()
    for place, row in table:
        check(
            len(row) == len(fields),
            f"{path}, {place}: {','.join(row)!r} has {len(row)} columns; "
            f"a row must have {len(fields)}, {header}",
        )
    places = [place for place, _ in table]
    ts, *others = (
        [number(path, place, row[column]) for place, row in table] for column in range(len(fields))
    )
    _check_times(path, places, ts, strictly=header == "t,rate")
    if header == "t,rate":
        _check_rates(path, places, others[0])
        return Rates(np.array(ts), np.array(others[0]))
    check(len(ts) > 0, f"{path}: holds no spike; there must be at least one")
    if header == "t":
        return Spikes(np.array(ts), None)
    for place, neuron in zip(places, others[0], strict=True):
        check(neuron.is_integer(), f"{path}, {place}: neuron {neuron:g} must be an integer")
    return Spikes(np.array(ts), len(set(others[0])))


def _check_times(path, places: list[str], ts: list[float], *, strictly: bool) -> None:
    for place, t in zip(places, ts, strict=True):
        check(
            t >= 0,
            f"{path}, {place}: time {t:g} must not be negative; runs begin at time 0",
        )
    rule = "increase" if strictly else "not decrease"
    for place, (before, t) in zip(places[1:], pairwise(ts), strict=True):
        check(
            before < t or (before == t and not strictly),
            f"{path}, {place}: time {t:g} follows {before:g}; times must {rule}",
        )


def _check_rates(path, places: list[str], rates: list[float]) -> None:
    check(len(rates) >= 2, f"{path}: {len(rates)} rows of numbers; rates must have at least 2")
    for place, rate in zip(places, rates, strict=True):
        check(rate >= 0, f"{path}, {place}: rate {rate:g} must not be negative")
        check(
            rate <= _HIGHEST_RATE,
            f"{path}, {place}: rate {rate:g} must be at most {_HIGHEST_RATE:g}",
        )
    check(max(rates) > 0, f"{path}: all rates are 0; at least one must be positive")


# ---- from a recording to a loss --------------------------------------------------------------


def observe(
    recording: Rates | Spikes,
    *,
    membrane_time: float = 1.0,
    bin_width: float | None = None,
    neurons: int | None = None,
) -> Observed:
    """A recording in membrane times; spikes as mean rates in bins, with their Poisson noise.

    **Arguments:** `membrane_time`, `bin_width`: in the recording's unit of time, the latter by
    default a tenth of the former; `neurons`: how many, for spikes that do not tell.

    **Raises:** `ValueError` for wrong numbers, too few or too many, which it calls by the names of
    the options.
    """
    check_positive("--membrane-time", membrane_time)
    if isinstance(recording, Rates):
        for option, given in (("--bin", bin_width), ("--neurons", neurons)):
            check(given is None, f"{option}: is for spike times, but the file holds rates")
        return _observe_rates(recording, membrane_time)
    if bin_width is None:
        bin_width = membrane_time / _BINS_PER_MEMBRANE_TIME
    check_positive("--bin", bin_width)
    return _observe_spikes(
        recording.ts / membrane_time, _count(recording, neurons), bin_width / membrane_time
    )


def _observe_rates(recording: Rates, membrane_time: float) -> Observed:
    ts, rate = recording.ts / membrane_time, recording.rate * membrane_time
    # The noise is unknown, so that the fit estimates it; this scale makes residuals of order one.
    scale = float(np.sqrt(np.mean(rate**2)))
    what = f"{ts.size} rates"
    return Observed(ts, rate, None, float(ts[-1]), losses.Rate(ts, rate, std=scale), what)


def _observe_spikes(ts: Float[np.ndarray, " k"], neurons: int, width: float) -> Observed:
    """Counts in the bins that the recording fills: the one that the last spike cuts off is not."""
    places = np.floor(ts / width + _ON_EDGE)
    check(
        2 <= float(places[-1]) <= _MOST_BINS,
        f"--bin: the last spike, {ts[-1]:g} membrane times from the beginning, must come after at "
        f"least two and at most {_MOST_BINS} bins of {width:g}",
    )
    bins = int(places[-1])
    edges = width * np.arange(bins + 1)
    counts = np.bincount(places[places < bins].astype(int), minlength=bins)
    check(bool(np.any(counts)), "--bin: there must be a spike in a bin before that of the last one")
    per_spike = 1 / (neurons * width)
    rate = counts * per_spike
    std = np.sqrt(np.maximum(counts, 1)) * per_spike
    return Observed(
        ts=(edges[1:] + edges[:-1]) / 2,
        rate=rate,
        std=std,
        t1=float(edges[-1]),
        loss=losses.MeanRate(edges, rate, std=std),
        what=f"{counts.sum()} spikes of {neurons} neurons in {bins} bins",
    )


def _count(spikes: Spikes, neurons: int | None) -> int:
    """How many neurons were recorded: silent ones are counted only if they are told."""
    seen = spikes.neurons
    if neurons is None:
        check(seen is not None, "--neurons: must be given, because the file does not name neurons")
        assert seen is not None
        return seen
    check_integer("--neurons", neurons, at_least=1)
    check(
        seen is None or neurons >= seen,
        f"--neurons = {neurons}: must be at least {seen}, the neurons that spike in the file",
    )
    return neurons
