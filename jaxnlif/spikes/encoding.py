"""Images as spikes: the brighter a pixel, the earlier its spike."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Float, Int, PRNGKeyArray, UInt8

from .._check import check, check_integer, check_positive, check_scalar, is_concrete, shown
from ..model._leaf import as_integers, as_leaf
from .inputs import Volleys
from .span import check_span, check_time


def pixel_bins(
    images: UInt8[Array | np.ndarray, "*batch pixels"], bins: int
) -> Int[Array, "*batch pixels"]:
    """The bin of each pixel: 0 for the brightest, `bins` for the darkest, which stay silent.

    $(255 - x) // (256 // (n + 1))$, as in the reference of this module.

    **Arguments:** `images`: grey levels from 0 to 255; `bins`: n, from 1 to 255, the number of bins
    that spike.
    """
    check_integer("bins", bins, at_least=1)
    check(bins <= 255, f"bins = {bins}: must be at most 255, the number of grey levels less one")
    levels = as_integers("images", images)
    if is_concrete(levels):
        outside = (np.asarray(levels) < 0) | (np.asarray(levels) > 255)
        for level in np.asarray(levels)[outside].flat[:1]:
            raise ValueError(f"images = {level}: grey levels must be from 0 to 255")
    return jnp.minimum((255 - jnp.asarray(levels)) // (256 // (bins + 1)), bins)


def bin_times(bins: int, duration: Float[Array, ""] | float) -> Float[Array, " bins"]:
    r"""Spike times of the bins: those of integrate-and-fire neurons with the currents n, …, 1.

    $T \log(I / (I - 0.01 n))$ for the current I, n the number of bins.

    **Arguments:** `bins`: n; `duration`: T (time). **Returns:** increasing times (time).
    """
    current = jnp.arange(bins, 0, -1.0)
    return -duration * jnp.log1p(-0.01 * bins / current)


def time_to_first_spike(
    images: UInt8[Array | np.ndarray, "*batch pixels"],
    *,
    bins: int = 1,
    duration: ArrayLike = 2.0,
    first: ArrayLike | None = None,
    last: ArrayLike | None = None,
) -> Volleys:
    """Encodes images by the time of one spike per pixel; the darkest pixels are silent.

    **Arguments:**

    - `images`: grey levels from 0 to 255, shape `(…, pixels)`.
    - `bins`: number of spike times; below 100, and with `first` below 256.
    - `duration`: of the trial (time).
    - `first`, `last`: times of the first and of the last bin, between which the others are equally
      spaced (time). A single bin has the time `first`, and no `last`. Without both the times are
      those of the reference, of integrate-and-fire neurons with the currents `bins`, …, 1.

    **Raises:** `ValueError` unless `bins` is an integer in its range, `duration` positive and
    0 ≤ `first` < `last` < `duration`; if one of the two is missing, or `last` is given for one bin.

    **Reference:** C. Klos, R.-M. Memmesheimer, arXiv 2309.14523 (2025).
    """
    bins = check_integer("bins", bins, at_least=1)
    check_scalar("duration", duration)
    check_positive("duration", duration)
    end = as_leaf("duration", duration)
    if first is None and last is None:
        check(
            bins < 100, f"bins = {bins}: must be less than 100, for the last spike to have a time"
        )
        times = bin_times(bins, end)
    else:
        times = _spaced_times(first, last, bins, end)
    return Volleys(times, pixel_bins(images, bins))


def _spaced_times(
    first: Any, last: Any, bins: int, duration: Float[Array, ""]
) -> Float[Array, " bins"]:
    """Equally spaced times of bins from the first to the last, within a trial."""
    if first is None:
        raise ValueError(f"{shown('last', last)}: needs first too, the time of the first bin")
    if bins == 1:
        check(last is None, "last: one bin has the time first; must be None, or bins at least 2")
        early = late = check_time("first", first)
    else:
        check(last is not None, f"last: must be given too, the time of the last of {bins} bins")
        early, late = check_span(first, last)
    name = "first" if last is None else "last"
    check(late < duration, f"{shown(name, late)}: must be less than {shown('duration', duration)}")
    return jnp.linspace(early, late, bins)


def flip(inputs: Volleys, probability: float, *, key: PRNGKeyArray) -> Volleys:
    """Turns each pixel into its negative with a given probability, silent ones included.

    **Arguments:** `inputs`: of `time_to_first_spike`; `probability`: of each pixel; `key`: a random
    key.

    **Raises:** `ValueError` unless `probability` is from 0 to 1.

    **Reference:** C. Klos, R.-M. Memmesheimer, arXiv 2309.14523 (2025).
    """
    check(0 <= probability <= 1, f"probability = {probability}: must be from 0 to 1")
    which = inputs.which
    flipped = jax.random.bernoulli(key, probability, which.shape)
    return Volleys(inputs.times, jnp.where(flipped, inputs.times.shape[0] - which, which))
