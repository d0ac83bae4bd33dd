"""Exact spikes: their times and gradients against a parameter, and the course of training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from .._check import check, check_positive
from ._data import numbers
from .style import BLACK, CYCLE, GREY, SCREEN, Size, drawing, finish


def spike_times(
    parameter: Float[ArrayLike, " k"],
    times: Float[ArrayLike, "k *n"],
    ax: Axes | None = None,
    *,
    duration: float | int,
    xlabel: str = "parameter",
    size: Size = SCREEN,
) -> Axes:
    """Spike times against a parameter; those after the end of the trial, pseudospikes, dashed.

    **Arguments:**

    - `parameter`: of any unit, shape `(k,)`.
    - `times`: of one spike `(k,)`, or of n spikes in order `(k, n)`; not finite where there is none
      (membrane time).
    - `duration`: of the trial (membrane time).
    - `xlabel`: what the parameter is, with its unit.
    - `ax`, `size`: as for `rate`.

    **Raises:** `ValueError` for arrays of other or unequal shapes.
    """
    parameter, times = _curves("times", parameter, times)
    check_positive("duration", duration)
    with drawing(ax, size) as ax:
        for k, curve in enumerate(times.T):
            color = CYCLE[k % len(CYCLE)]
            label = f"spike {k + 1}" if times.shape[1] > 1 else None
            ordinary = np.where(curve <= duration, curve, np.nan)
            ax.plot(parameter, ordinary, color=color, label=label)
            beyond = curve > duration
            # with their neighbours, so that the curve has no gap where a spike leaves the trial
            beyond[1:] |= curve[:-1] > duration
            beyond[:-1] |= curve[1:] > duration
            pseudo = np.where(beyond & np.isfinite(curve), curve, np.nan)
            ax.plot(parameter, pseudo, color=color, linestyle="--")
        _shade_pseudospikes(ax, times, duration)
        return finish(ax, xlabel, "spike time\n(membrane times)")


def _shade_pseudospikes(ax: Axes, times: np.ndarray, duration: float) -> None:
    """Shades what is later than the trial, if anything is, up to the top."""
    latest = np.max(times, where=np.isfinite(times), initial=0)
    if latest > duration:
        top = max(1.05 * latest, 1.15 * duration)
        ax.axhspan(duration, top, color=GREY, alpha=0.25, linewidth=0, label="pseudospikes")
        ax.set_ylim(0, top)
    else:
        ax.set_ylim(0, 1.02 * duration)
        ax.axhline(duration, color=GREY, linewidth=1, label="end of the trial")


def gradients(
    parameter: Float[ArrayLike, " k"],
    gradients: Float[ArrayLike, "k *n"],
    ax: Axes | None = None,
    *,
    xlabel: str = "parameter",
    ylabel: str = "gradient of the spike time\n(membrane times / parameter)",
    size: Size = SCREEN,
) -> Axes:
    """Gradients against a parameter.

    **Arguments:** `parameter`: of any unit, shape `(k,)`; `gradients`: of any unit, `(k,)`, or
    several `(k, n)`, not finite where there is none; `xlabel`, `ylabel`: what they are, with units;
    `ax`, `size`: as for `rate`.

    **Raises:** `ValueError` for arrays of other or unequal shapes.
    """
    parameter, slopes = _curves("gradients", parameter, gradients)
    with drawing(ax, size) as ax:
        ax.axhline(0, color=GREY, linewidth=0.6)
        for k, curve in enumerate(slopes.T):
            label = f"spike {k + 1}" if slopes.shape[1] > 1 else None
            shown = np.where(np.isfinite(curve), curve, np.nan)
            ax.plot(parameter, shown, color=CYCLE[k % len(CYCLE)], label=label)
        return finish(ax, xlabel, ylabel)


def _curves(name: str, parameter: Any, values: Any) -> tuple[np.ndarray, np.ndarray]:
    """The parameter `(k,)` and the curves above it `(k, n)`."""
    parameter = numbers("parameter", parameter, (None,))
    k = parameter.size
    return parameter, numbers(name, values, (k,), (k, None)).reshape(k, -1)


def training(
    losses: Float[ArrayLike, "*runs k"] | Mapping[str, Any],
    ax: Axes | None = None,
    *,
    steps: Float[ArrayLike, " k"] | None = None,
    xlabel: str = "step",
    ylabel: str = "loss",
    size: Size = SCREEN,
) -> Axes:
    """How training went: a curve a measure, on a logarithmic scale where none is negative.

    **Arguments:**

    - `losses`: of one training `(k,)`, or of several `(runs, k)`, of which the mean is drawn in a
      band of a standard deviation; or several such by name.
    - `steps`: where they were measured, of any unit, shape `(k,)`; by default 0, 1, ….
    - `xlabel`, `ylabel`: what they are.
    - `ax`, `size`: as for `rate`.

    **Raises:** `ValueError` for arrays of other or unequal shapes.
    """
    named = losses if isinstance(losses, Mapping) else {"": losses}
    check(len(named) > 0, "losses: must hold at least one curve")
    curves = {
        name: _runs(f"losses[{name!r}]" if name else "losses", x) for name, x in named.items()
    }
    with drawing(ax, size) as ax:
        colors: Sequence[str] = CYCLE if len(curves) > 1 else (BLACK,)
        for k, (name, runs) in enumerate(curves.items()):
            at = (
                np.arange(runs.shape[1])
                if steps is None
                else numbers("steps", steps, runs.shape[1:])
            )
            mean, spread, color = runs.mean(0), runs.std(0), colors[k % len(colors)]
            ax.plot(at, mean, color=color, label=name or None)
            if len(runs) > 1:
                band = {"color": color, "alpha": 0.3, "linewidth": 0}
                ax.fill_between(at, mean - spread, mean + spread, **band)
        finite = np.concatenate([x[np.isfinite(x)] for x in curves.values()])
        if np.all(finite >= 0) and np.any(finite > 0):
            ax.set_yscale("log", nonpositive="clip")
        return finish(ax, xlabel, ylabel)


def _runs(name: str, value: Any) -> np.ndarray:
    """The curves of all runs, shape `(runs, k)`."""
    array = numbers(name, value, (None,), (None, None))
    return array.reshape(-1, array.shape[-1])
