r"""Power spectra and autocorrelations of rates, whichever solver they come from.

Both take times and rates: `sol.ts` and `sol.rate`, which is the rate at these times, or the mean
rates between them,

    ts, rate = sol.ts[1:], jnp.diff(sol.spikes) / jnp.diff(sol.ts)

which for particles counts every spike. Density solvers give expected rates, also those with
`neurons`, whose rate answers the noise but does not contain it. Everything is differentiable, and
`jax.vmap` takes the solutions of several runs, over which means can be taken.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ._check import check, check_finite, check_integer, equally_spaced, is_concrete
from .model._leaf import as_leaf

_MOST_IN_SEGMENT = 256


class Spectrum(NamedTuple):
    """Frequencies (1 / time) and the power at each (rate² × time), both `(f,)`."""

    frequency: Float[Array, " f"]
    power: Float[Array, " f"]


class Correlation(NamedTuple):
    """Lags (time) and the correlation at each, both `(l,)`."""

    lag: Float[Array, " l"]
    value: Float[Array, " l"]


def hann(num: int) -> Float[np.ndarray, " {num}"]:
    """The periodic Hann window."""
    return 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(num) / num)


def remove_mean(x: Float[Array, "*s n"]) -> Float[Array, "*s n"]:
    """Each segment without its mean."""
    return x - jnp.mean(x, -1, keepdims=True)


def remove_line(x: Float[Array, "*s n"]) -> Float[Array, "*s n"]:
    """Each segment without the straight line that is nearest to it in least squares."""
    line = np.arange(x.shape[-1]) - (x.shape[-1] - 1) / 2
    line = jnp.asarray(line / np.linalg.norm(line), x.dtype)
    return remove_mean(x) - (x @ line)[..., None] * line.reshape((1,) * (x.ndim - 1) + (-1,))


def power_spectrum(
    ts: Any,
    rate: Any,
    *,
    segment: int | None = None,
    window: Callable[[int], Any] = hann,
    detrend: Callable[[Array], Array] | None = remove_mean,
) -> Spectrum:
    r"""The one-sided power spectral density of a rate, by Welch's method.

    The mean over segments, each overlapping the next by half, of

    $$S(f) = \frac{2\,Δt}{\sum_n h_n^2}\,
      \Bigl|\sum_n h_n\,\bigl(N(t_n) - \langle N \rangle\bigr)\,e^{-2πi f t_n}\Bigr|^2,$$

    without the factor 2 at the frequencies 0 and 1 / (2 Δt): the integral of S over the frequencies
    is the variance of the rate. The spikes of M neurons at the rate N that know nothing of each
    other or of their past have $S = 2N/M$ (for ε = 1). Equal to `scipy.signal.welch`.

    **Arguments:**

    - `ts`: equally spaced times, shape `(k,)` (time).
    - `rate`: the rate at or around each, `(k,)` (spikes / neuron / membrane time).
    - `segment`: samples in a segment, which sets the resolution 1 / (segment × Δt); by default 256,
      or all if they are fewer.
    - `window`: h, a function of the number of samples: `hann`, or `jnp.ones` for none.
    - `detrend`: what is done to each segment first: `remove_mean`, `remove_line` or `None`.

    **Raises:** `ValueError` for unequal shapes, times that are not equally spaced, or a segment of
    fewer than 2 or more than k samples.

    **Reference:** P. D. Welch, IEEE Trans. Audio Electroacoust. 15, 70 (1967).
    """
    spacing, rate = _samples(ts, rate)
    num = rate.shape[0]
    segment = min(num, _MOST_IN_SEGMENT) if segment is None else segment
    segment = check_integer("segment", segment, at_least=2)
    check(segment <= num, f"segment = {segment}: must be at most {num}, the number of samples")
    step = segment - segment // 2
    begins = np.arange(0, num - segment + 1, step)
    segments = rate[begins[:, None] + np.arange(segment)[None]]
    if detrend is not None:
        segments = detrend(segments)
    shape = jnp.asarray(window(segment), rate.dtype)
    check(shape.shape == (segment,), f"window: shape {shape.shape}: must be ({segment},)")
    amplitude = jnp.fft.rfft(segments * shape[None])
    power = jnp.mean(jnp.real(amplitude) ** 2 + jnp.imag(amplitude) ** 2, 0)
    sides = np.full(power.shape, 2.0)
    sides[0] = 1
    if segment % 2 == 0:
        sides[-1] = 1
    frequency = jnp.arange(power.shape[0]) / (segment * spacing)
    return Spectrum(frequency, jnp.asarray(sides, rate.dtype) * power * spacing / jnp.sum(shape**2))


def autocovariance(ts: Any, rate: Any, *, lags: int | None = None) -> Correlation:
    r"""How deviations of a rate from its mean go together, $⟨δN(t)\,δN(t + τ)⟩$.

    The mean over all pairs of samples that are so far apart, n - l pairs at the lag l Δt; there are
    few of them at long lags.

    **Arguments:** `ts`: equally spaced times, shape `(k,)` (time); `rate`: the rate at or around
    each, `(k,)` (spikes / neuron / membrane time); `lags`: how many besides 0, by default a quarter
    of the samples.

    **Returns:** lags (time) and values (rate²), shape `(lags + 1,)`.

    **Raises:** `ValueError` for unequal shapes, times that are not equally spaced, or lags that are
    not from 0 to k - 1.
    """
    spacing, rate = _samples(ts, rate)
    num = rate.shape[0]
    lags = check_integer("lags", num // 4 if lags is None else lags, at_least=0)
    check(lags < num, f"lags = {lags}: must be less than {num}, the number of samples")
    amplitude = jnp.fft.rfft(remove_mean(rate), num + lags)  # zeros keep the ends apart
    products = jnp.fft.irfft(jnp.real(amplitude) ** 2 + jnp.imag(amplitude) ** 2, num + lags)
    pairs = num - np.arange(lags + 1)
    lag = jnp.arange(lags + 1) * spacing
    return Correlation(lag, products[: lags + 1] / jnp.asarray(pairs, rate.dtype))


def autocorrelation(ts: Any, rate: Any, *, lags: int | None = None) -> Correlation:
    """The autocovariance relative to the variance: 1 at the lag 0; NaN if the rate never changes.

    **Arguments, raises:** as `autocovariance`.
    """
    lag, value = autocovariance(ts, rate, lags=lags)
    return Correlation(lag, value / value[0])


def _samples(ts: Any, rate: Any) -> tuple[Float[Array, ""], Float[Array, " k"]]:
    """The interval between samples, and the samples."""
    ts, rate = as_leaf("ts", ts), as_leaf("rate", rate)
    check(
        ts.ndim == 1 and ts.shape[0] >= 2,
        f"ts: shape {ts.shape}: must be (k,) with k at least 2; for several runs, use jax.vmap",
    )
    check(rate.shape == ts.shape, f"rate: shape {rate.shape}: must be {ts.shape}, as that of ts")
    for name, value in (("ts", ts), ("rate", rate)):
        check_finite(name, value)
    if is_concrete(ts):
        steps = np.diff(np.asarray(ts))
        check(
            equally_spaced(ts),
            f"ts: intervals from {np.min(steps):g} to {np.max(steps):g}: must be equal, as those "
            "of SaveAt(num) where num - 1 divides the number of steps",
        )
    return ((ts[-1] - ts[0]) / (ts.shape[0] - 1)).astype(rate.dtype), rate
