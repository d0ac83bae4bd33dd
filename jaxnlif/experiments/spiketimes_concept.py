r"""The time of the first spike against the weight and the time of an input, for QIF and LIF.

A LIF neuron's spike vanishes in the middle of the trial, at a gradient that diverges; a QIF
neuron's moves to the end of the trial, its gradient finite all the way (Klos & Memmesheimer 2025,
Fig. 1). Weights are in units of the least one that makes a neuron at rest spike at all, $π^2/4$
and 4.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .. import plot
from ..integrate.progress import AbstractProgress, NoProgress
from ..spikes import LIF, QIF, Recurrent, Trial, sorted_spikes
from ..spikes.neuron import AbstractNeuron

ARRIVAL = 0.5
"""When the excitatory input comes (membrane times)."""
POINTS = 4001
MAX_EVENTS = 12


class Model(NamedTuple):
    """A neuron, its least weight, the trial's duration, and the excitation where the time varies.

    `weights`, `times` are the examples whose potentials are drawn, in units of the least weight and
    in membrane times.
    """

    neuron: AbstractNeuron
    least: float
    duration: float
    excitation: float
    weights: tuple[float, ...]
    times: tuple[float, ...]


class Curve(NamedTuple):
    """First spike times (`inf`: none) and derivatives against a parameter, shape `(k,)` each."""

    parameter: Float[np.ndarray, " k"]
    time: Float[np.ndarray, " k"]
    slope: Float[np.ndarray, " k"]


class Found(NamedTuple):
    """A model and its curves."""

    model: Model
    by_weight: Curve
    by_time: Curve


def models() -> dict[str, Model]:
    """QIF and LIF, as published."""
    return {
        "QIF": Model(QIF(), np.pi**2 / 4, 4.0, 1.5, (0.95, 1.15, 1.5), (0.65, 0.95, 2.2)),
        "LIF": Model(LIF(), 4.0, 3.0, 1.4, (0.95, 1.05, 1.4), (0.55, 0.65, 1.5)),
    }


def trial(model: Model, weight: Array, inhibition: Array, time: Array) -> tuple[Recurrent, Trial]:
    """The neuron with an excitatory input of this weight and an inhibitory one at this time.

    Weights are in units of the least one.
    """
    dtype = time.dtype
    weights = model.least * jnp.stack([weight, -inhibition])[None]
    neuron = jax.tree.map(lambda x: x.astype(dtype), model.neuron)
    net = Recurrent(neuron, jnp.zeros((1, 1), dtype), weights, max_events=MAX_EVENTS)
    times = jnp.stack([jnp.full((), ARRIVAL, dtype), time])
    inputs = sorted_spikes(times, jnp.arange(2))
    return net, net.trial(inputs, duration=model.duration)


def explore(points: int = POINTS, progress: AbstractProgress | None = None) -> dict[str, Found]:
    """Spike times and derivatives of both neurons against both parameters."""
    neurons = models()
    with closing((progress or NoProgress()).start(len(neurons))) as bar:
        found = {}
        for name, model in neurons.items():
            found[name] = _both(model, points)
            bar.update(1)
    return found


def _both(model: Model, points: int) -> Found:
    def first(weight: Array, inhibition: Array, time: Array) -> Float[Array, ""]:
        return trial(model, weight, inhibition, time)[1].spike_times[0, 0]

    slopes = jax.jit(jax.vmap(jax.value_and_grad(first, (0, 2))))
    weights, times = jnp.linspace(0, 2, points), jnp.linspace(0, model.duration, points)
    same = jnp.ones(points)
    by_weight, (slope, _) = slopes(weights, 0 * same, model.duration * same)
    curves = [Curve(*map(np.asarray, (weights, by_weight, slope)))]
    by_time, (_, slope) = slopes(model.excitation * same, same, times)
    curves.append(Curve(*map(np.asarray, (times, by_time, slope))))
    return Found(model, *curves)


def arrays(found: Mapping[str, Found]) -> dict[str, np.ndarray]:
    """Every curve by name."""
    return {
        f"{name}_{curve}_{column}": getattr(getattr(one, curve), column)
        for name, one in found.items()
        for curve in ("by_weight", "by_time")
        for column in Curve._fields
    }


def vanishing(curve: Curve) -> tuple[float, float]:
    """The latest spike, and the largest derivative in size, where there is a spike."""
    spikes = np.isfinite(curve.time)
    # no number where the potential only touches the threshold
    return float(curve.time[spikes].max()), float(np.nanmax(np.abs(curve.slope[spikes])))


def summary(found: Mapping[str, Found]) -> list[str]:
    """Where spikes vanish and how large gradients become, in lines."""
    lines = [f"{'':6}{'trial ends':>12}{'last spike at':>15}{'largest |dt/dw|':>17}"]
    for name, one in found.items():
        latest, steepest = vanishing(one.by_weight)
        lines.append(f"{name:6}{one.model.duration:12g}{latest:15.4f}{steepest:17.3g}")
    return lines


# ---- the figure ------------------------------------------------------------------------------

COLORS = {"QIF": plot.BLUE, "LIF": plot.RED}
SHADES = {"QIF": ("#9ECAE1", "#4292C6", "#08519C"), "LIF": ("#FDBE85", "#E6772E", "#A63603")}


def draw(found: Mapping[str, Found]) -> Figure:
    """Potentials of three examples for each neuron and parameter; spike times; gradients."""
    figure = plot.new_figure(10.0, 9.5)
    panels = figure.subplots(4, 2, height_ratios=[1, 1, 1.5, 1])
    for row, name in enumerate(("LIF", "QIF")):
        one = found[name]
        model, beyond = one.model, one.model.duration
        by_weight = [(weight, 0.0, beyond) for weight in model.weights]
        by_time = [(model.excitation, 1.0, time) for time in model.times]
        weights = [f"$w / w_{{min}}$ = {weight:g}" for weight in model.weights]
        times = [f"at $t$ = {time:g}" for time in model.times]
        _potentials(panels[row, 0], name, model, by_weight, weights)
        _potentials(panels[row, 1], name, model, by_time, times)
    panels[0, 0].set_title("weight of an input", loc="left", fontweight="bold", pad=16)
    panels[0, 1].set_title("time of an inhibitory input", loc="left", fontweight="bold", pad=16)
    by_weight = {name: (one.by_weight, 1.0, one.model.weights) for name, one in found.items()}
    by_time = {
        name: (one.by_time, one.model.duration, one.model.times) for name, one in found.items()
    }
    for column, curves in enumerate((by_weight, by_time)):
        _curves(panels[2:, column], found, curves)
    for ax, label in ((panels[3, 0], "weight $w / w_{min}$"), (panels[3, 1], "input time $/ T$")):
        ax.set(ylim=(-25, 1))
        plot.finish(
            ax, label, "gradient\n(membrane times / weight)" if ax is panels[3, 0] else "gradient"
        )
    for ax in panels[2]:
        plot.finish(ax, "", "first spike $/ T$")
    for ax in panels[2:, 0]:
        ax.set_xlim(0, 2)
    for ax in panels[2:, 1]:
        ax.set_xlim(0, 1)
    return figure


def _potentials(
    ax: Axes,
    name: str,
    model: Model,
    examples: Sequence[tuple[float, float, float]],
    labels: Sequence[str],
) -> None:
    times = np.linspace(0, model.duration, 3000)
    for example, color, label in zip(examples, SHADES[name], labels, strict=True):
        net, one = trial(model, *(jnp.asarray(x, float) for x in example))
        potential = np.asarray(net.trace(one, times)[0])[:, 0]
        limit = 6 if name == "QIF" else np.inf
        shown = np.where(np.abs(potential) < limit, potential, np.nan)
        ax.plot(times, shown, color=color, label=label)
        spikes = np.asarray(one.spike_times)[0]
        blend = ax.get_xaxis_transform()
        ax.vlines(spikes[:1], 0.94, 1.04, color, transform=blend, clip_on=False, linewidth=2)
    ax.axhline(0, color=plot.GREY, linewidth=0.6)
    ax.axhline(1, color=plot.GREY, linewidth=0.6, linestyle="--")
    ax.set(xlim=(0, model.duration), ylim=(-2.5, 3.4) if name == "QIF" else (-0.9, 1.3))
    plot.finish(ax, plot.MEMBRANE_TIME, f"{name}\npotential $V$")
    ax.legend(frameon=False, fontsize="small", loc="lower left", borderaxespad=0)


def _curves(
    axes: np.ndarray,
    found: Mapping[str, Found],
    curves: Mapping[str, tuple[Curve, float, tuple[float, ...]]],
) -> None:
    """Spike times and gradients of both neurons, and the examples on them.

    **Arguments:** `curves`: for each neuron its curve, the unit of the parameter, and the examples.
    """
    top, bottom = axes
    along = next(curve.parameter / unit for curve, unit, _ in curves.values())
    shown = {name: np.isfinite(curve.time) for name, (curve, _, _) in curves.items()}
    times = {name: curves[name][0].time / found[name].model.duration for name in curves}
    slopes = [np.where(shown[name], curve.slope, np.nan) for name, (curve, _, _) in curves.items()]
    options: dict[str, Any] = {"labels": list(curves), "colors": [COLORS[name] for name in curves]}
    plot.spike_times(along, np.stack(list(times.values()), 1), top, duration=1.0, **options)
    plot.gradients(along, np.stack(slopes, 1), bottom, **options)
    for name, (_, unit, examples) in curves.items():
        for example, shade in zip(examples, SHADES[name], strict=True):
            value = np.interp(example / unit, along, np.where(shown[name], times[name], -1))
            if value > 0:
                top.plot(example / unit, value, "o", color=shade, zorder=5)
