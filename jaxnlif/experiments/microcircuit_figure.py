"""The figure of `jaxnlif run microcircuit`, drawn from the arrays that it saves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..plot import BLACK, BLUE, GREEN, GREY, ORANGE, PINK, RED, SKY, finish, new_figure
from .microcircuit_parts import NAMES

_Arrays = Mapping[str, np.ndarray]

_COLORS = (BLUE, BLUE, GREEN, GREEN, RED, RED, PINK, PINK)
"""Of the layers; inhibitory populations are dashed."""
_SHOWN = 150.0
"""How much of the end of the run is shown (ms)."""


def draw(arrays: _Arrays) -> Figure:
    """Six panels: rates, rates in time, eigenvalues, two kinds of spectra, and the fit."""
    figure = new_figure(15.0, 9.0)
    panels = (_rates, _in_time, _eigenvalues, _spectra_in_time, _linear_spectra, _fit)
    for panel, ax in zip(panels, figure.subplots(2, 3).flat, strict=True):
        panel(arrays, ax)
    return figure


def _rates(arrays: _Arrays, ax: Axes) -> None:
    place = np.arange(len(NAMES))
    ax.bar(place, arrays["simulated"], width=0.85, color="0.8", label="spiking simulation")
    for name, mark, color, shift, label in (
        ("stationary_white", "o", BLUE, -0.22, "stationary, white noise"),
        ("stationary_shift", "s", ORANGE, 0.0, "stationary, with the synaptic shift"),
        ("time_mean", "^", GREEN, 0.22, "density in time"),
    ):
        ax.plot(place + shift, arrays[name], mark, color=color, label=label, markersize=5)
    highest = max(arrays[name].max() for name in ("simulated", "stationary_white", "time_mean"))
    ax.set(xticks=place, xticklabels=NAMES, ylim=(0, 1.5 * highest))
    finish(ax, "population", "mean rate (Hz)", "a  Mean rates")
    ax.legend(loc="upper left", frameon=False, fontsize="small")


def _in_time(arrays: _Arrays, ax: Axes) -> None:
    ms = arrays["time"] - (arrays["time"][-1] - _SHOWN)
    shown = ms >= 0
    for k, name in enumerate(NAMES):
        ax.plot(ms[shown], arrays["rate"][shown, k], **_line(k, name))
    title = f"b  Density in time: a rhythm of {arrays['rhythm']:.0f} Hz"
    ax.set(xlim=(0, _SHOWN), ylim=(0, 1.35 * arrays["rate"][shown].max()))
    finish(ax, "time (ms)", "population rate (Hz)", title)
    ax.legend(loc="upper center", ncols=4, frameon=False, fontsize="small")


def _eigenvalues(arrays: _Arrays, ax: Axes) -> None:
    growth, hertz = np.real(arrays["eigenvalues"]), np.imag(arrays["eigenvalues"]) / (2 * np.pi)
    for some, color, label in ((growth < 0, BLUE, "decays"), (growth >= 0, RED, "grows")):
        if some.any():
            ax.plot(growth[some], hertz[some], "o", color=color, label=label)
    ax.axvline(0, color=GREY, linewidth=1)
    value, crossing = arrays["hopf"]
    if np.isfinite(value):
        label = f"crosses at an external\nrate of {value:.2f} Hz, {crossing:.0f} Hz"
        ax.plot(0, crossing, "D", color=BLACK, label=label)
    ax.set(ylim=(-10, None))
    finish(
        ax, "growth rate (1/s)", "frequency (Hz)", "c  Leading eigenvalues of the stationary state"
    )
    ax.legend(loc="center left", frameon=False, fontsize="small")


def _spectra_in_time(arrays: _Arrays, ax: Axes) -> None:
    _spectra(arrays["time_frequency"], arrays["time_power"], ax)
    ax.set_ylim(1e-6 * arrays["time_power"].max(), 3 * arrays["time_power"].max())
    _finish_spectra(ax, "d  Spectra of the density in time")


def _linear_spectra(arrays: _Arrays, ax: Axes) -> None:
    if "linear_power" not in arrays:
        ax.text(0.5, 0.5, "no stable state", ha="center", va="center", transform=ax.transAxes)
        _finish_spectra(ax, "e  Spectra by linear response")
        return
    _spectra(arrays["linear_frequency"], arrays["linear_power"], ax)
    rate = float(arrays["linear_external_rate"])
    _finish_spectra(ax, f"e  Linear response, external rate {rate:.2f} Hz")


def _spectra(frequency: np.ndarray, power: np.ndarray, ax: Axes) -> None:
    for k, name in enumerate(NAMES):
        ax.plot(frequency[1:], power[k, 1:], **_line(k, name))


def _finish_spectra(ax: Axes, title: str) -> None:
    ax.axvspan(77, 89, color=SKY, alpha=0.25, linewidth=0, label="published: 83 Hz")
    ax.set(yscale="log", xlim=(0, 400))
    finish(ax, "frequency (Hz)", "power of the rate (Hz² / Hz)", title)
    ax.legend(loc="upper right", ncols=3, frameon=False, fontsize="small")


def _fit(arrays: _Arrays, ax: Axes) -> None:
    if "fit_external_rate" not in arrays:
        ax.text(0.5, 0.5, "no fit", ha="center", va="center", transform=ax.transAxes)
        finish(ax, "population", "external rate (Hz)", "f  Fit of the external rates")
        return
    place = np.arange(len(NAMES))
    bars = {"color": BLUE, "capsize": 4, "markersize": 5, "label": "fitted ± standard error"}
    ax.errorbar(place, arrays["fit_external_rate"], yerr=arrays["fit_error"], fmt="o", **bars)
    ax.axhline(8.0, color=GREY, linestyle="--", label="published circuit")
    worst = np.max(np.abs(arrays["fit_rate"] / arrays["fit_target"] - 1))
    ax.set(xticks=place, xticklabels=NAMES)
    title = f"f  Fit of external rates (rates within {max(100 * worst, 0.01):.2g} %)"
    finish(ax, "population", "external rate (Hz)", title)


def _line(number: int, name: str) -> Any:
    """How the line of a population looks."""
    style = "--" if name.endswith("I") else "-"
    return {"color": _COLORS[number], "linestyle": style, "linewidth": 1.2, "label": name}
