r"""Statistics in time: power spectra and autocorrelations of rates, and interspike intervals.

Those of rates take what a run saved, of a density, of particles or of both, and are differentiable
in the rates: `sol.ts` and `sol.rate`, the rate at these times, or `sol.ts[1:]` and
`jnp.diff(sol.spikes) / jnp.diff(sol.ts)`, the mean rate between them, in which every spike of
particles counts. A density, also one with `neurons`, has the expected rate without their noise.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ._check import check, check_integer, equally_spaced, is_concrete
from .density.intervals import Intervals as Intervals
from .density.intervals import intervals as intervals
from .model._leaf import as_leaf


def hann(num: int) -> Float[np.ndarray, " {num}"]:
    """The periodic Hann window, which leaves little of a frequency to others.

    **Arguments:** `num`: samples. **Returns:** their weights, shape `(num,)` (dimensionless).

    **Reference:** F. J. Harris, *Proc. IEEE* 66:51 (1978), eq. 27.
    """
    return 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(num) / num)


def remove_mean(segments: Float[Array, "*s n"]) -> Float[Array, "*s n"]:
    """Each segment without its mean.

    **Arguments:** `segments`: rates, shape `(…, n)` (spikes / neuron / membrane time).

    **Returns:** what is left, of that shape (spikes / neuron / membrane time).
    """
    return segments - jnp.mean(segments, -1, keepdims=True)


def remove_line(segments: Float[Array, "*s n"]) -> Float[Array, "*s n"]:
    """Each segment without the straight line that is nearest to it in least squares.

    **Arguments:** `segments`: rates, shape `(…, n)` with n at least 2 (spikes / neuron / membrane
    time).

    **Returns:** what is left, of that shape (spikes / neuron / membrane time).
    """
    line = np.arange(segments.shape[-1]) - (segments.shape[-1] - 1) / 2
    line = jnp.asarray(line / np.linalg.norm(line), segments.dtype)
    return remove_mean(segments) - (segments @ line)[..., None] * _last(line, segments)


def power_spectrum(
    ts: Float[Array, " k"],
    rate: Float[Array, "*batch k"],
    *,
    segment: int = 256,
    window: Callable[[int], Any] = hann,
    detrend: Callable[[Array], Array] | None = remove_mean,
) -> tuple[Float[Array, " f"], Float[Array, "*batch f"]]:
    r"""The one-sided power spectral density of a rate, averaged over segments (Welch).

    Segments $N_n$ overlap by half, lose their mean, and are weighted by a window $h_n$,

    $$S(f) = \frac{2\,Δt}{\sum_n h_n^2} \Bigl|\sum_n h_n N_n e^{-2πi f n Δt}\Bigr|^2,$$

    without the 2 at the frequencies 0 and 1/(2 Δt). Equal to `scipy.signal.welch`. White noise of
    variance $σ^2$ at a distance Δt has the power $2 σ^2 Δt$; over all frequencies the power adds up
    to the variance. M independent neurons with the rate r have $2 r/M$ at high frequencies and
    $2 r C_V^2/M$ at low ones.

    **Arguments:** `ts`: times at equal distances, shape `(k,)` (membrane time); `rate`: their
    rates, shape `(…, k)` (spikes / neuron / membrane time); `segment`: times in a segment, at most
    k: the more, the finer the frequencies and the larger the scatter; `window`: weights, shape
    `(segment,)` (dimensionless), by their number: `hann`, or `jnp.ones` for none; `detrend`: what
    is done to segments before: `remove_mean`, `remove_line`, or `None`.

    **Returns:** frequencies from 0 to 1/(2 Δt), shape `(f,)` (1 / membrane time), and power, shape
    `(…, f)` (spikes² / neuron² / membrane time).

    **Raises:** `ValueError` if shapes do not match, times are not at equal distances or fewer than
    two, a segment is shorter than 2, or a window has another shape.

    **Reference:** P. D. Welch, *IEEE Trans. Audio Electroacoust.* 15:70 (1967).
    """
    ts, rate, step = _equally_spaced(ts, rate)
    length = min(check_integer("segment", segment, at_least=2), len(ts))
    starts = np.arange(0, len(ts) - length + 1, length - length // 2)
    segments = rate[..., starts[:, None] + np.arange(length)]
    segments = segments if detrend is None else detrend(segments)
    weights = jnp.asarray(window(length), rate.dtype)
    check(weights.shape == (length,), f"window: shape {weights.shape}: must be ({length},)")
    squares = jnp.abs(jnp.fft.rfft(segments * _last(weights, segments), axis=-1)) ** 2
    # Negative frequencies are those of positive ones, but for 0 and the highest of an even number.
    sides = np.full(length // 2 + 1, 2.0)
    sides[0] = 1
    if length % 2 == 0:
        sides[-1] = 1
    density = jnp.mean(squares, -2) * (step / jnp.sum(weights**2))
    density = density * _last(jnp.asarray(sides, rate.dtype), density)
    return jnp.arange(length // 2 + 1, dtype=rate.dtype) / (length * step), density


def autocorrelation(
    ts: Float[Array, " k"], rate: Float[Array, "*batch k"], *, lags: int | None = None
) -> tuple[Float[Array, " n"], Float[Array, "*batch n"]]:
    r"""The autocorrelation of a rate, $C(τ)/C(0)$ with $C(τ) = ⟨δN(t)\,δN(t + τ)⟩$.

    The sum over all pairs of times is divided by the number of all times, which makes longer lags
    smaller but keeps every spectrum of $C$ non-negative.

    **Arguments:** `ts`: times at equal distances, shape `(k,)` (membrane time); `rate`: their
    rates, shape `(…, k)` (spikes / neuron / membrane time); `lags`: how many, by default k.

    **Returns:** lags from 0 on, shape `(n,)` (membrane time), and correlations, shape `(…, n)`
    (dimensionless): 1 at lag 0, and 0 everywhere for a rate that is constant.

    **Raises:** `ValueError` if shapes do not match, times are not at equal distances or fewer than
    two, or `lags` is not from 1 to k.
    """
    ts, rate, step = _equally_spaced(ts, rate)
    k = len(ts)
    number = k if lags is None else check_integer("lags", lags, at_least=1)
    check(number <= k, f"lags = {lags}: must be at most {k}, the number of times")
    deviation = rate - jnp.mean(rate, -1, keepdims=True)
    # With as many zeros behind, so that the end of a rate does not meet its beginning.
    spectrum = jnp.abs(jnp.fft.rfft(deviation, 2 * k, axis=-1)) ** 2
    covariance = jnp.fft.irfft(spectrum, 2 * k, axis=-1)[..., :number]
    variance = covariance[..., :1]
    some = variance > 0
    correlation = jnp.where(some, covariance / jnp.where(some, variance, 1), 0)
    return step * jnp.arange(number, dtype=rate.dtype), correlation


def _last(row: Array, like: Array) -> Array:
    """A row along the last axis of another array."""
    return row.reshape((1,) * (like.ndim - 1) + row.shape)


def _equally_spaced(ts: Any, rate: Any) -> tuple[Array, Array, Array]:
    """Times, rates, and the distance of times."""
    ts, rate = as_leaf("ts", ts), as_leaf("rate", rate)
    check(ts.ndim == 1 and len(ts) >= 2, f"ts: shape {ts.shape}: must be (k,) with k at least 2")
    check(
        rate.ndim >= 1 and rate.shape[-1] == len(ts),
        f"rate: shape {rate.shape}: must end in {len(ts)}, the number of times",
    )
    step = (ts[-1] - ts[0]) / (len(ts) - 1)
    if is_concrete(ts):
        check(
            equally_spaced(ts), "ts: must ascend at equal distances, as those of SaveAt(num=...) do"
        )
    return ts, rate, step.astype(rate.dtype)
