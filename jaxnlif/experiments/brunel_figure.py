"""The figure of `jaxnlif run brunel`, drawn from the arrays that it saves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from ..plot import BLACK, BLUE, GREEN, GREY, HEAT, ORANGE, RED, SKY, finish, new_figure
from ..plot.style import colorbar
from .brunel_network import ETA_MAX, EXAMPLES, G_MAX, RASTER, SILENT

_Arrays = Mapping[str, np.ndarray]

_G = "inhibition over excitation $g$"
_ETA = r"external rate $\eta = \nu_{\rm ext}/\nu_{\rm thr}$"
_LINES = {
    "regular": (RED, "-", "Hopf: regular synchrony"),
    "fast": (ORANGE, "-", "Hopf: fast oscillation"),
    "slow": (SKY, "-", "Hopf: slow oscillation"),
    "slow_below": (SKY, "-", None),
    "fold": ("white", ":", "folds: silent or active between"),
    "fold_silent": ("white", ":", None),
}
_SHOWN = 20.0, 100.0, 100.0, 400.0
"""How much of the end of each example is shown (ms)."""


def draw(arrays: _Arrays) -> Figure:
    """Two maps over g and η with boundaries, and below them four examples in time."""
    figure = new_figure(15.0, 11.0)
    maps, below = np.ravel(np.asarray(figure.subfigures(2, 1, height_ratios=(1.1, 1.0))))
    rates, rhythms = maps.subplots(1, 2)
    _map(rates, arrays, "mean", "mean rate (Hz)", "a  Mean rate", norm=LogNorm(0.1, 500))
    title = "b  Variation of the population rate"
    label = "standard deviation / mean of the rate"
    _map(rhythms, arrays, "cv", label, title, vmin=0, vmax=1.5)
    place = {"loc": "lower left", "bbox_to_anchor": (0.0, 1.06), "ncols": 4, "fontsize": "small"}
    rates.legend(facecolor="0.8", edgecolor="none", **place)
    panels = below.subplots(2, len(EXAMPLES), sharex="col", height_ratios=(1.0, 0.9))
    for number, (top, bottom) in enumerate(panels.T):
        _rate(top, arrays, number)
        _raster(bottom, arrays, number)
    return figure


def _map(ax: Axes, arrays: _Arrays, name: str, label: str, title: str, **scale: Any) -> None:
    g, eta, values = arrays["g"], arrays["eta"], arrays[name]
    silent = arrays["mean"] <= SILENT
    shown = np.where(silent, np.nan, values)
    ax.set_facecolor("0.8")
    image = ax.pcolormesh(g, eta, shown.T, cmap=HEAT, shading="nearest", rasterized=True, **scale)
    extend = "neither" if name == "mean" else "max"
    colorbar(ax, image, label, extend=extend)
    for boundary, (color, style, words) in _LINES.items():
        points = arrays[f"boundary_{boundary}"]
        ax.plot(points[:, 0], points[:, 1], style, color=color, linewidth=2.2, label=words)
    for letter, example in zip("ABCD", EXAMPLES, strict=True):
        mark = {"color": "white", "markeredgecolor": BLACK, "markersize": 7, "clip_on": False}
        ax.plot(example.g, example.eta, "o", **mark)
        ax.annotate(
            letter,
            (example.g, example.eta),
            (7, -13 if example.eta == ETA_MAX else 5),
            textcoords="offset points",
            color=BLACK,
            fontweight="bold",
            bbox={"facecolor": "white", "alpha": 0.8, "linewidth": 0, "pad": 1.2},
        )
    ax.text(7.9, 0.08, "silent", ha="right", va="bottom", color=BLACK)
    ax.set(xlim=(0, G_MAX), ylim=(0, ETA_MAX))
    finish(ax, _G, _ETA, title).legend_ = None


def _rate(ax: Axes, arrays: _Arrays, number: int) -> None:
    """The rate of the density, and that of particles where there are any."""
    example = EXAMPLES[number]
    if "particles_rate" in arrays:
        ms, rate = _end(arrays["particles_time"], arrays["particles_rate"][number], _SHOWN[number])
        ax.plot(ms, rate, color=GREY, linewidth=0.8, label="particles")
    ms, rate = _end(arrays["example_time"], arrays["example_rate"][number], _SHOWN[number])
    ax.plot(ms, rate, color=BLUE, linewidth=1.2, label="density")
    stationary = arrays["example_stationary"][number]
    ax.axhline(stationary, color=GREEN, linestyle="--", linewidth=1, label="stationary")
    ax.set(xlim=(0, _SHOWN[number]), ylim=(0, None))
    ylabel = "population rate (Hz)" if number == 0 else ""
    title = f"{'ABCD'[number]}  {example.state}\n    $g$ = {example.g:g}, η = {example.eta:g}"
    finish(ax, "", ylabel, title).legend_ = None
    if number == 0:
        ax.legend(loc="upper right", framealpha=0.9, fontsize="small")


def _raster(ax: Axes, arrays: _Arrays, number: int) -> None:
    if "particles_rate" in arrays:
        ms, neuron = arrays[f"raster_time_{number}"], arrays[f"raster_neuron_{number}"]
        start = arrays["particles_time"][-1] - _SHOWN[number]
        shown = ms >= start
        ax.plot(ms[shown] - start, neuron[shown], "|", color=BLACK, markersize=2.5)
    else:
        ax.text(0.5, 0.5, "no particles", ha="center", va="center", transform=ax.transAxes)
    ax.set(ylim=(-1, RASTER), xlim=(0, _SHOWN[number]))
    finish(ax, "time (ms)", "neuron" if number == 0 else "")


def _end(ms: np.ndarray, rate: np.ndarray, duration: float) -> tuple[np.ndarray, np.ndarray]:
    """The end of a run."""
    start = ms[-1] - duration
    shown = ms >= start
    return ms[shown] - start, rate[shown]
