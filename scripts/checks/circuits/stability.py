"""Eigenvalues, Hopf points, their derivatives, and spectra, on grids that are refined."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from _report import Measured
from references.circuits import BRUNEL_HOPF, BRUNEL_POINTS, brunel, brunel_grid, brunel_pair

import jaxnlif as jn

_NODES_PER_MV = 10
_PER_MS = 2 * np.pi / 1e3
_STEP = 1e-4


def _extrapolated(of: Callable[[jn.VoltageGrid], Any], point: tuple[float, float]) -> Any:
    """From a grid and one twice as fine."""
    first, second = (of(brunel_grid(point, n * _NODES_PER_MV)) for n in (1, 2))
    return (4 * np.asarray(second) - np.asarray(first)) / 3


def eigenvalues() -> Iterator[Measured]:
    """The leading eigenvalues at Brunel's points, and those of two populations for one."""
    for point, (hertz, real, frequency) in BRUNEL_POINTS.items():
        reference = (real + 2j * np.pi * frequency) / 1e3

        def leading(grid: jn.VoltageGrid, point: Any = point, rate: float = hertz / 1e3) -> Any:
            return jn.stability.eigenvalues(brunel(*point), grid, rate, num=1)[0]

        found = complex(_extrapolated(leading, point))
        detail = f"g={point[0]:g},η={point[1]:g},{1e3 * found.real:+.2f}/s,"
        detail += f"{found.imag / _PER_MS:.2f}Hz"
        yield Measured("eigenvalues", abs(found - reference) / abs(reference), detail)
        grid = brunel_grid(point, _NODES_PER_MV)
        one = leading(grid)
        two = jn.stability.eigenvalue(brunel_pair(*point), grid, hertz / 50, 20 * one) / 20
        yield Measured("folded_eigenvalues", float(abs(two - one) / abs(one)), detail)


def hopf() -> Iterator[Measured]:
    """Hopf points of the fast and of the slow oscillation."""
    for g, guess, point in ((6.0, 3.3, (6.0, 4.0)), (4.5, 0.92, (4.5, 0.9))):
        expected, hertz, rate = BRUNEL_HOPF[g]

        def boundary(grid: jn.VoltageGrid, g: float = g, guess: float = guess) -> Any:
            _, hertz, rate = BRUNEL_HOPF[g]
            path = lambda eta: brunel(g, eta)  # noqa: E731
            found = jn.stability.hopf(path, grid, guess, rate / 1e3, hertz * _PER_MS)
            return jnp.stack([found.value, found.frequency / _PER_MS, 1e3 * found.rates[0]])

        found = _extrapolated(boundary, point)
        detail = f"g={g:g},η={found[0]:.5f},{found[1]:.2f}Hz,rate={found[2]:.3f}Hz"
        error = np.max(np.abs(found / [expected, hertz, rate] - 1))
        yield Measured("hopf", float(error), detail)


def derivatives() -> Iterator[Measured]:
    """By g, against central differences."""
    grid = brunel_grid((6.0, 4.0), _NODES_PER_MV)

    def eigenvalue(g: Any) -> Any:
        return jn.stability.eigenvalue(brunel_pair(g, 4.0), grid, 1.116, 1.0 + 24.0j)

    def boundary(g: Any) -> Any:
        path = lambda eta: brunel(g, eta)  # noqa: E731
        return jn.stability.hopf(path, grid, 3.3, 0.0438, 1.107).value

    for name, of in (("eigenvalue", eigenvalue), ("hopf", boundary)):
        at = jax.jit(lambda g, of=of: jax.jvp(of, (g,), (1.0,)))
        low, (_, slope), high = (at(g) for g in (6.0 - _STEP, 6.0, 6.0 + _STEP))
        difference = (high[0] - low[0]) / (2 * _STEP)
        error = float(abs(slope - difference) / abs(difference))
        yield Measured("derivatives", error, f"{name},{complex(slope):.6g}")


def spectrum() -> Iterator[Measured]:
    """M C/r of 1000 inhibited neurons, against the table of renewal theory."""
    model = jn.Network(weight=-0.3, drive=1.730 + 0.3 * 1.208, noise=0.05, delay=0.1)
    grid = jn.VoltageGrid(-1.0, 1.0, reset=0.0, num=800)
    bands = (0.02, 0.2), (0.4, 0.6), (0.8, 1.0), (1.2, 1.5), (3.0, 4.0)
    for (low, high), expected in zip(bands, (0.054, 0.089, 0.292, 0.973, 1.66), strict=True):
        omega = 2 * np.pi * np.linspace(low, high, 200)
        found = jn.stability.spectrum(model, grid, 1.208, 1000, omega)[:, 0, 0].real
        mean = 1000 * float(jnp.mean(found)) / 1.208
        yield Measured("spectrum", abs(mean / expected - 1), f"{low}-{high},{mean:.4f}")
