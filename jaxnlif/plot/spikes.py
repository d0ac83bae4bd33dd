"""Exact spikes: their times and gradients against a parameter, and the course of training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from .._check import check, check_positive
from . import lines
from ._data import numbers
from .size import CYCLE, GREY, SCREEN, Size
from .style import drawing, finish


def spike_times(
    parameter: ArrayLike,
    times: ArrayLike,
    ax: Axes | None = None,
    *,
    duration: float | int,
    xlabel: str = "parameter",
    labels: Sequence[str | None] | None = None,
    colors: Sequence[str] = CYCLE,
    size: Size = SCREEN,
    **line: Any,
) -> Axes:
    """Spike times against a parameter; those after the end of the trial, pseudospikes, dashed.

    **Arguments:**

    - `parameter`: of any unit, shape `(k,)`.
    - `times`: of one spike `(k,)`, or of n spikes in order `(k, n)`; not finite where there is none
      (membrane time).
    - `duration`: of the trial (membrane time).
    - `xlabel`: what the parameter is, with its unit.
    - `labels`: of the n curves, by default "spike 1", … where there are several; `colors`: theirs,
      from the first again after the last.
    - `ax`, `size`, `line`: as for `rate`; a `label` is for one curve alone.

    **Raises:** `ValueError` for arrays of other or unequal shapes, too few labels, or no keyword of
    a line.
    """
    parameter, times = _curves("times", parameter, times)
    check_positive("duration", duration)
    options = _options(times, labels, colors, line)
    with drawing(ax, size) as ax:
        for curve, keywords in zip(times.T, options, strict=True):
            (drawn,) = ax.plot(parameter, np.where(curve <= duration, curve, np.nan), **keywords)
            pseudo = np.where(_with_neighbours(curve > duration), curve, np.nan)
            dashed = {"color": drawn.get_color(), "linestyle": "--", "label": None}
            ax.plot(parameter, pseudo, **keywords | dashed)
        _end_trial(ax, times, duration)
        return finish(ax, xlabel, "spike time\n(membrane times)")


def _with_neighbours(chosen: np.ndarray) -> np.ndarray:
    """These points of a curve and those next to them, so that what joins on leaves no gap."""
    wider = chosen.copy()
    wider[1:] |= chosen[:-1]
    wider[:-1] |= chosen[1:]
    return wider


def _end_trial(ax: Axes, times: np.ndarray, duration: float | int) -> None:
    """Shades what is later than the trial, where pseudospikes are, or marks its end."""
    latest = np.max(times, where=np.isfinite(times), initial=0)
    place = {"ha": "right", "fontsize": "small", "clip_on": True}
    if latest > duration:
        ground = {"facecolor": "white", "alpha": 0.6, "linewidth": 0, "pad": 1}
        top = max(1.05 * latest, 1.15 * duration)
        # beyond the axis, which may be made longer
        ax.axhspan(duration, 10 * top, color=GREY, alpha=0.25, linewidth=0)
        ax.text(0.99, 0.98, "pseudospikes", va="top", transform=ax.transAxes, bbox=ground, **place)
    else:
        top = 1.1 * duration
        ax.axhline(duration, color=GREY, linewidth=1)
        blend = ax.get_yaxis_transform()
        ax.text(0.99, duration, "end of the trial", va="bottom", transform=blend, **place)
    ax.set_ylim(0, top)


def gradients(
    parameter: ArrayLike,
    gradients: ArrayLike,
    ax: Axes | None = None,
    *,
    xlabel: str = "parameter",
    ylabel: str = "gradient of the spike time\n(membrane times / parameter)",
    labels: Sequence[str | None] | None = None,
    colors: Sequence[str] = CYCLE,
    size: Size = SCREEN,
    **line: Any,
) -> Axes:
    """Gradients against a parameter.

    **Arguments:** `parameter`: of any unit, shape `(k,)`; `gradients`: of any unit, `(k,)`, or
    several `(k, n)`, not finite where there is none; `xlabel`, `ylabel`: what they are, with units;
    `labels`, `colors`, `ax`, `size`, `line`: as for `spike_times`.

    **Raises:** `ValueError` as `spike_times`.
    """
    parameter, slopes = _curves("gradients", parameter, gradients)
    options = _options(slopes, labels, colors, line)
    with drawing(ax, size) as ax:
        ax.axhline(0, color=GREY, linewidth=0.6)
        for curve, keywords in zip(slopes.T, options, strict=True):
            ax.plot(parameter, curve, **keywords)
        return finish(ax, xlabel, ylabel)


def _curves(name: str, parameter: Any, values: Any) -> tuple[np.ndarray, np.ndarray]:
    """The parameter `(k,)` and the curves above it `(k, n)`, NaN where they are not finite."""
    parameter = numbers("parameter", parameter, (None,))
    k = parameter.size
    curves = numbers(name, values, (k,), (k, None)).reshape(k, -1)
    return parameter, np.where(np.isfinite(curves), curves, np.nan)


def _options(
    curves: np.ndarray,
    labels: Sequence[str | None] | None,
    colors: Sequence[str | None],
    line: Mapping[str, Any],
) -> list[dict[str, Any]]:
    """The keywords of each curve."""
    n = curves.shape[1]
    if n == 1 and colors is CYCLE:
        colors = [None]  # the next one of the axes
    check(n == 1 or "label" not in line, "label: is of one curve; several have labels")
    names = [f"spike {k + 1}" if n > 1 else None for k in range(n)] if labels is None else labels
    check(len(names) == n, f"labels: {len(names)}: must be as many as there are curves, {n}")
    return [lines.options(line, label=names[k], color=colors[k % len(colors)]) for k in range(n)]


def training(
    losses: ArrayLike | Mapping[str, Any],
    ax: Axes | None = None,
    *,
    steps: ArrayLike | None = None,
    xlabel: str = "step",
    ylabel: str = "loss",
    size: Size = SCREEN,
    **line: Any,
) -> Axes:
    """How training went: a curve a measure, on a logarithmic scale where none is negative.

    **Arguments:**

    - `losses`: of one training `(k,)`, or of several `(runs, k)`, of which the mean is drawn in a
      band of a standard deviation; or several such by name.
    - `steps`: where they were measured, of any unit, shape `(k,)`; by default 0, 1, ….
    - `xlabel`, `ylabel`: what they are.
    - `ax`, `size`, `line`: as for `rate`; curves by name have no other `label`.

    **Raises:** `ValueError` for arrays of other or unequal shapes, or no keyword of a line.
    """
    if isinstance(losses, Mapping):
        curves = {name: _runs(f"losses[{name!r}]", value) for name, value in losses.items()}
        check(len(curves) > 0, "losses: must hold at least one curve")
        check("label" not in line, "label: is of one curve; those of losses have their names")
        colors = CYCLE
    else:
        curves, colors = {None: _runs("losses", losses)}, (None,)
    lines.options(line)
    with drawing(ax, size) as ax:
        for k, (name, runs) in enumerate(curves.items()):
            length = runs.shape[1]
            at = np.arange(length) if steps is None else numbers("steps", steps, (length,))
            keywords = lines.options(line, label=name, color=colors[k % len(colors)])
            _mean_and_spread(ax, at, runs, **keywords)
        finite = np.concatenate([runs[np.isfinite(runs)] for runs in curves.values()])
        if np.all(finite >= 0) and np.any(finite > 0):
            ax.set_yscale("log")
        return finish(ax, xlabel, ylabel)


def _runs(name: str, value: Any) -> Float[np.ndarray, "runs k"]:
    """The curves of all runs."""
    array = numbers(name, value, (None,), (None, None))
    return array.reshape(-1, array.shape[-1])


def _mean_and_spread(ax: Axes, at: np.ndarray, runs: np.ndarray, **options: Any) -> None:
    """Draws the mean of the runs and, of several, a band of a standard deviation."""
    mean, spread = runs.mean(0), runs.std(0)
    (line,) = ax.plot(at, mean, **options)
    if len(runs) > 1:
        band = {"color": line.get_color(), "alpha": 0.3, "linewidth": 0}
        ax.fill_between(at, mean - spread, mean + spread, **band)
