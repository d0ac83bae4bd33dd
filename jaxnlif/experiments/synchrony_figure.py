"""The figure of `jaxnlif run synchrony`: a column for each solver."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .. import plot
from ..integrate.solution import Solution
from ..plot.densities import mark_voltages
from .synchrony_cases import Case, mean_rate


def draw(case: Case, solutions: Mapping[str, Solution]) -> Figure:
    """Rate with events and regimes, raster or density in time, density around an event."""
    figure = plot.new_figure(2.0 + 4.5 * len(solutions), 9.0)
    figure.suptitle(case.title)
    panels = figure.subplots(3, len(solutions), squeeze=False)
    for (name, sol), (top, middle, bottom) in zip(solutions.items(), panels.T, strict=True):
        _rate(sol, name, top)
        if "raster" in sol.logs:
            plot.raster(sol, middle)
        else:
            plot.density_over_time(sol, middle, vmax=1.0)
        _around_event(sol, bottom)
        for ax in (top, middle):
            ax.set_xlim(float(sol.ts[0]), float(sol.ts[-1]))
    return figure


def _rate(sol: Solution, name: str, ax: Axes) -> None:
    time, rate = mean_rate(sol)
    plot.regimes(sol, ax)
    ax.plot(time, rate, color=plot.BLUE, linewidth=1)
    plot.events(sol, ax)
    ax.set(yscale="log", ylim=(0.01, 300))
    plot.finish(ax, plot.MEMBRANE_TIME, plot.RATE, name, above=True)


def _around_event(sol: Solution, ax: Axes) -> None:
    """The densities saved last before the first event and first after it, or at the end."""
    v, densities = sol.solver.grid.v, np.asarray(sol.saved)[:, :, 0]
    if len(sol.events.time):
        after = int(np.searchsorted(np.asarray(sol.ts)[:-1], float(sol.events.time[0])))
        shown = {"before": (max(after - 1, 0), plot.GREY), "after": (after, plot.BLUE)}
        title = f"event at t = {float(sol.events.time[0]):.3f}"
    else:
        shown, title = {"at the end": (-1, plot.BLUE)}, "no event"
    for label, (index, color) in shown.items():
        ax.plot(v.nodes, densities[index], color=color, label=f"{label}, $t$ = {sol.ts[index]:.3f}")
    mark_voltages(v.reset, v.threshold, ax)
    ax.set(yscale="log", ylim=(1e-3, 30))
    plot.finish(ax, plot.VOLTAGE, "density $p(v)$\n(1 / voltage)", title)
