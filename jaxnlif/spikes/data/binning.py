"""Spikes counted in bins of time."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Float, Int, UInt

from ..._check import check, check_integer, check_plain, check_positive, check_scalar
from .events import EventData

_CELLS = 2**22
"""Counts that are made at once, of 8 bytes each."""


class BinnedEvents(NamedTuple):
    """How many spikes are in each bin of each channel.

    - `counts`: numbers of spikes, shape `(samples, bins, channels)`.
    - `times`: the middle of each bin, shape `(bins,)` (seconds).
    - `late`: how many spikes of each sample are in no bin, as they come after the last one; shape
      `(samples,)`.
    """

    counts: UInt[np.ndarray, "samples bins channels"]
    times: Float[np.ndarray, " bins"]
    late: Int[np.ndarray, " samples"]


def binned(
    events: EventData,
    *,
    bins: int,
    duration: ArrayLike,
    channels: int | None = None,
    dtype: Any = np.uint8,
) -> BinnedEvents:
    """Counts spikes in equal bins of time; `BinnedSpikes(times, counts)` gives them to a network.

    Beside the result it takes some 100 MB; a part of the samples is `events.subset(...)`.

    **Arguments:**

    - `events`: the spikes of samples.
    - `bins`: their number.
    - `duration`: the end of the last bin, which begins at 0 (seconds). Later spikes are in `late`.
    - `channels`: into so many, neighbours are pooled, as equally many as can be; all by default.
    - `dtype`: unsigned integers that hold the largest count.

    **Raises:** `ValueError` if `bins` is no positive integer, `duration` not positive, `channels`
    not from 1 to those of the events, or a count too large for `dtype`.
    """
    bins = check_integer("bins", bins, at_least=1)
    check_plain("duration", duration)
    check_scalar("duration", duration)
    check_positive("duration", duration)
    pools = events.channels if channels is None else check_integer("channels", channels, at_least=1)
    check(
        pools <= events.channels,
        f"channels = {pools}: must be at most those of the events, {events.channels}",
    )
    kind = np.dtype(dtype)
    check(kind.kind == "u", f"dtype = {kind}: must be one of unsigned integers, such as uint16")

    end = float(np.asarray(duration))
    num = len(events.labels)
    counts, late = np.empty((num, bins, pools), kind), np.empty(num, np.int64)
    block = max(1, _CELLS // (bins * pools))
    for begin in range(0, num, block):
        stop = min(begin + block, num)
        found, late[begin:stop] = _counted(events, begin, stop, bins, end, pools)
        most = int(found.max())
        check(
            most <= np.iinfo(kind).max,
            f"dtype = {kind}: a bin has {most} spikes; must be of more bits, or bins shorter",
        )
        counts[begin:stop] = found
    middles = (np.arange(bins) + 0.5) * (end / bins)
    return BinnedEvents(counts, middles.astype(events.times.dtype), late)


def _counted(
    events: EventData, begin: int, stop: int, bins: int, end: float, pools: int
) -> tuple[Int[np.ndarray, "n bins pools"], Int[np.ndarray, " n"]]:
    """Counts of some samples, and how many spikes of each are late."""
    offsets = events.offsets[begin : stop + 1]
    num, ours = stop - begin, slice(offsets[0], offsets[-1])
    times = events.times[ours].astype(float)
    sample = np.repeat(np.arange(num), np.diff(offsets))
    early = times < end
    late = np.bincount(sample[~early], minlength=num)
    bin_ = np.minimum((times[early] * (bins / end)).astype(np.int64), bins - 1)
    pool = events.units[ours][early].astype(np.int64) * pools // events.channels
    cell = (sample[early] * bins + bin_) * pools + pool
    counts = np.bincount(cell, minlength=num * bins * pools)
    return counts.reshape(num, bins, pools), late
