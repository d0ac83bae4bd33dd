r"""A single QIF neuron learns to spike at two times.

It receives 22 inputs in a trial of duration 10 (membrane time); of two of them weights and times
are learned, the weights from 0. Gradient descent with a bounded gradient on the mean squared error
of the first two spike times, pseudospikes where ordinary ones are missing (Klos & Memmesheimer
2025, Fig. 2). Or descent whose step length a line search finds, so that the error falls with every
trial: the error is smooth, so that this works across spikes that appear.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .. import plot
from ..spikes import QIF, InputSpikes, Recurrent, sorted_spikes
from ._descent import Fixed, gradient, lbfgs
from ._training import Training

DURATION = 10.0
TARGETS = (2.5, 7.5)
RATE, BOUND = 0.1, 2e-2
NUM_INPUTS, NUM_LEARNED = 22, 2
MAX_EVENTS = 60


OPTIMISERS = {
    "fixed": Fixed(optax.chain(optax.clip(BOUND), optax.sgd(RATE))),
    "line-search": gradient(),
    "lbfgs": lbfgs(),
}
"""The published one of a fixed rate, and two whose steps a line search finds."""


class Learned(NamedTuple):
    """Weights and times of the learned inputs, shape `(2,)` each."""

    weights: Float[Array, "2"]
    times: Float[Array, "2"]


class Single(NamedTuple):
    """The inputs that are not learned: weights and times, shape `(20,)` each."""

    weights: Float[Array, " m"]
    times: Float[Array, " m"]

    def network(self, learned: Learned) -> Recurrent:
        """The neuron with the weights of all inputs."""
        weights = jnp.concatenate([learned.weights, self.weights])[None]
        neuron = QIF(jnp.ones((), weights.dtype))
        return Recurrent(
            neuron,
            jnp.zeros((1, 1), weights.dtype),
            weights,
            max_spikes=len(TARGETS),
            max_events=MAX_EVENTS,
        )

    def inputs(self, learned: Learned) -> InputSpikes:
        """All input spikes in order."""
        times = jnp.concatenate([learned.times, self.times])
        return sorted_spikes(times, jnp.arange(times.shape[0]))

    def outputs(self, learned: Learned) -> Float[Array, "2"]:
        """The times of the first two spikes."""
        return self.network(learned)(self.inputs(learned), duration=DURATION)[0]


def task(seed: int) -> Single:
    """Draws the inputs: standard normal weights, times uniform in the trial."""
    rng = np.random.default_rng(seed)
    num = NUM_INPUTS - NUM_LEARNED
    times = rng.uniform(0, DURATION, num)
    return Single(jnp.asarray(rng.normal(size=num)), jnp.asarray(times))


def training(single: Single, seed: int, trials: int, optimiser: str = "fixed") -> Training:
    """Gradient descent on the mean squared error of the spike times.

    It is the same for any number of trials: a longer training goes on from a shorter one.

    **Arguments:** `optimiser`: one of `OPTIMISERS`.
    """

    def loss(learned: Learned) -> tuple[Float[Array, ""], Float[Array, "2"]]:
        times = single.outputs(learned)
        return jnp.mean((times - jnp.asarray(TARGETS, times.dtype)) ** 2), times

    method = OPTIMISERS[optimiser]

    def step(state: tuple[Learned, Any]) -> tuple[tuple[Learned, Any], dict[str, Array]]:
        learned, memory = state
        (value, times), slope = jax.value_and_grad(loss, has_aux=True)(learned)
        changed, memory = method.step(
            lambda one: loss(one)[0], _in_trial, learned, memory, value, slope
        )
        record = {
            "loss": value,
            "spikes": times,
            "weights": learned.weights,
            "input_times": learned.times,
            "weight_gradient": slope.weights,
            "time_gradient": slope.times,
        }
        return (changed, memory), record

    start = Learned(jnp.zeros(NUM_LEARNED), jnp.asarray([0.1, 0.9]) * DURATION)
    identity: dict[str, Any] = {
        "task": "single",
        "seed": seed,
        "precision": start.weights.dtype.name,
    }
    if optimiser != "fixed":
        identity["optimiser"] = optimiser
    return Training(step, (start, method.init(start)), identity)


def _in_trial(learned: Learned) -> Learned:
    return learned._replace(times=jnp.clip(learned.times, 0, DURATION))


def summary(single: Single, history: Mapping[str, np.ndarray]) -> list[str]:
    """What was learned, in lines."""
    loss, spikes = history["loss"], history["spikes"]
    return [
        f"trials {len(loss)}, loss {loss[0]:.3g} at first, {loss.min():.3g} at best",
        f"spike times {spikes[-1]}, targets {TARGETS}",
        f"learned weights {history['weights'][-1]}, input times {history['input_times'][-1]}",
    ]


# ---- the figure ------------------------------------------------------------------------------

_INPUTS = plot.ORANGE, plot.GREEN
"""Colours of the learned inputs."""


def draw(single: Single, history: Mapping[str, np.ndarray]) -> Figure:
    """Potential, current and inputs before and after; spike times, loss and gradients in trials."""
    figure = plot.new_figure(10.0, 11.0)
    upper, lower = figure.subfigures(2, 1, height_ratios=[1.1, 1], squeeze=False)[:, 0]
    panels = upper.subplots(3, 2, height_ratios=[2.4, 1.2, 1])
    for column, trial in enumerate((0, len(history["loss"]) - 1)):
        learned = Learned(
            *(jnp.asarray(history[name][trial]) for name in ("weights", "input_times"))
        )
        _dynamics(panels[:, column], single, learned, history["spikes"][trial])
        panels[0, column].set_title(f"trial {trial}", loc="left", fontweight="bold", pad=18)
    mosaic = lower.subplot_mosaic([["times", "loss"], ["times", "gradients"]])
    _spike_times(mosaic["times"], history)
    plot.training(np.maximum(history["loss"], 1e-34), mosaic["loss"], xlabel="trial")
    mosaic["loss"].set_xlim(0, len(history["loss"]))
    _gradients(mosaic["gradients"], history)
    return figure


def _dynamics(axes: np.ndarray, single: Single, learned: Learned, spikes: np.ndarray) -> None:
    net = single.network(learned)
    trial = net.trial(single.inputs(learned), duration=DURATION)
    times = np.linspace(0, DURATION, 4001)
    potential, current = (np.asarray(x)[:, 0] for x in net.trace(trial, times))
    top, middle, bottom = axes
    top.plot(times, np.where(np.abs(potential) < 40, potential, np.nan), color=plot.BLUE)
    for value in (0, 1):
        top.axhline(value, color=plot.GREY, linewidth=0.6)
    blend = top.get_xaxis_transform()
    inside = spikes[spikes < DURATION]
    above = {"transform": blend, "clip_on": False}
    top.vlines(TARGETS, 1.02, 1.12, plot.RED, linewidth=2.5, label="target", **above)
    top.vlines(inside, 1.02, 1.12, plot.BLACK, linewidth=1.2, label="spike", **above)
    top.set_ylim(-7, 8)
    plot.finish(top, "", "potential $V$")
    middle.plot(times, current, color=plot.BLUE)
    middle.axhline(0, color=plot.GREY, linewidth=0.6)
    plot.finish(middle, "", "current $I$")
    bottom.vlines(single.times, 0, single.weights, plot.GREY, label="input")
    for k, (weight, time) in enumerate(zip(*learned, strict=True)):
        mark = {"color": _INPUTS[k], "markersize": 4, "label": f"learned input {k + 1}"}
        bottom.plot([time, time], [0, float(weight)], "o-", markevery=[1], linewidth=2, **mark)
    bottom.axhline(0, color=plot.GREY, linewidth=0.6)
    plot.finish(bottom, plot.MEMBRANE_TIME, "weight", above=True)
    for ax in axes:
        ax.set_xlim(0, DURATION)
    for ax in axes[:2]:
        ax.tick_params(labelbottom=False)


def _spike_times(ax: Axes, history: Mapping[str, np.ndarray]) -> None:
    spikes, inputs = history["spikes"], history["input_times"]
    trials, options = np.arange(len(spikes)), {"xlabel": "trial", "colors": (plot.BLUE, plot.SKY)}
    plot.spike_times(trials, spikes, ax, duration=DURATION, **options)
    for k, color in enumerate(_INPUTS):
        ax.plot(inputs[:, k], color=color, linestyle="--", label=f"learned input {k + 1}")
    mark = {"color": plot.RED, "markersize": 5, "clip_on": False, "zorder": 5, "label": "target"}
    ax.plot(np.full(len(TARGETS), len(spikes)), TARGETS, "o", **mark)
    ax.set(xlim=(0, len(spikes)), ylabel="time (membrane times)")
    ax.legend(frameon=False, fontsize="small", loc="upper right", bbox_to_anchor=(1, 0.48))


def _gradients(ax: Axes, history: Mapping[str, np.ndarray]) -> None:
    """Gradients, each divided by its largest value, along the way that the spike times went."""
    spikes = history["spikes"]
    way = np.cumsum(np.sum(np.abs(np.diff(spikes, axis=0, prepend=spikes[:1])), axis=1))
    for name, colors, symbol in (
        ("time_gradient", _INPUTS, "t"),
        ("weight_gradient", (plot.PINK, plot.BLACK), "w"),
    ):
        for k, color in enumerate(colors):
            slope = history[name][:, k]
            label = rf"$\partial L / \partial {symbol}_{k + 1}$"
            ax.plot(way, slope / (np.abs(slope).max() or 1), color=color, label=label)
    plot.finish(ax, "way of the spike times (membrane times)", "gradient / largest")
    ax.legend(frameon=False, fontsize="small", ncols=2)
