"""The figure of `jaxnlif run excitatory`, drawn from the arrays that it saves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..plot import BLACK, BLUE, GREEN, PINK, RED, finish, new_figure
from ..plot.lines import once

_Arrays = Mapping[str, np.ndarray]

_TIME = "time (membrane times)"
_RATE = "network rate (spikes / neuron / membrane time)"
_COUPLING = "coupling (mean weight)"
_COLORS = {"one_weight": BLUE, "many_weights": RED, "bounded": GREEN, "near_threshold": PINK}
_LABELS = {
    "one_weight": "one weight, σ(N) = N",
    "many_weights": "many weights, σ(N) = N",
    "bounded": "many weights, σ bounded",
}


def draw(arrays: _Arrays) -> Figure:
    """Six panels: stationary rates, attraction, hysteresis, relaxation, blow-up times, courses."""
    figure = new_figure(15.0, 9.0)
    panels = (_stationary, _attraction, _hysteresis, _relaxation, _blow_up_times, _courses)
    for panel, ax in zip(panels, figure.subplots(2, 3).flat, strict=True):
        panel(arrays, ax)
    return figure


def _stationary(arrays: _Arrays, ax: Axes) -> None:
    for name, label in _LABELS.items():
        coupling = arrays[f"branch_{name}"]
        _branch(ax, coupling, arrays["branch_rate"], color=_COLORS[name], label=label)
    for name, side in (("one_weight", (8, 2)), ("many_weights", (-62, 2))):
        coupling, rate = arrays[f"fold_{name}"]
        ax.plot(coupling, rate, "o", color=_COLORS[name])
        text: dict[str, Any] = {"textcoords": "offset points", "fontsize": "small"}
        ax.annotate(f"fold {coupling:.2f}", (coupling, rate), side, color=_COLORS[name], **text)
    ax.plot([], [], color=BLACK, linestyle="--", label="repels")
    ax.set(yscale="log", xlim=(-0.2, 4), ylim=(0.1, 20))
    finish(ax, _COUPLING, _RATE, "a  One, two and no stationary rates")


def _attraction(arrays: _Arrays, ax: Axes) -> None:
    low, high = arrays["attraction_rates"]
    for which, end in enumerate(arrays["attraction_end"]):
        color, label = (BLUE, "settles") if np.isinf(end) else (RED, "grows without bound")
        _course(ax, arrays, "attraction", which, color=color, label=once(ax, label))
    ax.axhline(high, color=BLACK, linestyle="--", label=f"stationary {high:.3f}, repels")
    ax.axhline(low, color=BLACK, label=f"stationary {low:.3f}, attracts")
    ax.plot([], [], "x", color=RED, markeredgewidth=2, label="blow-up")
    ax.set(yscale="log", ylim=(0.1, 20))
    coupling = arrays["attraction_coupling"]
    finish(ax, _TIME, _RATE, f"b  The lower rate attracts (one weight {coupling:g})")


def _hysteresis(arrays: _Arrays, ax: Axes) -> None:
    labels = {"bounded": "mean weight 8, σ bounded", "one_weight": "one weight 2.5, σ(N) = N"}
    for name, label in labels.items():
        branch, rate = arrays[f"hysteresis_{name}_branch"], arrays["hysteresis_branch_rate"]
        _branch(ax, branch, rate, color=_COLORS[name], alpha=0.4)
        drive = arrays["hysteresis_drive"]
        _course(
            ax, arrays, f"hysteresis_{name}", 0, against=drive, color=_COLORS[name], label=label
        )
    for drive, tail, head in zip(arrays["hysteresis_jumps"], (2.0, 1.2), (3.0, 0.4), strict=False):
        arrow = {"arrowstyle": "-|>", "color": GREEN, "mutation_scale": 18}
        ax.annotate("", (drive, head), (drive, tail), arrowprops=arrow)
    ax.set(xlim=(-3, 0.5), ylim=(-0.2, 7.5))
    ax.plot([], [], color=BLACK, alpha=0.4, label="stationary (dashed: repels)")
    ax.plot([], [], "x", color=BLUE, markeredgewidth=2, label="blow-up")
    finish(ax, "drive (voltage)", _RATE, "c  Hysteresis as the drive rises and falls")


def _relaxation(arrays: _Arrays, ax: Axes) -> None:
    couplings = arrays["relaxation_coupling"]
    colors = colormaps["cividis"](np.linspace(0, 0.9, couplings.size))
    for coupling, entropy, color in zip(
        couplings, arrays["relaxation_entropy"], colors, strict=True
    ):
        ax.plot(arrays["relaxation_time"], entropy, color=color, label=f"weight {coupling:g}")
    ax.set(yscale="log", ylim=(1e-14, 5))
    finish(
        ax, _TIME, "relative entropy to equilibrium", "d  Relaxation to equilibrium (one weight)"
    )


def _blow_up_times(arrays: _Arrays, ax: Axes) -> None:
    coupling = arrays["blow_up_coupling"]
    labels = {
        "one_weight": "one weight, σ(N) = N",
        "many_weights": "many weights, σ(N) = N",
        "near_threshold": "one weight, starting near the threshold",
    }
    for name, label in labels.items():
        time = arrays[f"blow_up_{name}_end"]
        time = np.where(np.isfinite(time), time, np.nan)
        ax.plot(coupling, time, "o-", color=_COLORS[name], label=label)
    never, last = np.isinf(arrays["blow_up_bounded_end"]), arrays["blow_up_bounded_time"][-1]
    label = f"many weights, σ bounded: none by time {last:g}"
    ax.plot(coupling[never], np.full(never.sum(), last), "^", color=GREEN, label=label)
    ax.axvline(arrays["fold_one_weight"][0], color=BLUE, linestyle=":", label="fold, one weight")
    ax.set(yscale="log", ylim=(0.01, 20))
    finish(ax, _COUPLING, "time of blow-up (membrane times)", "e  Stronger networks blow up sooner")
    ax.legend(loc="center right", bbox_to_anchor=(1, 0.4), frameon=False, fontsize="small")


def _courses(arrays: _Arrays, ax: Axes) -> None:
    which = int(np.argmin(np.abs(arrays["blow_up_coupling"] - 4.0)))
    coupling = arrays["blow_up_coupling"][which]
    for name, label in _LABELS.items():
        _course(ax, arrays, f"blow_up_{name}", which, color=_COLORS[name], label=label)
    ax.plot([], [], "x", color=BLACK, markeredgewidth=2, label="blow-up")
    ax.set(yscale="log", ylim=(0.02, 20), xlim=(0, 6))
    finish(ax, _TIME, _RATE, f"f  Bounded σ prevents blow-up (coupling {coupling:g})")


def _branch(
    ax: Axes, control: np.ndarray, rate: np.ndarray, *, label: str | None = None, **style: Any
) -> None:
    """Stationary rates against what controls them: solid where they attract, else dashed."""
    rising = np.gradient(control) > 0
    ax.plot(np.where(rising, control, np.nan), rate, label=label, **style)
    ax.plot(np.where(rising, np.nan, control), rate, linestyle="--", **style)


def _course(
    ax: Axes,
    arrays: _Arrays,
    run: str,
    which: int,
    *,
    against: np.ndarray | None = None,
    **style: Any,
) -> None:
    """A rate against time, or against what changes in time, with a cross where it blows up."""
    time, rate = arrays[f"{run}_time"], arrays[f"{run}_rate"][which]
    along = time if against is None else against
    end = arrays[f"{run}_end"][which]
    if np.isfinite(end):
        saved = np.isfinite(rate)
        along = np.append(along[saved], np.interp(end, time, along))
        rate = np.append(rate[saved], arrays[f"{run}_last_rate"][which])
        ax.plot(along[-1], rate[-1], "x", color=style["color"], markersize=8, markeredgewidth=2)
    ax.plot(along, rate, **style)
