"""The figure of `jaxnlif run learning`."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .. import plot
from ..plot.lines import once
from ._trial import Phase, Setting


def draw(setting: Setting, done: Sequence[Phase]) -> Figure:
    """Inputs, weights, responses, rate in time and density of a whole trial."""
    learned, *tests = done
    figure = plot.new_figure(14.0, 7.5)
    panels = figure.subplot_mosaic(
        [["inputs", "weights", "rates"], ["course", "course", "density"]]
    )
    colors = [plot.CYCLE[i % len(plot.CYCLE)] for i in range(len(tests))]
    _inputs(panels["inputs"], setting, learned, tests, colors)
    _weights(panels["weights"], setting, learned)
    _rates(panels["rates"], setting, learned, tests, colors)
    _course(panels["course"], learned, tests, colors)
    density = plot.density(learned.solution, ax=panels["density"])
    plot.finish(density, plot.WEIGHT, plot.VOLTAGE, "The network after learning")
    return figure


def _inputs(
    ax: Axes, setting: Setting, learned: Phase, tests: Sequence[Phase], colors: Sequence[str]
) -> None:
    ax.plot(
        setting.weights, learned.signal, color=plot.BLACK, linewidth=4, alpha=0.3, label="learned"
    )
    for test, color in zip(tests, colors, strict=True):
        ax.plot(setting.weights, test.signal, color=color, label=f"test: {test.name}")
    low, high = ax.get_ylim()
    ax.set_ylim(low, high + 0.5 * (high - low))  # room for the legend
    plot.finish(ax, plot.WEIGHT, "input $I(w)$ (voltage)", "Inputs to the network")


def _weights(ax: Axes, setting: Setting, learned: Phase) -> None:
    w = setting.weights
    ax.plot(w, learned.weights[0], color=plot.GREY, linestyle="--", label="before learning")
    ax.plot(w, learned.weights[-1], color=plot.BLACK, label="after learning")
    plot.finish(ax, plot.WEIGHT, plot.WEIGHT_DENSITY, "Learning redistributes the weights")


def _rates(
    ax: Axes, setting: Setting, learned: Phase, tests: Sequence[Phase], colors: Sequence[str]
) -> None:
    w = setting.weights
    for test, color in zip(tests, colors, strict=True):
        ax.plot(w, test.rates[-1], color=color, label=test.name)
    plot.ramp(ax, setting.gain, float(learned.rate[-1]), end=w[-1])
    plot.finish(ax, plot.WEIGHT, plot.RATES, "Responses, with the weights frozen")


def _course(ax: Axes, learned: Phase, tests: Sequence[Phase], colors: Sequence[str]) -> None:
    ax.plot(learned.t, learned.rate, color=plot.BLACK, label="learning")
    start = learned.t[-1]
    for test, color in zip(tests, colors, strict=True):
        times = start + test.t
        label = once(ax, "a test begins")
        ax.axvline(start, color=plot.GREY, linewidth=0.8, linestyle=":", label=label)
        ax.plot(times, test.rate, color=color, label=f"test: {test.name}")
        start = times[-1]
    time = "time $t$ (learning times); every test starts from the learned state"
    plot.finish(ax, time, plot.RATE, "Network rate while learning and in each test")
