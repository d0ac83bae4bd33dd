r"""Mean and variance of intervals between spikes, by a library's integrator of high order.

With $d = (f + μ)/a$ the mean time per voltage m and the variance per voltage s of the first passage
are $(a m)' = 1 - d\,a m$ and $s' = 2 m^2 - d s$, integrated upwards from where both are stationary.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy.integrate import solve_ivp

import jaxnlif as jn

_DEPTH = 42.0  # e^{-42} is nothing


class Neuron(NamedTuple):
    """A neuron with constant input."""

    membrane: jn.AbstractMembrane
    drift: Callable[[float], float]
    drive: float
    noise: float
    threshold: float = 2.0
    reset: float = 1.0

    @property
    def name(self) -> str:
        """For messages."""
        return f"{type(self.membrane).__name__},I={self.drive:g},a={self.noise:g}"


def neuron(kind: str, drive: float, noise: float) -> Neuron:
    """One of the membranes of the package, its drift written out once more."""
    membrane, drift = {
        "leaky": (jn.Leaky(), lambda v: -v),
        "exponential": (jn.Exponential(), lambda v: -v + 0.2 * np.exp((v - 1) / 0.2)),
        "quadratic": (jn.Quadratic(), lambda v: v * v),
        "perfect": (jn.Perfect(), lambda v: 0.0),
    }[kind]
    return Neuron(membrane, drift, drive, noise)


def interval(cell: Neuron) -> tuple[float, float]:
    """Mean (membrane time) and coefficient of variation of its intervals."""
    gap = cell.threshold - cell.reset
    if isinstance(cell.membrane, jn.Perfect):  # inverse Gaussian
        return gap / cell.drive, float(np.sqrt(2 * cell.noise / (cell.drive * gap)))
    a = cell.noise

    def d(v: float) -> float:
        return (cell.drift(v) + cell.drive) / a

    def slopes(v: float, y: np.ndarray) -> list[float]:
        return [1 - d(v) * y[0], 2 * (y[0] / a) ** 2 - d(v) * y[1], y[0] / a, y[1]]

    def jacobian(v: float, y: np.ndarray) -> np.ndarray:
        return np.array(
            [[-d(v), 0, 0, 0], [4 * y[0] / a**2, -d(v), 0, 0], [1 / a, 0, 0, 0], [0, 1, 0, 0]]
        )

    low = _lowest(d, cell.reset, gap * min(1.0, 5 * np.sqrt(a)) / 2000)
    y = np.array([1 / d(low), 2 / (a * a * d(low) ** 3), 0.0, 0.0])
    for begin, end in ((low, cell.reset), (cell.reset, cell.threshold)):
        y[2:] = 0
        small = [1e-60, 1e-60, gap * y[0] / a * 1e-11, gap * y[1] * 1e-11]
        path = solve_ivp(
            slopes, (begin, end), y, method="Radau", rtol=1e-9, atol=small, jac=jacobian
        )
        y = path.y[:, -1]
    return float(y[2]), float(np.sqrt(y[3]) / y[2])


def _lowest(d: Callable[[float], float], reset: float, step: float) -> float:
    """A potential that is hardly ever reached from above."""
    v, well, least = reset, 0.0, 0.0
    while not (well - least > _DEPTH and d(v) > 0):
        well += d(v - step / 2) * step
        least, v = min(least, well), v - step
    return v
