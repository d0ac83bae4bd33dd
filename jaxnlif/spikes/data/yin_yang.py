"""The Yin-Yang data set: points of a disc, in three classes that no line separates."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int

from ..._check import check_integer

_LARGE, _DOT = 0.5, 0.1


def yin_yang(num: int, *, seed: int) -> tuple[Float[np.ndarray, "num 4"], Int[np.ndarray, " num"]]:
    r"""Points $(x, y, 1-x, 1-y)$ of the yin-yang sign and their classes.

    The sign fills the disc of radius ½ about (½, ½). Classes are yin (0), yang (1) and the two dots
    (2), equally likely; within its class a point is uniformly distributed.

    **Arguments:** `num`: number of points; `seed`: of the points.

    **Returns:** coordinates in [0, 1], shape `(num, 4)` (dimensionless), and classes, `(num,)`.

    **Raises:** `ValueError` unless `num` is a positive integer.

    **Reference:** L. Kriener, J. Göltz, M. A. Petrovici, The Yin-Yang dataset, NICE 2022,
    arXiv 2102.08211.
    """
    check_integer("num", num, at_least=1)
    generator = np.random.default_rng(seed)
    wanted = generator.integers(3, size=num)
    points = np.empty((num, 2))
    left = np.arange(num)
    while left.size:
        drawn = generator.uniform(size=(left.size, 2))
        hit = _classify(drawn) == wanted[left]
        points[left[hit]] = drawn[hit]
        left = left[~hit]
    return np.concatenate([points, 1 - points], axis=1), wanted


def _classify(points: np.ndarray) -> np.ndarray:
    """The class of each point, -1 beyond the disc."""
    x, y = points.T - _LARGE
    to_right, to_left = np.hypot(x - _LARGE / 2, y), np.hypot(x + _LARGE / 2, y)
    dots = np.minimum(to_right, to_left) < _DOT
    yin = (to_left <= _LARGE / 2) | ((to_right > _LARGE / 2) & (y > 0))
    classes = np.where(dots, 2, np.where(yin, 0, 1))
    return np.where(np.hypot(x, y) <= _LARGE, classes, -1)
