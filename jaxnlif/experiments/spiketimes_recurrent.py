r"""Two neurons of a recurrent network learn spike times.

Ten QIF neurons, each excited and inhibited by a Poisson input of its own (weights ±5, rate 1), in a
trial of 10 membrane times. Recurrent weights and initial states are learned, all from 0: the first
neuron is to spike at the times of a Poisson train of rate 1, the second at those of one of rate
1/2, and no more often (Klos & Memmesheimer 2025, Fig. 3).
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
from ..spikes import QIF, InputSpikes, Recurrent, Trial
from ._training import Training

DURATION = 10.0
NEURONS = 10
INPUT_WEIGHT = 5.0
INPUT_RATE = 1.0
TARGET_RATES = (1.0, 0.5)
DEAD_TIME = 1.0
"""Shortest distance of target spikes."""
BEYOND = 1.03
"""The next spike after the last target is to come after this many trial durations (1.1 in the
reference: the farther, the more often a spike is pushed out against those before it)."""
MAX_EVENTS = 500
RATE, SECOND, LONGEST = 2e-2, 0.95, 1.0
"""Of Adam: the rate at first, the decay of squared gradients, and the longest gradient.

Of the seeds 0 to 15 all end within 0.01 of their targets, with a slower decay (0.99) 13; of those
from 16 to 31, which the decay was not chosen by, 13."""


class Learned(NamedTuple):
    """Recurrent weights, shape `(10, 10)`, and initial potentials and currents, `(10,)` each."""

    weights: Float[Array, "n n"]
    initial: tuple[Float[Array, " n"], Float[Array, " n"]]


class Reservoir(NamedTuple):
    """Input spikes, weights of the inputs, and target times of each trained neuron; the next spike
    after them is to come after `beyond` trial durations."""

    inputs: InputSpikes
    input_weights: Float[Array, "n m"]
    targets: tuple[Float[np.ndarray, " k"], ...]
    beyond: float = BEYOND

    def trial(self, learned: Learned) -> Trial:
        """A trial of the network with these weights."""
        net = Recurrent(
            QIF(jnp.ones((), learned.weights.dtype)),
            learned.weights,
            self.input_weights,
            learned.initial,
            outputs=range(len(self.targets)),
            max_spikes=max(map(len, self.targets)) + 1,
            max_events=MAX_EVENTS,
        )
        return net.trial(self.inputs, duration=DURATION)

    def outputs(self, trial: Trial) -> list[Float[Array, " k"]]:
        """For each trained neuron the times that are compared: of one spike more than targets."""
        return [x[: len(t) + 1] for x, t in zip(trial.times, self.targets, strict=True)]

    def residuals(self, outputs: list[Array]) -> Float[Array, " r"]:
        """$(t - t^*)/(t^* + 2)$ of all targets; of a spike too many while it is too early."""
        parts, late = [], self.beyond * DURATION
        for times, targets in zip(outputs, self.targets, strict=True):
            extra = jnp.minimum(times[-1:] - late, 0) / (late + 2)
            parts += [(times[:-1] - targets) / (targets + 2), extra]
        return jnp.concatenate(parts)

    def loss(self, outputs: list[Array]) -> Float[Array, ""]:
        """The mean of the squared residuals."""
        return jnp.mean(self.residuals(outputs) ** 2)


def task(seed: int) -> Reservoir:
    """Draws inputs and targets."""
    rng = np.random.default_rng(seed)
    m = 2 * NEURONS
    counts = rng.poisson(INPUT_RATE * DURATION, m)
    times = rng.uniform(0, DURATION, counts.sum())
    sources = np.repeat(np.arange(m), counts)
    order = np.argsort(times)
    targets = []
    for rate in TARGET_RATES:
        train = np.full(1, DURATION)
        while train[0] >= DURATION:  # a neuron without a target would have nothing to learn
            gaps = rng.exponential(1 / rate, int(3 * DURATION))
            train = np.cumsum(gaps + np.where(np.arange(gaps.size) > 0, DEAD_TIME, 0))
        targets.append(train[train < DURATION])
    weights = INPUT_WEIGHT * np.hstack([np.eye(NEURONS), -np.eye(NEURONS)])
    inputs = InputSpikes(jnp.asarray(times[order]), jnp.asarray(sources[order]))
    return Reservoir(inputs, jnp.asarray(weights), tuple(targets))


def start() -> Learned:
    """All parameters 0."""
    zero = jnp.zeros(NEURONS)
    return Learned(jnp.zeros((NEURONS, NEURONS)), (zero, zero))


def adam(trials: int) -> optax.GradientTransformation:
    """Adam with bounded gradients and a rate that falls to 0 at the last of the trials."""
    rate = optax.cosine_decay_schedule(RATE, trials)
    return optax.chain(optax.clip_by_global_norm(LONGEST), optax.adam(rate, b2=SECOND))


def training(reservoir: Reservoir, seed: int, trials: int) -> Training:
    """Gradient descent by `adam`; with another number of trials it is another training."""
    optimiser = adam(trials)

    def loss(learned: Learned) -> tuple[Float[Array, ""], tuple[list[Array], Trial]]:
        trial = reservoir.trial(learned)
        outputs = reservoir.outputs(trial)
        return reservoir.loss(outputs), (outputs, trial)

    def step(state: tuple[Learned, Any]) -> tuple[tuple[Learned, Any], dict[str, Array]]:
        learned, memory = state
        slope, (outputs, trial) = jax.grad(loss, has_aux=True)(learned)
        change, memory = optimiser.update(slope, memory)
        changed: Any = optax.apply_updates(learned, change)
        return (changed, memory), records(reservoir, learned, outputs, trial)

    first = start()
    told = identity(seed, "adam") | {"trials": trials}
    return Training(step, (first, optimiser.init(first)), told)


def identity(seed: int, optimiser: str) -> dict[str, Any]:
    """What tells trainings apart."""
    precision = start().weights.dtype.name
    return {"task": "recurrent", "optimiser": optimiser, "seed": seed, "precision": precision}


def records(
    reservoir: Reservoir, learned: Learned, outputs: list[Array], trial: Trial
) -> dict[str, Array]:
    """What is kept of a trial."""
    potential, current = learned.initial
    return {
        "loss": reservoir.loss(outputs),
        "counts": trial.num_spikes,
        **{f"spikes_{k}": times for k, times in enumerate(outputs)},
        "weights": learned.weights,
        "potential": potential,
        "current": current,
    }


def learned_at(history: Mapping[str, np.ndarray], trial: int) -> Learned:
    """The parameters of a trial."""
    weights, *initial = (
        jnp.asarray(history[k][trial]) for k in ("weights", "potential", "current")
    )
    return Learned(weights, (initial[0], initial[1]))


def errors(reservoir: Reservoir, history: Mapping[str, np.ndarray]) -> Float[np.ndarray, " trials"]:
    """The largest distance of a spike from its target in each trial (membrane time)."""
    worst = [
        np.abs(history[f"spikes_{k}"][:, :-1] - targets).max(axis=1)
        for k, targets in enumerate(reservoir.targets)
    ]
    return np.max(worst, axis=0)


def changes(history: Mapping[str, np.ndarray]) -> tuple[int, int]:
    """How many spikes appeared, and how many vanished, between trials of a descent."""
    change = np.diff(history["counts"].astype(int), axis=0)
    if "restart" in history:
        change = change[np.diff(history["restart"]) == 0]
    return int(change[change > 0].sum()), int(-change[change < 0].sum())


def summary(reservoir: Reservoir, history: Mapping[str, np.ndarray]) -> list[str]:
    """What was learned, in lines."""
    loss, counts, trial = history["loss"], history["counts"], _noun(history)
    appeared, vanished = changes(history)
    error = errors(reservoir, history)
    descents = f" in {history['restart'][-1] + 1} descents" if "restart" in history else ""
    return [
        f"{trial}s {len(loss)}{descents}, loss {loss[0]:.3g} at first, {loss[-1]:.3g} in the end",
        f"largest distance from a target {error[0]:.3g} at first, {error.min():.3g} at "
        f"best ({trial} {error.argmin()}), {error[-1]:.3g} in the end (membrane times)",
        f"spikes of the network {counts[0].sum()} → {counts[-1].sum()}: {appeared} appeared, "
        f"{vanished} vanished on the way",
    ]


def _noun(history: Mapping[str, np.ndarray]) -> str:
    """What a record is of."""
    return "step" if "restart" in history else "trial"


# ---- the figure ------------------------------------------------------------------------------

_TRAINED = plot.BLUE, plot.GREEN
"""Colours of the trained neurons."""


def draw(reservoir: Reservoir, history: Mapping[str, np.ndarray]) -> Figure:
    """Rasters before and after; spike times of both trained neurons, loss and error in trials."""
    figure = plot.new_figure(10.0, 8.5)
    panels = figure.subplots(3, 2, height_ratios=[1.4, 1.6, 1])
    scale = "linear" if "restart" in history else "log"  # the last steps matter, the first trials
    for ax in panels[1:].flat:
        ax.set_xscale(scale)
    for ax, trial in zip(panels[0], (0, len(history["loss"]) - 1), strict=True):
        _raster(ax, reservoir, history, trial)
    for k, ax in enumerate(panels[1]):
        _spike_times(ax, reservoir, history, k)
    trials = np.arange(1, len(history["loss"]) + 1)
    error, label = errors(reservoir, history), "largest error\n(membrane times)"
    along = {"steps": trials, "xlabel": f"{_noun(history)} + 1"}
    plot.training(history["loss"], panels[2, 0], **along)
    plot.training(error, panels[2, 1], **along, ylabel=label)
    panels[2, 1].axhline(0.01, color=plot.RED, linestyle="--", linewidth=1, label="aim")
    plot.finish(panels[2, 1], along["xlabel"], label, above=True)
    for ax in panels[1:].flat:
        ax.set_xlim(1, len(trials))
    return figure


def _raster(ax: Axes, reservoir: Reservoir, history: Mapping[str, np.ndarray], trial: int) -> None:
    events = reservoir.trial(learned_at(history, trial)).events
    assert events is not None
    times, sources = np.asarray(events.times), np.asarray(events.sources)
    spikes = [times[sources == i] for i in range(NEURONS)]
    colors = [*_TRAINED] + [plot.BLACK] * (NEURONS - 2)
    for k, targets in enumerate(reservoir.targets):
        options = {"linewidth": 5, "alpha": 0.6, "label": None if k else "target"}
        ax.vlines(targets, k - 0.5, k + 0.5, plot.ORANGE, **options)
    ax.eventplot(spikes, colors=colors, linelengths=0.8, linewidths=1.4)
    for color, name in zip(colors, ("neuron 1", "neuron 2", "others"), strict=False):
        ax.plot([], [], color=color, label=name)
    ax.set(xlim=(0, DURATION), ylim=(NEURONS - 0.4, -0.6), yticks=[0, NEURONS - 1])
    ax.set_yticklabels(["1", str(NEURONS)])
    plot.finish(ax, plot.MEMBRANE_TIME, "neuron", f"{_noun(history)} {trial}", above=True)


def _spike_times(ax: Axes, reservoir: Reservoir, history: Mapping[str, np.ndarray], k: int) -> None:
    spikes, targets = history[f"spikes_{k}"], reservoir.targets[k]
    trials = np.arange(1, len(spikes) + 1)
    colors = [_TRAINED[k]] * len(targets) + [plot.BLACK]
    labels = ["spike with a target"] + [None] * (len(targets) - 1) + ["next spike"]
    options = {"xlabel": f"{_noun(history)} + 1", "labels": labels, "colors": colors}
    plot.spike_times(trials, spikes, ax, duration=DURATION, **options)
    mark = {"color": plot.ORANGE, "clip_on": False, "label": "target"}
    ax.plot(np.full(len(targets), trials[-1]), targets, "o", **mark)
    ax.set_ylim(0, 1.35 * DURATION)
    plot.finish(ax, ax.get_xlabel(), ax.get_ylabel(), f"neuron {k + 1}")
