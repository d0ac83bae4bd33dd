"""Generated spikes in the shape of those of spoken digits."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int

from ..._check import check_integer
from .events import EventData, event_data

TONES, HARMONICS = 3, 3
VARIANTS = 4
"""Classes that go through the same positions: from one of two points on, in one of two ways."""

SPIKES, NOISE = 2000.0, 300.0
KEPT = (0.5, 1.0)
CENTRES, SWING = (0.2, 0.8), 0.2
SPREAD, JITTER = 0.02, 0.01
SHIFT, DEVIATION = 0.05, 0.06
LENGTH, WARP = (0.5, 0.9), 0.45
DURATION = 1.0

_BLOCK = 250  # samples that are made at once


def moving_tones(
    num: int, *, seed: int, task: int = 0, channels: int = 700, classes: int = 20
) -> EventData:
    r"""Tones that move over the channels: a stand-in for the Spiking Heidelberg Digits.

    Numbers of spikes do not tell the four classes of a group apart, as those of all channels have
    the same joint distribution: what sees no more is right for one sample in four at best. Only
    the order in time tells more.

    *Classes.* Group $g$ of classes $4g, …, 4g + 3$ has three closed paths $x_i(φ)$ over the
    channels: a centre that is uniform in (0.2, 0.8), and three harmonics of φ whose coefficients
    are normal with standard deviation $0.2 / h$ for harmonic $h$, in units of all channels;
    positions beyond the ends are reflected. A sample goes once around: at the fraction v of its way
    $φ = v$, $v + ½$, $-v$ or $½ - v$, by its class.

    *Samples.* Labels are uniformly distributed. All paths of a sample are shifted by a normal
    number of standard deviation 0.05, and the coefficients of harmonic h deviate by normal ones of
    $0.06 / h$. A sample lasts from 0.5 to 0.9 seconds, uniformly distributed, and begins at a time
    uniformly distributed between 0.01 and what lets it end before 0.99. Its way is warped in time,
    $t ∝ v + b_1 \sin(πv)/π + b_2 \sin(2πv)/2π$ with $b_k$ uniform in ±0.45.

    *Spikes.* Of 2000 spikes in the mean of a Poisson number, a sample drops each with a probability
    that is uniform from 0 to ½ for the sample. Each has a uniform v and one of the three tones, its
    channel is normal about $x_i$ with standard deviation 0.02, and its time is moved uniformly by
    up to 10 ms. Noise is a Poisson number of mean 300, uniform over channels and the second.

    **Arguments:** `num`: of samples; `seed`: of the samples; `task`: seed of the paths, so that
    equal ones make training and test data of the same classes; `channels`, `classes`: how many.

    **Returns:** spikes at times in [0, 1) (seconds).

    **Raises:** `ValueError` unless `num`, `channels` and `classes` are positive integers, and
    `seed` and `task` integers that are not negative.

    **Reference:** jaxnlif's own; the data sets in whose place it stands are those of B. Cramer et
    al., arXiv 1910.07407.
    """
    num = check_integer("num", num, at_least=1)
    channels = check_integer("channels", channels, at_least=1)
    classes = check_integer("classes", classes, at_least=1)
    seed, task = check_integer("seed", seed, at_least=0), check_integer("task", task, at_least=0)
    paths = _paths(np.random.default_rng([task, 0]), -(-classes // VARIANTS))
    rng = np.random.default_rng([seed, 1])
    labels = rng.integers(classes, size=num)
    blocks = [_samples(rng, labels[k : k + _BLOCK], paths, channels) for k in range(0, num, _BLOCK)]
    times, units, lengths = (np.concatenate(x) for x in zip(*blocks, strict=True))
    return event_data(
        "moving_tones", times, units, lengths, labels, channels=channels, classes=classes
    )


def _paths(rng: np.random.Generator, groups: int) -> Float[np.ndarray, "groups tones c"]:
    """Coefficients of closed paths: a centre, then cosines and sines of the harmonics."""
    centres = rng.uniform(*CENTRES, (groups, TONES, 1))
    return np.concatenate([centres, _harmonics(rng, groups, SWING)], axis=-1)


def _harmonics(rng: np.random.Generator, num: int, size: float) -> Float[np.ndarray, "num tones c"]:
    """Normal coefficients whose standard deviation falls with the number of the harmonic."""
    normal = rng.normal(size=(num, TONES, 2, HARMONICS))
    return (size * normal / np.arange(1, HARMONICS + 1)).reshape(num, TONES, -1)


def _samples(
    rng: np.random.Generator,
    labels: Int[np.ndarray, " n"],
    paths: Float[np.ndarray, "groups tones c"],
    channels: int,
) -> tuple[Float[np.ndarray, " s"], Int[np.ndarray, " s"], Int[np.ndarray, " n"]]:
    """Times, channels, and numbers of spikes of some samples."""
    n = len(labels)
    group, variant = np.divmod(labels, VARIANTS)
    own = paths[group]
    own[:, :, 1:] += _harmonics(rng, n, DEVIATION)
    own[:, :, 0] += SHIFT * rng.normal(size=(n, 1))
    start, way = 0.5 * (variant % 2), np.where(variant < 2, 1, -1)
    length = rng.uniform(*LENGTH, n)
    begin = rng.uniform(JITTER, DURATION - JITTER - length)
    warp = rng.uniform(-WARP, WARP, (2, n)) / (np.pi * np.array([[1], [2]]))
    num_tone = rng.poisson(SPIKES * rng.uniform(*KEPT, n))
    num_noise = rng.poisson(NOISE, n)

    sample = np.repeat(np.arange(n), num_tone)
    v = rng.uniform(size=sample.size)
    place = _position(
        own[sample, rng.integers(TONES, size=sample.size)], start[sample] + way[sample] * v
    )
    place += SPREAD * rng.normal(size=sample.size)
    warped = v + sum(warp[k, sample] * np.sin((k + 1) * np.pi * v) for k in range(2))
    times = begin[sample] + length[sample] * warped
    times += rng.uniform(-JITTER, JITTER, sample.size)

    noisy = np.repeat(np.arange(n), num_noise)
    sample = np.concatenate([sample, noisy])
    times = np.concatenate([times, rng.uniform(0, DURATION, noisy.size)])
    place = np.concatenate([place, rng.uniform(size=noisy.size)])
    order = np.lexsort((times, sample))
    units = np.minimum((channels * _reflected(place[order])).astype(np.int64), channels - 1)
    before = np.nextafter(np.float32(DURATION), np.float32(0))
    return np.clip(times[order].astype(np.float32), 0, before), units, num_tone + num_noise


def _position(
    coefficients: Float[np.ndarray, "s c"], phase: Float[np.ndarray, " s"]
) -> Float[np.ndarray, " s"]:
    """Where closed paths are, in units of all channels."""
    angle = 2 * np.pi * phase[:, None] * np.arange(1, HARMONICS + 1)
    waves = np.concatenate([np.cos(angle), np.sin(angle)], axis=1)
    return coefficients[:, 0] + np.einsum("sc,sc->s", coefficients[:, 1:], waves)


def _reflected(place: Float[np.ndarray, " s"]) -> Float[np.ndarray, " s"]:
    """Positions beyond 0 and 1, reflected there."""
    return 1 - np.abs(1 - np.abs(place) % 2)
