"""Images as spikes: the brighter a pixel, the earlier its spike."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PRNGKeyArray, UInt8

from .._check import check, check_integer, check_positive, check_scalar, is_concrete
from ..model._leaf import as_integers, as_leaf
from .inputs import Volleys


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
    images: UInt8[Array | np.ndarray, "*batch pixels"], *, bins: int = 1, duration: float = 2.0
) -> Volleys:
    """Encodes images by the time of one spike per pixel; the darkest pixels are silent.

    **Arguments:** `images`: grey levels from 0 to 255, shape `(…, pixels)`; `bins`: number of
    spike times, below 100; `duration`: of the trial (time).

    **Raises:** `ValueError` unless `bins` is an integer from 1 to 99 and `duration` positive.

    **Reference:** C. Klos, R.-M. Memmesheimer, arXiv 2309.14523 (2025).
    """
    bins = check_integer("bins", bins, at_least=1)
    check(bins < 100, f"bins = {bins}: must be less than 100, for the last spike to have a time")
    check_scalar("duration", duration)
    check_positive("duration", duration)
    return Volleys(bin_times(bins, as_leaf("duration", duration)), pixel_bins(images, bins))


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
