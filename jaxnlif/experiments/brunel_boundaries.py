"""Boundaries of the phase diagram of Brunel's network, from its eigenvalues.

A boundary is a curve of Hopf points in the plane of g and η, or of folds. It is followed point by
point: a step along its tangent, then the point on the line across, by `stability.hopf` or `fold`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ..density import stability
from ..grid import VoltageGrid
from .brunel_network import ETA_MAX, G_MAX, LOWEST, RESET, THRESHOLD, UNITS, folded

_SIZE = np.array([G_MAX, ETA_MAX])
_STEP, _SMALLEST = 0.02, 1e-5
"""Distances of points, in units of the diagram."""
_MOST = 400
_BEND = 0.3
"""The least cosine between successive tangents."""
_SLOWEST = 0.6
"""The angular frequency at which curves of Hopf points end (1 / membrane time): 5 Hz."""
_NODES = 480
_GRID = VoltageGrid(LOWEST, THRESHOLD, reset=RESET, num=_NODES)

_ANY = 10.0
"""In place of a frequency, which folds have not (Hz)."""


class Start(NamedTuple):
    """A point near a boundary: its kind, g and η, the rate and the frequency there (Hz), and the
    tangent of the curve in units of the diagram."""

    kind: str
    g: float
    eta: float
    rate: float
    frequency: float
    tangent: tuple[float, float]


STARTS = {
    "regular": Start("hopf", 3.27, 2.0, 281.0, 646.0, (0.0, 1.0)),
    "fast": Start("hopf", 6.0, 3.255, 44.0, 176.0, (1.0, -4.5)),
    "slow": Start("hopf", 4.5, 0.9126, 7.4, 31.8, (1.0, 0.0)),
    "slow_below": Start("hopf", 5.0, 0.8523, 1.02, 12.1, (1.0, 0.0)),
    "fold": Start("fold", 3.5, 0.65, 46.0, _ANY, (-0.3, -1.0)),
    "fold_silent": Start("fold", 3.0, 0.8365, 0.345, _ANY, (1.0, 0.0)),
}
"""Where the boundaries begin: that of regular synchrony, of fast and of slow oscillations, the
latter from above and from below, and the folds between which a network may be silent or active."""


def boundaries() -> dict[str, Float[np.ndarray, "p 4"]]:
    """Each boundary from end to end: g, η, stationary rate and frequency (Hz) of its points."""
    found = {}
    for name, start in STARTS.items():
        scale = np.array([1.0, 1.0, UNITS.rate_Hz(1.0), UNITS.rate_Hz(1.0) / (2 * np.pi)])
        first = np.array([start.g, start.eta, start.rate, start.frequency]) / scale
        ahead, back = (
            _followed(_CORRECTED[start.kind], first, sign * np.asarray(start.tangent))
            for sign in (1, -1)
        )
        found[name] = np.concatenate([back[:0:-1], ahead]) * scale
        if start.kind == "fold":
            found[name][:, 3] = 0.0
    return found


@jax.jit
def _hopf(point: Array, across: Array, others: Array) -> Array:
    def path(s: Array) -> Any:
        return folded(*(point + s * across))

    found = stability.hopf(path, _GRID, 0.0, others[:1], others[1], throw=False)
    return jnp.concatenate([point + found.value * across, found.rates, found.frequency[None]])


@jax.jit
def _fold(point: Array, across: Array, others: Array) -> Array:
    def path(s: Array) -> Any:
        return folded(*(point + s * across))

    found = stability.fold(path, _GRID, 0.0, others[:1], throw=False)
    return jnp.concatenate([point + found.value * across, found.rates, others[1:]])


_CORRECTED: dict[str, Callable[..., Array]] = {"hopf": _hopf, "fold": _fold}


def _followed(
    corrected: Callable[..., Array], first: np.ndarray, tangent: np.ndarray
) -> Float[np.ndarray, "p 4"]:
    """The points from the first one on, until the curve leaves the diagram or turns back."""

    def at(point: np.ndarray, tangent: np.ndarray, others: np.ndarray) -> np.ndarray:
        across = _SIZE * [-tangent[1], tangent[0]]
        return np.asarray(corrected(*map(jnp.asarray, (point, across, others))))

    tangent = begin = tangent / np.linalg.norm(tangent)
    points = [at(first[:2], tangent, first[2:])]
    growth, step = np.zeros(2), _STEP
    while len(points) < _MOST and step > _SMALLEST and _inside(points[-1]):
        last = points[-1]
        others = last[2:] * np.exp(step * growth)
        new = at(last[:2] + step * _SIZE * tangent, tangent, others)
        moved = (new - last)[:2] / _SIZE
        length = float(np.linalg.norm(moved))
        there = np.all(np.isfinite(new)) and new[2] > 0 and new[3] > _SLOWEST
        if there and moved @ tangent > _BEND * length and moved @ begin > 0:
            points.append(new)
            tangent = moved / length
            growth = np.log(new[2:] / last[2:]) / length
            step = min(_STEP, 1.5 * step)
        else:
            step /= 2
    return np.array(points)


def _inside(point: np.ndarray) -> bool:
    return bool(np.all((point[:2] >= 0) & (point[:2] <= _SIZE)))
