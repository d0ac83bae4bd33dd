"""From a recording in its own unit of time to what a run is held against, in membrane times."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from .. import losses
from .._check import check, check_finite, check_integer, check_positive
from .fit_data import Rates, Spikes

TIME_UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60.0}
"""In seconds."""
RATE_UNITS = {"Hz": 1.0, "kHz": 1e3}
"""In spikes per second."""

_BINS_PER_MEMBRANE_TIME = 10
_MOST_BINS = 100_000
_FASTEST = 10.0  # spikes per membrane time: 500 Hz where that is 20 ms
_MEMBRANE_TIMES = (1e-4, 1.0)  # in seconds
_LATE = 5.0  # membrane times in which every network begins to fire, and as many usual intervals
_ON_EDGE = 1e-6


class Terms(NamedTuple):
    """How a recording was made, as options of the command line tell it.

    - `time_unit`, `rate_unit`: names of the units of the file, if they are told.
    - `membrane_time`, `bin`, `begin`, `end`: in the file's unit of time.
    - `neurons`, `trials`: how many.
    """

    membrane_time: float | None = None
    time_unit: str | None = None
    rate_unit: str | None = None
    begin: float | None = None
    end: float | None = None
    bin: float | None = None
    neurons: int | None = None
    trials: int | None = None

    def scale(self) -> float:
        """The membrane time in the unit of the file."""
        if self.membrane_time is None:
            check(
                self.time_unit is None,
                "--membrane-time: must be given with --time-unit, in the same unit",
            )
            return 1.0
        check_positive("--membrane-time", self.membrane_time)
        if self.time_unit is not None:
            shortest, longest = _MEMBRANE_TIMES
            seconds = self.membrane_time * TIME_UNITS[self.time_unit]
            check(
                shortest <= seconds <= longest,
                f"--membrane-time = {self.membrane_time:g} {self.time_unit}: must be that of a "
                f"neuron, from {1e3 * shortest:g} ms to {longest:g} s",
            )
        return float(self.membrane_time)


class Observed(NamedTuple):
    """What a run is held against, in membrane times from the beginning of the recording.

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
    loss: losses.Rate | losses.SpikeCounts
    what: str

    @property
    def shortest(self) -> float | None:
        """The width of the narrowest bin (membrane times), or `None` where there are none."""
        if not isinstance(self.loss, losses.SpikeCounts):
            return None
        return float(np.diff(self.loss.edges).min())


def observe(recording: Rates | Spikes, terms: Terms) -> Observed:
    """A recording in membrane times: rates at times, or counts of spikes in bins.

    **Raises:** `ValueError` for wrong numbers, too few or too many, which it calls by the names of
    the options; for a beginning in doubt; for rates that no neuron has.
    """
    tau = terms.scale()
    for name, value in (("--begin", terms.begin), ("--end", terms.end)):
        if value is not None:
            check_finite(name, value)
    begin = _begin(recording.ts / tau, None if terms.begin is None else terms.begin / tau, tau)
    end = None if terms.end is None else terms.end / tau
    if end is not None:
        check(end > begin, f"--end = {terms.end:g}: must come after {begin * tau:g}, the beginning")
    if isinstance(recording, Rates):
        for option in ("bin", "neurons", "trials"):
            given = getattr(terms, option)
            check(given is None, f"--{option}: is for spike times, but the file holds rates")
        return _observe_rates(recording, tau, tau * _per_time(terms), begin, end)
    check(terms.rate_unit is None, "--rate-unit: is for rates, but the file holds spike times")
    return _observe_spikes(recording, terms, tau, begin, end)


def _begin(ts: Float[np.ndarray, " k"], given: float | None, tau: float) -> float:
    """When the recording began; it is asked for where 0 would make much silence a part of it."""
    if given is not None:
        return given
    first, intervals = float(np.min(ts)), ts.size - 1
    usual = float(np.ptp(ts)) / intervals if intervals else 0.0
    ask = (
        f"--begin: must be given, because the first time in the file is {first * tau:g}, "
        f"{first:g} membrane times from 0: when did the recording begin?"
    )
    check(0 <= first <= _LATE * max(1.0, usual), ask)
    return 0.0


def _per_time(terms: Terms) -> float:
    """The file's unit of rates, in spikes in the file's unit of time."""
    if terms.rate_unit is None:
        return 1.0
    if terms.time_unit is None:
        raise ValueError("--time-unit: must be given with --rate-unit")
    return RATE_UNITS[terms.rate_unit] * TIME_UNITS[terms.time_unit]


def _observe_rates(
    recording: Rates, tau: float, factor: float, begin: float, end: float | None
) -> Observed:
    ts = recording.ts / tau - begin
    last = np.inf if end is None else end - begin
    inside = (ts >= -_ON_EDGE) & (ts <= last + _ON_EDGE)
    check(int(inside.sum()) >= 2, "--begin, --end: must leave at least 2 rates between them")
    ts, rate = np.maximum(ts[inside], 0), recording.rate[inside] * factor
    check(bool(np.any(rate)), "--begin, --end: all rates between them are 0")
    _check_fast(float(rate.mean()), "--membrane-time, --time-unit and --rate-unit")
    # Where the noise is unknown the fit estimates it; this scale makes residuals of order one.
    std = None if recording.std is None else recording.std[inside] * factor
    scale = float(np.sqrt(np.mean(rate**2))) if std is None else std
    loss = losses.Rate(ts, rate, std=scale)
    return Observed(ts, rate, std, float(ts[-1]), loss, f"{ts.size} rates")


def _observe_spikes(
    recording: Spikes, terms: Terms, tau: float, begin: float, end: float | None
) -> Observed:
    neurons = _number("neurons", recording.neurons, terms.neurons, None)
    trials = _number("trials", recording.trials, terms.trials, 1)
    check_positive("--bin", tau if terms.bin is None else terms.bin)
    width = 1 / _BINS_PER_MEMBRANE_TIME if terms.bin is None else terms.bin / tau
    until = float(recording.ts.max()) / tau if end is None else end
    given = "the last spike" if end is None else "the end"
    least = (2 if end is None else 1) * width
    check(
        least * (1 - _ON_EDGE) <= until - begin <= _MOST_BINS * width,
        f"--bin: {given}, {until - begin:g} membrane times from the beginning, must come after at "
        f"least {least / width:g} and at most {_MOST_BINS} bins of {width:g}",
    )
    loss = losses.SpikeCounts.from_times(
        recording.ts / tau, neurons, width=width, begin=begin, end=end, trials=trials
    )
    spikes = int(loss.counts.sum())
    check(spikes > 0, "--begin, --end, --bin: there must be a spike in a bin")
    edges, per_spike = loss.edges, 1 / (loss.number * np.diff(loss.edges))
    _check_fast(spikes / float(loss.number * edges[-1]), "--membrane-time, --neurons and --trials")
    several = f" in {trials} trials" if trials > 1 else ""
    return Observed(
        ts=(edges[1:] + edges[:-1]) / 2,
        rate=loss.counts * per_spike,
        std=np.sqrt(np.maximum(loss.counts, 1)) * per_spike,
        t1=float(edges[-1]),
        loss=loss,
        what=f"{spikes} spikes of {neurons} neurons{several} in {loss.counts.size} bins",
    )


def _check_fast(mean: float, options: str) -> None:
    check(
        mean <= _FASTEST,
        f"{mean:.4g} spikes per neuron and membrane time on average: no neuron fires more than "
        f"{_FASTEST:g}; {options} must be in the units of the file",
    )


def _number(name: str, seen: int | None, given: Any, default: int | None) -> int:
    """How many neurons or trials there were: silent ones are counted only if they are told."""
    if given is None:
        known = default if seen is None else seen
        check(known is not None, f"--{name}: must be given, because the file does not name {name}")
        assert known is not None
        return known
    check_integer(f"--{name}", given, at_least=1)
    check(
        seen is None or given >= seen,
        f"--{name} = {given}: must be at least {seen}, the {name} that spike in the file",
    )
    return given
