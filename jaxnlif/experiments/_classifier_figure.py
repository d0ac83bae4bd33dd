"""The figure of a trained classifier: rasters, potentials, and error and activity by epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from .. import plot
from ..spikes.network import Trial
from ..spikes.theta import Theta
from ._classifier import Task, start
from ._classifier_setting import Setting

_TIME = "time $t$ (unit of $τ$)"
_EPOCH = "epoch + 1 (1: before training)"

_ERRORS = {"without pseudospikes": "accuracy_ordinary", "with": "accuracy"}
_SPIKES = {"whole trial": "spikes_per_neuron", "before first output": "spikes_before_output"}
_SILENT = {"whole trial": "silent_fraction", "before first output": "silent_before_output"}
"""Measures of the last three panels, by the names of their curves."""


def draw(
    setting: Setting,
    task: Task,
    nets: Sequence[Any],
    histories: Sequence[Mapping[str, np.ndarray]],
) -> Figure:
    """Spikes for one test sample before and after training, and its output potentials.

    Below, by epoch: errors, and how active hidden neurons are, also before the first output spike.
    """
    figure = plot.new_figure(11.0, 10.0)
    before, after, errors, potentials, spikes, silent = figure.subplots(3, 2).ravel()
    after_net = nets[0]
    sizes = task.inputs, task.classes
    before_net = start(setting, sizes, 1, jax.random.fold_in(jax.random.key(0), 0)).net
    inputs = task.encoder(jax.tree.map(lambda x: jnp.asarray(x[:1]), task.test.x), None)
    label = int(task.test.label[0])
    for ax, net, name in ((before, before_net, "before"), (after, after_net, "after")):
        _raster(ax, net, net.trial(inputs, duration=setting.duration), f"Spikes {name} training")
    _legend(after)
    _potentials(potentials, after_net, after_net.trial(inputs, duration=setting.duration), label)
    _errors(errors, histories)
    _active(spikes, histories, _SPIKES, "Hidden spikes", "spikes per neuron and sample")
    _active(silent, histories, _SILENT, "Silent hidden neurons", "fraction, for all samples")
    _legend(silent)
    return figure


def _raster(ax: Axes, net: Any, trial: Trial, title: str) -> None:
    times, neurons = _spikes(trial)
    ends = np.unique([*np.cumsum(net.sizes[1:]), min(trial.outputs)])
    last = len(ends) - 1
    for n, (begin, end) in enumerate(zip([0, *ends], ends, strict=False)):
        ours = (neurons >= begin) & (neurons < end)
        label = "output" if n == last else "hidden" if last == 1 else f"hidden {n + 1}"
        mark = {"color": plot.CYCLE[n % len(plot.CYCLE)], "markersize": 4, "label": label}
        ax.plot(times[ours], neurons[ours], "|", **mark)
        ax.axhline(end - 0.5, color=plot.GREY, linewidth=0.5)
    first = {"linestyle": "--", "linewidth": 1, "label": "first output spike"}
    ax.axvline(float(trial.first_output[0]), color=plot.BLACK, **first)
    ax.set(xlim=(0, float(trial.duration)), ylim=(-1, ends[-1]))
    _finish(ax, _TIME, "neuron", title)


def _spikes(trial: Trial) -> tuple[np.ndarray, np.ndarray]:
    """Times and neurons of all spikes of the first sample."""
    if trial.events is not None:
        times, neurons = (np.asarray(x)[0] for x in trial.events[:2])
        spikes = neurons < trial.num_spikes.shape[-1]
        return times[spikes], neurons[spikes]
    found = np.asarray(trial.spike_times)[0]
    neurons, which = np.nonzero(np.isfinite(found))
    return found[neurons, which], neurons


def _potentials(ax: Axes, net: Any, trial: Trial, label: int) -> None:
    times = np.linspace(0, float(trial.duration), 400)[1:]
    state = net.trace(trial, times)[0][0][:, list(trial.outputs)]
    voltages = np.asarray(net.neuron.voltage(state) if isinstance(net.neuron, Theta) else state)
    voltages = np.where(np.abs(voltages) < 12, voltages, np.nan)
    for n in range(voltages.shape[1]):
        again, color = divmod(n, len(plot.CYCLE))
        options: dict[str, Any] = {"color": plot.CYCLE[color], "linestyle": "--" if again else "-"}
        options["label"] = f"class {n}" + (", the right one" if n == label else "")
        ax.plot(times, voltages[:, n], linewidth=2.5 if n == label else 0.8, **options)
    ax.set(xlim=(0, times[-1]), ylim=(-8, 8))
    _finish(ax, _TIME, "potential $V$", "Potentials of the output neurons")
    _legend(ax)


def _errors(ax: Axes, histories: Sequence[Mapping[str, np.ndarray]]) -> None:
    error = {text: 1 - curves for text, curves in _curves(histories, _ERRORS).items()}
    _by_epoch(ax, error, "Errors", "test error")
    plot.finish(ax, _EPOCH, "test error", above=True)  # the legend as well
    _number(ax)


def _active(
    ax: Axes,
    histories: Sequence[Mapping[str, np.ndarray]],
    names: Mapping[str, str],
    title: str,
    ylabel: str,
) -> None:
    _by_epoch(ax, _curves(histories, names), title, ylabel)
    ax.set_yscale("linear")
    top = max(ax.get_ylim()[1], 0.1)
    ax.set_ylim(-0.03 * top, top)
    _number(ax)


def _curves(
    histories: Sequence[Mapping[str, np.ndarray]], names: Mapping[str, str]
) -> dict[str, np.ndarray]:
    """Measures of all seeds, by the names of their curves, shape `(seeds, epochs + 1)`."""
    return {text: np.stack([one[name] for one in histories]) for text, name in names.items()}


def _by_epoch(ax: Axes, curves: Mapping[str, np.ndarray], title: str, ylabel: str) -> None:
    steps = np.arange(1, len(next(iter(curves.values()))[0]) + 1)
    ax.set_xscale("log")
    plot.training(curves, ax, steps=steps)
    ax.get_lines()[-1].set_linestyle("--")  # where both are the same, both are seen
    _finish(ax, _EPOCH, ylabel, title)


def _finish(ax: Axes, xlabel: str, ylabel: str, title: str) -> None:
    """The common look without a legend."""
    plot.finish(ax, xlabel, ylabel, title)
    legend = ax.get_legend()
    if legend is not None:
        legend.remove()


def _legend(ax: Axes) -> None:
    """A legend on the right of the axes, where it hides nothing."""
    ax.legend(fontsize="small", loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)


def _number(ax: Axes) -> None:
    """Plain numbers at logarithmic axes."""
    for axis, digits in ((ax.xaxis, (1, 2, 5)), (ax.yaxis, (1, 2, 3, 5, 7))):
        if axis.get_scale() == "log":
            axis.set_major_locator(LogLocator(subs=digits))
            axis.set_major_formatter("{x:g}")
            axis.set_minor_formatter(NullFormatter())
