"""What a network does in time: its rate, events and regimes, its spikes, its rhythm."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike

from .._check import check
from ..integrate.result import Result, outcome
from ..integrate.solution import Solution
from ..integrate.solver import Regime
from . import lines
from ._data import grid_of, numbered, numbers, population_names, time_label
from .figures import root
from .size import BLACK, ORANGE, RED, SCREEN, Size
from .style import GUIDE, POPULATION_RATES, RATE, drawing, finish

_SILENT = 1e-3
"""The least rate that a logarithmic scale shows (spikes / neuron / membrane time)."""


def rate(sol: Solution, ax: Axes | None = None, *, size: Size = SCREEN, **line: Any) -> Axes:
    r"""The network rate $\bar N(t)$ with events and regimes, and where a run ended early.

    Of a network of populations those of all, by name.

    With events, at which a rate is without bound, the scale is logarithmic. Several runs in the
    same axes have different colours; the events and the end of a run have that of its rate.

    **Arguments:**

    - `sol`: a `Solution` of one run.
    - `ax`: axes to draw into, by default those of a new figure.
    - `size`: of a new figure.
    - `line`: keywords of Matplotlib for the line: `label`, `color`, `linewidth`, …; of populations
      the label comes before their names.

    **Raises:** `ValueError` for what is no solution of one run, no `Axes` or `Size`, or no keyword
    of a line.
    """
    grid_of(sol, populations=True)
    names = population_names(sol)
    every = [lines.options(line)] if names is None else lines.each(names, line)
    with drawing(ax, size) as ax:
        regimes(sol, ax)
        rates = np.asarray(sol.rate).reshape(len(sol.ts), -1)
        drawn = [ax.plot(sol.ts, r, **kw)[0] for r, kw in zip(rates.T, every, strict=True)]
        color = drawn[0].get_color() if names is None else BLACK
        if "events" in sol.logs and sol.events.time.size:
            events(sol, ax, color=color)
            ax.set_yscale("log")
            ax.set_ylim(bottom=max(_SILENT, ax.get_ylim()[0]))
        if sol.result != Result.completed:
            end = float(sol.t_end)
            label = f"{outcome(sol.result)} at t = {end:.4g}"
            ax.axvline(end, color=color, linestyle="--", label=label)
            ax.autoscale_view()
        few = len(ax.get_legend_handles_labels()[1]) <= 2
        label = RATE if names is None else POPULATION_RATES
        return finish(ax, time_label(sol), label, above=few or names is not None)


def events(sol: Solution, ax: Axes, *, color: Any = RED) -> Axes:
    """Marks the multiple firing events at the top of an axis of time.

    **Arguments:** `sol`, `ax`: as for `rate`; `color`: of the marks, any that Matplotlib knows.

    **Raises:** `ValueError` if the solver recorded none.
    """
    grid_of(sol, populations=True)
    times = np.asarray(sol.events.time)
    if times.size:
        with drawing(ax):
            height, blend = np.full(times.size, 0.97), ax.get_xaxis_transform()
            label = f"{times.size} event{'s' if times.size > 1 else ''}"
            ax.plot(times, height, "v", color=color, transform=blend, label=label)
    return ax


def regimes(sol: Solution, ax: Axes) -> Axes:
    """Shades the times at which particles were followed, in runs of both descriptions.

    **Arguments:** `sol`, `ax`: as for `rate`.

    **Raises:** `ValueError` as `rate`.
    """
    grid_of(sol, populations=True)
    follows = np.asarray(sol.regime) == Regime.particles
    if np.any(follows) and not np.all(follows):
        blend, times = ax.get_xaxis_transform(), np.asarray(sol.ts)
        shade = {"color": ORANGE, "alpha": 0.35, "linewidth": 0, "step": "mid"}
        label = lines.once(ax, "particles")
        ax.fill_between(times, 0, 1, where=follows, transform=blend, label=label, **shade)
    return ax


def raster(sol: Solution, ax: Axes | None = None, *, size: Size = SCREEN, **line: Any) -> Axes:
    """The spikes of the recorded neurons, a row for each.

    In a run that changes its description these are the spikes of the times with particles.

    **Arguments:** as for `rate`; `line`: keywords of the marks.

    **Raises:** `ValueError` if the solver recorded none, or for no keyword of a line.
    """
    grid_of(sol, populations=True)
    spikes, keywords = sol.raster, lines.options(line, color=BLACK, marker="|", linestyle="none")
    with drawing(ax, size) as ax:
        regimes(sol, ax)
        rows = 1 + np.max(spikes.neuron, initial=0)
        height = 72 * ax.bbox.height / root(ax).dpi / rows
        mark = {"markersize": max(0.8 * height, 1.5)}
        ax.plot(spikes.time, spikes.neuron, **mark | keywords)
        ax.set_xlim(float(sol.ts[0]), float(sol.ts[-1]))
        ax.yaxis.set_major_locator(MaxNLocator("auto", integer=True, steps=[1, 2, 5, 10]))
        if spikes.time.size == 0:
            ax.set_yticks([])
            place = {"ha": "center", "va": "center", "transform": ax.transAxes}
            ax.text(0.5, 0.5, _no_spike(sol), **place)
        return finish(ax, time_label(sol), "neuron", above=True)


def _no_spike(sol: Solution) -> str:
    """What a raster without a spike says instead."""
    if np.any(np.asarray(sol.regime) == Regime.particles):
        return "no spike"
    return "no spike recorded:\nparticles were never followed"


def spectrum(
    frequency: ArrayLike,
    power: ArrayLike,
    ax: Axes | None = None,
    *,
    labels: Sequence[str] | None = None,
    size: Size = SCREEN,
    **line: Any,
) -> Axes:
    """The power spectral density of the network rate, on a logarithmic scale.

    **Arguments:** `frequency`: shape `(k,)` (1 / membrane time); `power`: shape `(k,)`, or of n
    populations `(k, n)` (spikes² / neuron² / membrane time); `labels`: their names, by default
    numbers; `ax`, `size`, `line`: as for `rate`.

    **Raises:** `ValueError` for arrays of other or unequal shapes, as many labels as there are not
    curves, or no keyword of a line.
    """
    frequency = numbers("frequency", frequency, (None,))
    power = numbers("power", power, frequency.shape, (frequency.size, None))
    every = _curves(power, labels, line)
    with drawing(ax, size) as ax:
        for values, keywords in every:
            ax.plot(frequency, values, **keywords)
        # of the frequency 0, which removing the mean leaves without power, only what fits in
        some = power[frequency > 0]
        seen = some[some > 0]
        if seen.size:
            ax.set_yscale("log")
            ax.set_ylim(bottom=0.5 * seen.min())
        label = "power of $\\bar N$\n(spikes² / neuron² / membrane time)"
        several = power.ndim == 2
        if several:
            label = label.replace("$\\bar N$", "$r_k$")
        return finish(ax, "frequency (1 / membrane time)", label, above=several)


def autocorrelation(
    lag: ArrayLike,
    value: ArrayLike,
    ax: Axes | None = None,
    *,
    labels: Sequence[str] | None = None,
    size: Size = SCREEN,
    **line: Any,
) -> Axes:
    """The autocorrelation of the network rate against the lag.

    **Arguments:** `lag`: shape `(k,)` (membrane time); `value`: 1 at lag 0, shape `(k,)`, or of n
    populations `(k, n)` (dimensionless); `labels`, `ax`, `size`, `line`: as for `spectrum`.

    **Raises:** `ValueError` as `spectrum`.
    """
    lag = numbers("lag", lag, (None,))
    value = numbers("value", value, lag.shape, (lag.size, None))
    every = _curves(value, labels, line)
    with drawing(ax, size) as ax:
        ax.axhline(0, **GUIDE)
        for values, keywords in every:
            ax.plot(lag, values, **keywords)
        name = "$\\bar N$" if value.ndim == 1 else "$r_k$"
        return finish(
            ax, "lag (membrane times)", f"autocorrelation of {name}", above=value.ndim == 2
        )


def _curves(
    values: np.ndarray, labels: Sequence[str] | None, line: Mapping[str, Any]
) -> list[tuple[np.ndarray, dict[str, Any]]]:
    """The curves of an array, `(k,)` or `(k, n)`, with their keywords."""
    if values.ndim == 1:
        check(labels is None, "labels: are of several curves, (k, n); of one it is label")
        return [(values, lines.options(line))]
    names = numbered(values.shape[1]) if labels is None else tuple(labels)
    check(
        len(names) == values.shape[1] and all(isinstance(name, str) for name in names),
        f"labels = {labels!r}: must be {values.shape[1]} texts, one for each curve",
    )
    return list(zip(values.T, lines.each(names, line), strict=True))
