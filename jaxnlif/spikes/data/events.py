"""Spikes of many samples, of unequal numbers, in flat arrays."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int, UInt

from ..._check import check
from ...model._leaf import as_integers


class EventData(NamedTuple):
    """Spikes of samples, one sample after the other, and the classes of the samples.

    The spikes of sample k are those from `offsets[k]` to `offsets[k + 1]`, in the order of time.

    - `times`: of the spikes, shape `(s,)` (seconds).
    - `units`: the channel of each spike, from 0; unsigned integers, of 16 bits if those are enough
      for `channels`; shape `(s,)`.
    - `offsets`: where the spikes of a sample begin, and the number of all; shape `(samples + 1,)`.
    - `labels`: classes of the samples, from 0; shape `(samples,)`.
    - `channels`, `classes`: how many there are, also if some do not occur.
    """

    times: Float[np.ndarray, " s"]
    units: UInt[np.ndarray, " s"]
    offsets: Int[np.ndarray, " samples+1"]
    labels: Int[np.ndarray, " samples"]
    channels: int
    classes: int

    @property
    def num_spikes(self) -> Int[np.ndarray, " samples"]:
        """The number of spikes of each sample, shape `(samples,)`."""
        return np.diff(self.offsets)

    def subset(self, samples: Any) -> EventData:
        """Some of the samples, in the order given; their spikes are copied.

        **Arguments:** `samples`: their numbers, from 0.

        **Raises:** `ValueError` if one is no number of a sample.
        """
        chosen = np.asarray(as_integers("samples", samples)).reshape(-1)
        num = len(self.labels)
        for one in chosen[(chosen < 0) | (chosen >= num)][:1]:
            raise ValueError(f"samples = {one}: must be from 0 to {num - 1}")
        lengths = self.num_spikes[chosen]
        offsets = np.append(0, np.cumsum(lengths))
        spikes = np.repeat(self.offsets[chosen] - offsets[:-1], lengths) + np.arange(offsets[-1])
        return self._replace(
            times=self.times[spikes],
            units=self.units[spikes],
            offsets=offsets,
            labels=self.labels[chosen],
        )


def event_data(
    source: str,
    times: Float[np.ndarray, " s"],
    units: Int[np.ndarray, " s"] | UInt[np.ndarray, " s"],
    lengths: Int[np.ndarray, " samples"],
    labels: Int[np.ndarray, " labels"] | UInt[np.ndarray, " labels"],
    *,
    channels: int,
    classes: int,
) -> EventData:
    """Checked data; spikes of a sample that are not in the order of time are sorted.

    **Arguments:** `source`: where they are from, for messages; `times`, `units`, `labels`,
    `channels`, `classes`: as in `EventData`; `lengths`: the number of spikes of each sample.

    **Raises:** `ValueError` for times that are not finite or negative, channels and classes that
    do not exist, and no samples at all.
    """
    check(len(lengths) > 0, f"{source}: must hold at least one sample, not none")
    check(
        len(labels) == len(lengths),
        f"{source}: {len(labels)} labels: must be as many as samples, {len(lengths)}",
    )
    offsets = np.append(0, np.cumsum(lengths))

    def where(k: int) -> str:
        sample = int(np.searchsorted(offsets, k, side="right")) - 1
        return f"at spike {k - offsets[sample]} of sample {sample}"

    for k in np.flatnonzero(~(np.isfinite(times) & (times >= 0)))[:1]:
        raise ValueError(
            f"{source}: time {times[k]:g} {where(k)}: must be a number of seconds that is at least "
            "0"
        )
    for k in np.flatnonzero((units < 0) | (units >= channels))[:1]:
        raise ValueError(
            f"{source}: unit {units[k]} {where(k)}: must be from 0 to {channels - 1}, one of "
            f"{channels} channels"
        )
    for k in np.flatnonzero((labels < 0) | (labels >= classes))[:1]:
        raise ValueError(
            f"{source}: label {labels[k]} of sample {k}: must be from 0 to {classes - 1}, one of "
            f"{classes} classes"
        )
    units = units.astype(np.min_scalar_type(max(channels - 1, 256)))
    times, units = _sorted(times, units, offsets)
    return EventData(times, units, offsets, labels.astype(np.int64), channels, classes)


def _sorted(
    times: Float[np.ndarray, " s"], units: UInt[np.ndarray, " s"], offsets: Int[np.ndarray, " n"]
) -> tuple[Float[np.ndarray, " s"], UInt[np.ndarray, " s"]]:
    """The spikes of each sample in the order of time; equal times keep their order."""
    falls = np.flatnonzero(times[1:] < times[:-1]) + 1
    samples = np.searchsorted(offsets, falls, side="right") - 1
    samples = np.unique(samples[offsets[samples] < falls])
    if samples.size:
        times, units = times.copy(), units.copy()
    for k in samples:
        ours = slice(offsets[k], offsets[k + 1])
        order = np.argsort(times[ours], kind="stable")
        times[ours], units[ours] = times[ours][order], units[ours][order]
    return times, units
