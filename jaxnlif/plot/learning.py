"""What a network learns: its weights, their course in time, and its response."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes

from .._check import check_positive
from ..integrate.solution import Solution
from ..model import Hebbian
from . import lines
from ._data import edges, grid_of, time_label, weight_axis
from .size import BLACK, GREY, HEAT, SCREEN, Size
from .style import RATES, WEIGHT, WEIGHT_DENSITY, colorbar, drawing, finish


def weights(sol: Solution, ax: Axes | None = None, *, size: Size = SCREEN, **line: Any) -> Axes:
    """The weight density $H(w)$ at the first and the last saved time.

    **Arguments:** as for `rate`; `line`: keywords of the line of the last time.

    **Raises:** `ValueError` for an unstructured network, which has one weight, and for no keyword
    of a line.
    """
    w, times, densities = weight_axis(sol), np.asarray(sol.ts), np.asarray(sol.weights)
    keywords = lines.options(line, label=f"$t$ = {times[-1]:.4g}")
    with drawing(ax, size) as ax:
        first = {"color": GREY, "linestyle": "--", "label": lines.once(ax, f"$t$ = {times[0]:.4g}")}
        ax.plot(w, densities[0], **first)
        ax.plot(w, densities[-1], **keywords)
        return finish(ax, WEIGHT, WEIGHT_DENSITY)


def weights_over_time(sol: Solution, ax: Axes | None = None, *, size: Size = SCREEN) -> Axes:
    """The weight density $H(w, t)$ at all saved times, a heat map.

    **Arguments:** as for `rate`.

    **Raises:** `ValueError` for an unstructured network, which has one weight.
    """
    weight_axis(sol)
    w = grid_of(sol).w
    assert w is not None
    faces = np.concatenate([[w.minimum], w.faces, [w.maximum]])
    times, densities = edges(np.asarray(sol.ts)), np.asarray(sol.weights)
    with drawing(ax, size) as ax:
        options = {"cmap": HEAT, "vmin": 0, "rasterized": True}
        image = ax.pcolormesh(times, faces, densities.T, **options)
        colorbar(ax, image, WEIGHT_DENSITY)
        ax.set_xlim(float(sol.ts[0]), float(sol.ts[-1]))
        return finish(ax, time_label(sol), WEIGHT)


def response(sol: Solution, ax: Axes | None = None, *, size: Size = SCREEN, **line: Any) -> Axes:
    r"""The rates $N(w)$ at the last saved time, and the ramp $w/(K\bar N)$ that learning leads to.

    The ramp is drawn for Hebbian learning with one positive gain $K$.

    **Arguments:** as for `rate`.

    **Raises:** `ValueError` for an unstructured network, which has one weight, and for no keyword
    of a line.
    """
    w, keywords = weight_axis(sol), lines.options(line, label="$N(w)$")
    with drawing(ax, size) as ax:
        ax.plot(w, np.asarray(sol.rates)[-1], **keywords)
        learning = sol.model.learning
        if isinstance(learning, Hebbian) and not callable(learning.gain):
            gain, rate = np.asarray(learning.gain), float(sol.rate[-1])
            if gain.ndim == 0 and gain > 0 and rate > 0:
                ramp(ax, float(gain), rate, end=w[-1])
        return finish(ax, WEIGHT, RATES)


def ramp(ax: Axes, gain: float | int, network_rate: float | int, *, end: float | int) -> Axes:
    r"""Adds the closed form of the learned state, $w/(K\bar N)$ up to $A = \bar N\sqrt{2K}$.

    **Arguments:** `ax`: axes to draw into; `gain`: $K$ (weight² × membrane time²); `network_rate`:
    $\bar N$ (spikes / neuron / membrane time); `end`: where the weight axis ends (weight).

    **Raises:** `ValueError` for what is no `Axes`, and unless gain and rate are positive.
    """
    check_positive("gain", gain)
    check_positive("network_rate", network_rate)
    with drawing(ax):
        line = np.array([0.0, min(network_rate * (2 * gain) ** 0.5, end)])
        label = lines.once(ax, r"ramp $w / (K \bar N)$")
        slope = 1 / (gain * network_rate)
        ax.plot(line, slope * line, color=BLACK, linestyle=":", zorder=3, label=label)
    return ax
