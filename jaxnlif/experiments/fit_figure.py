"""The figures of `jaxnlif run fit`: data and fit, what was found, and how sure it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .. import plot
from ..fitting.result import Fit
from ..integrate.solution import Solution
from ..model import Network
from ..plot.fits import in_words, known_limits
from .fit_observed import Observed
from .fit_recovery import Counted, Learned

Run = Callable[[Network], Solution]

_DATA: dict[str, Any] = {"color": plot.BLACK, "fmt": ".", "markersize": 4, "elinewidth": 1}
_START: dict[str, Any] = {"color": plot.GREY, "linestyle": "--", "label": "start"}
_FIT: dict[str, Any] = {"color": plot.BLUE, "label": "fit"}
_TRUTH: dict[str, Any] = {"color": plot.ORANGE, "linewidth": 4, "alpha": 0.6, "label": "truth"}
_POINT: dict[str, Any] = {"color": plot.BLUE, "marker": "o", "markersize": 5, "linestyle": "none"}
_ESTIMATE: dict[str, Any] = _POINT | {"capsize": 3}
_UNDETERMINED: dict[str, Any] = _POINT | {"markerfacecolor": "white"}
_NAMES = (
    "input $I$\n(voltage)",
    "noise $a$\n(voltage² / time)",
    "coupling $b$\n(voltage × time)",
)


# ---- what a network learned ------------------------------------------------------------------


def recovery(run: Run, data: Learned, start: Network, truth: Network, fitted: Fit) -> Figure:
    """What a network learned, and the strength and the input by which it learned it."""
    figure = plot.new_figure(14.0, 7.5)
    panels = figure.subplot_mosaic([["weights", "rates", "loss"], ["gain", "input", "singular"]])
    begin, end = run(start), run(fitted.model)
    grid = end.solver.grid.w
    assert grid is not None
    w, weights, rates = grid.centers, data.weights, data.rates
    ax = panels["weights"]
    _data_and_fit(ax, w, weights, begin.weights[-1], end.weights[-1])
    plot.finish(ax, plot.WEIGHT, plot.WEIGHT_DENSITY, "The weights learned")
    ax = panels["rates"]
    _data_and_fit(ax, w, rates, begin.rates[-1], end.rates[-1])
    plot.finish(ax, plot.WEIGHT, plot.RATES, "The response learned")
    _gain(panels["gain"], start, truth, fitted)
    _input(panels["input"], w, start, truth, fitted)
    plot.descent(fitted, panels["loss"])
    plot.singular_values(fitted, panels["singular"])
    return figure


def _data_and_fit(
    ax: Axes, w: Float[np.ndarray, " w"], data: Counted, start: ArrayLike, end: ArrayLike
) -> None:
    ax.errorbar(w, data.values, data.std, label="data ± standard deviation", **_DATA)
    ax.plot(w, start, **_START)
    ax.plot(w, end, **_FIT)


def _gain(ax: Axes, start: Network, truth: Network, fitted: Fit) -> None:
    """The learning strength; knots that the data leave open are hollow, without a bar, and have no
    say in the axis."""
    assert fitted.uncertainty is not None
    knots, values = (np.asarray(x) for x in _table(fitted.model))
    std = fitted.uncertainty.std[: knots.size]
    ax.plot(*_table(truth), **_TRUTH)
    ax.plot(*_table(start), **_START)
    known = np.isfinite(std)
    label = "fit ± standard error"
    ax.errorbar(knots[known], values[known], std[known], label=label, **_ESTIMATE)
    shown = known_limits(values[known], std[known], _table(truth)[1], _table(start)[1])
    ax.set_ylim(*shown)
    if not np.all(known):
        inside = np.clip(values[~known], *shown)
        ax.plot(knots[~known], inside, label="not determined", clip_on=False, **_UNDETERMINED)
    strength = "learning strength $K(w)$\n(weight² × membrane time²)"
    plot.finish(ax, plot.WEIGHT, strength, "The learning rule found")


def _table(model: Network) -> tuple[Array, Array]:
    table = model.learning.gain  # pyright: ignore
    return table.knots, table.values


def _input(
    ax: Axes, w: Float[np.ndarray, " w"], start: Network, truth: Network, fitted: Fit
) -> None:
    assert fitted.uncertainty is not None
    for model, style in ((truth, _TRUTH), (start, _START), (fitted.model, _FIT)):
        ax.plot(w, model.drive(jnp.zeros(()), jnp.asarray(w)), **style)
    height, std = float(fitted.model.drive.height), fitted.uncertainty.std[-1]
    place: dict[str, Any] = {"xycoords": "axes fraction", "fontsize": "small", "color": plot.BLUE}
    ax.annotate(f"height {height:.4g} {in_words(std)}", (0.03, 0.03), **place)
    plot.finish(ax, plot.WEIGHT, "input $I(w)$ (voltage)", "The input found")


# ---- a recording -----------------------------------------------------------------------------


def recording(run: Run, observed: Observed, start: Network, fitted: Fit) -> Figure:
    """Rates as recorded and as fitted, what the fit leaves, and what it found."""
    figure = plot.new_figure(14.0, 7.5)
    panels = figure.subplot_mosaic(
        [["rate", "rate", "loss"], ["left", "left", "found"]], height_ratios=(3, 2)
    )
    begin, end = run(start), run(fitted.model)
    _rates(panels["rate"], observed, begin, end)
    _left(panels["left"], observed, np.asarray(observed.loss(end)))
    panels["left"].sharex(panels["rate"])
    plot.descent(fitted, panels["loss"])
    plot.parameters(fitted, ax=panels["found"], names=_NAMES)
    return figure


def _rates(ax: Axes, observed: Observed, begin: Solution, end: Solution) -> None:
    label = "recorded" if observed.std is None else "recorded ± standard deviation"
    ax.errorbar(observed.ts, observed.rate, observed.std, label=label, **_DATA)
    ax.plot(begin.ts, begin.rate, **_START)
    ax.plot(end.ts, end.rate, **_FIT, zorder=3)
    plot.finish(ax, plot.MEMBRANE_TIME, plot.RATE, "Rate of the network")


def _left(ax: Axes, observed: Observed, residuals: Float[np.ndarray, " k"]) -> None:
    ax.axhline(0, color=plot.GREY, linewidth=1)
    ax.plot(observed.ts, residuals, ".", color=plot.BLACK, markersize=4)
    unit = "root mean square rate" if observed.std is None else "standard deviations"
    plot.finish(ax, plot.MEMBRANE_TIME, f"fit − data\n({unit})", "What the fit leaves")
