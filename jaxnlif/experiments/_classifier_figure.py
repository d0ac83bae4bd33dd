"""The figure of a trained classifier: rasters before and after, potentials, error by epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..spikes.network import FeedForward
from ._classifier import start
from ._classifier_setting import Setting


def draw(
    setting: Setting,
    task,
    nets: Sequence[FeedForward],
    histories: Sequence[Mapping[str, np.ndarray]],
) -> Figure:
    """Spikes for one test sample before and after training, its output potentials, and errors."""
    figure = Figure(figsize=(11, 6.5), layout="constrained")
    before, after, potentials, errors = figure.subplots(2, 2).ravel()
    after_net = nets[0]
    sizes = task.inputs, task.classes
    before_net = start(setting, sizes, 1, jax.random.fold_in(jax.random.key(0), 0)).net
    inputs = task.encoder(jnp.asarray(task.test.x[:1]), None)
    label = int(task.test.label[0])
    for ax, net, name in ((before, before_net, "before"), (after, after_net, "after")):
        _raster(ax, net, inputs)
        ax.set_title(f"Spikes {name} training")
    _potentials(potentials, after_net, inputs, label)
    _errors(errors, histories)
    return figure


def _raster(ax: Axes, net: FeedForward, inputs) -> None:
    trial = net.trial(inputs)
    begin = 0
    for n, spikes in enumerate(trial.spikes):
        times = np.asarray(spikes)[0]
        for i, row in enumerate(times):
            seen = row[np.isfinite(row)]
            ax.plot(seen, np.full(len(seen), begin + i), "|", color=f"C{n}", markersize=3)
        begin += len(times)
        ax.axhline(begin - 0.5, color="gray", linewidth=0.5)
    ax.set(xlim=(0, float(net.duration)), ylim=(-1, begin), xlabel="time", ylabel="neuron")


def _potentials(ax: Axes, net: FeedForward, inputs, label: int) -> None:
    times = np.linspace(0, float(net.duration), 400)[1:]

    # the phases at the end of ever longer trials
    def phases(end: float) -> np.ndarray:
        longer = eqx.tree_at(lambda one: one.duration, net, jnp.asarray(end, net.duration.dtype))
        return np.asarray(longer.trial(inputs).phases[-1][0])

    voltages = np.asarray(net.neuron.voltage(jnp.asarray(np.stack([phases(t) for t in times]))))
    voltages = np.where(np.abs(voltages) < 12, voltages, np.nan)
    for n in range(voltages.shape[1]):
        ax.plot(times, voltages[:, n], linewidth=2.5 if n == label else 0.8, label=str(n))
    ax.set(xlim=(0, times[-1]), ylim=(-8, 8), xlabel="time", ylabel="potential V")
    ax.set_title(f"Output potentials, class {label}")
    ax.legend(ncols=5, fontsize="small", loc="lower left")


def _errors(ax: Axes, histories: Sequence[Mapping[str, np.ndarray]]) -> None:
    for name, text in (("accuracy_ordinary", "without"), ("accuracy", "with")):
        error = 1 - np.stack([history[name] for history in histories])
        epochs = np.arange(1, error.shape[1] + 1)
        mean, spread = error.mean(0), error.std(0)
        (line,) = ax.plot(epochs, mean, label=f"{text} pseudospikes")
        ax.fill_between(epochs, mean - spread, mean + spread, alpha=0.3, color=line.get_color())
    ax.set(xscale="log", yscale="log", xlabel="epoch + 1", ylabel="test error")
    ax.legend()
