"""What trained neurons owe to the rest of their network: the weights to all others are cut.

After the training of `spiketimes_recurrent` the recurrent weights onto neurons without a target are
set to zero, so that these answer to their inputs alone (Klos & Memmesheimer 2025, supplement).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .. import plot
from ..spikes import Trial
from .spiketimes_recurrent import DURATION, Learned, Reservoir, learned_at

_TARGET, _WHOLE, _CUT = plot.ORANGE, plot.BLUE, plot.BLACK


class Cut(NamedTuple):
    """A trial of the trained network and one without the weights to neurons without a target.

    - `whole`, `cut`: the trials.
    - `errors`: the largest distance of a target of each trained neuron from its spike, a row for
      the whole network and one for the cut one, shape `(2, o)` (membrane time). Spikes beyond the
      targets do not count.
    """

    whole: Trial
    cut: Trial
    errors: Float[np.ndarray, "2 o"]


def without_weights_to_others(learned: Learned, trained: int) -> Learned:
    """The parameters with weights to the first `trained` neurons only, the rest set to zero."""
    return learned._replace(weights=learned.weights.at[trained:].set(0))


def compare(reservoir: Reservoir, learned: Learned) -> Cut:
    """Runs the trained network with and without the weights to neurons that have no target."""
    lesser = without_weights_to_others(learned, len(reservoir.targets))
    whole, cut = (reservoir.trial(one) for one in (learned, lesser))
    return Cut(whole, cut, np.stack([_errors(reservoir, trial) for trial in (whole, cut)]))


def compared(reservoir: Reservoir, history: Mapping[str, np.ndarray], trial: int = -1) -> Cut:
    """The same with the parameters of a trial of a training, the last by default."""
    return compare(reservoir, learned_at(history, trial))


def summary(cut: Cut) -> list[str]:
    """The errors, in lines."""
    lines = ["largest distance from a target with and without weights to neurons without one:"]
    for k, (whole, other) in enumerate(cut.errors.T):
        lines.append(f"neuron {k + 1}: {whole:.3g} and {other:.3g} (membrane times)")
    return lines


def _errors(reservoir: Reservoir, trial: Trial) -> Float[np.ndarray, " o"]:
    outputs = reservoir.outputs(trial)
    return np.array(
        [
            np.abs(np.asarray(times[:-1]) - targets).max()
            for times, targets in zip(outputs, reservoir.targets, strict=True)
        ]
    )


# ---- the figure ------------------------------------------------------------------------------


def draw(reservoir: Reservoir, cut: Cut) -> Figure:
    """Spikes of the trained neurons with their targets, and their errors, with and without."""
    figure = plot.new_figure(10.0, 3.4)
    raster, errors = figure.subplots(1, 2, width_ratios=[2.2, 1])
    _raster(raster, reservoir, cut)
    _distances(errors, cut.errors)
    return figure


def _raster(ax: Axes, reservoir: Reservoir, cut: Cut) -> None:
    """Of each trained neuron a row of targets, of spikes of the whole network, and of the cut."""
    kinds = (("target", _TARGET), ("all weights", _WHOLE), ("weights to others cut", _CUT))
    trained = len(reservoir.targets)
    for k, targets in enumerate(reservoir.targets):
        trials = (np.asarray(one.spike_times)[k] for one in (cut.whole, cut.cut))
        for row, (times, (_, color)) in enumerate(zip([targets, *trials], kinds, strict=True)):
            place = 4 * k + row
            ax.vlines(times[np.isfinite(times)], place - 0.4, place + 0.4, color, linewidth=2)
    for name, color in kinds:
        ax.plot([], [], color=color, label=name)
    ax.set(xlim=(0, DURATION), ylim=(4 * trained - 1, -1), yticks=4 * np.arange(trained) + 1)
    ax.set_yticklabels([str(k + 1) for k in range(trained)])
    plot.finish(ax, plot.MEMBRANE_TIME, "trained neuron", above=True)


def _distances(ax: Axes, errors: Float[np.ndarray, "2 o"]) -> None:
    place = np.arange(errors.shape[1])
    for values, color, mark in zip(errors, (_WHOLE, _CUT), "os", strict=True):
        ax.plot(place, values, mark, color=color)
    ax.set_yscale("log")
    ax.set_xlim(-0.5, len(place) - 0.5)
    ax.set_xticks(place, [str(k + 1) for k in place])
    plot.finish(ax, "trained neuron", "largest error (membrane times)")
