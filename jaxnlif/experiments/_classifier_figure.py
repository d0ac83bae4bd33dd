"""The figure of a trained classifier: rasters before and after, potentials, error by epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .. import plot
from ..spikes.network import Trial
from ..spikes.theta import Theta
from ._classifier import Task, start
from ._classifier_setting import Setting

_TIME = "time $t$ (unit of $τ$)"


def draw(
    setting: Setting,
    task: Task,
    nets: Sequence[Any],
    histories: Sequence[Mapping[str, np.ndarray]],
) -> Figure:
    """Spikes for one test sample before and after training, its output potentials, and errors."""
    figure = plot.new_figure(11.0, 6.5)
    before, after, potentials, errors = figure.subplots(2, 2).ravel()
    after_net = nets[0]
    sizes = task.inputs, task.classes
    before_net = start(setting, sizes, 1, jax.random.fold_in(jax.random.key(0), 0)).net
    inputs = task.encoder(jax.tree.map(lambda x: jnp.asarray(x[:1]), task.test.x), None)
    label = int(task.test.label[0])
    for ax, net, name in ((before, before_net, "before"), (after, after_net, "after")):
        _raster(ax, net, net.trial(inputs, duration=setting.duration), f"Spikes {name} training")
    _potentials(potentials, after_net, after_net.trial(inputs, duration=setting.duration), label)
    _errors(errors, histories)
    return figure


def _raster(ax: Axes, net: Any, trial: Trial, title: str) -> None:
    times, neurons = _spikes(trial)
    ends = np.unique([*np.cumsum(net.sizes[1:]), min(trial.outputs)])
    last = len(ends) - 1
    for n, (begin, end) in enumerate(zip([0, *ends], ends, strict=False)):
        ours = (neurons >= begin) & (neurons < end)
        label = "output" if n == last else "hidden" if last == 1 else f"hidden {n + 1}"
        mark = {"color": plot.CYCLE[n % len(plot.CYCLE)], "markersize": 3, "label": label}
        ax.plot(times[ours], neurons[ours], "|", **mark)
        ax.axhline(end - 0.5, color=plot.GREY, linewidth=0.5)
    ax.set(xlim=(0, float(trial.duration)), ylim=(-1, ends[-1]))
    plot.finish(ax, _TIME, "neuron", title, above=True)


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
    plot.finish(ax, _TIME, "potential $V$", "Potentials of the output neurons")
    ax.legend(fontsize="small", loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)


def _errors(ax: Axes, histories: Sequence[Mapping[str, np.ndarray]]) -> None:
    measures = {"without": "accuracy_ordinary", "with": "accuracy"}
    error = {
        f"{text} pseudospikes": 1 - np.stack([history[name] for history in histories])
        for text, name in measures.items()
    }
    epochs = np.arange(1, len(histories[0]["accuracy"]) + 1)
    ax.set_xscale("log")
    plot.training(error, ax, steps=epochs, xlabel="epoch + 1", ylabel="test error")
    ax.get_lines()[-1].set_linestyle("--")  # where both are the same, both are seen
    plot.finish(ax, ax.get_xlabel(), ax.get_ylabel(), "Errors, the untrained network first")
