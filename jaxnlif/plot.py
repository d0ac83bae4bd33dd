"""Figures of solutions. Every function draws into the axes given, or into those of a new figure."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike

from ._check import check
from .fit.result import Fit
from .grid import Grid
from .model import Hebbian
from .solve.result import Result
from .solve.solution import Solution
from .solve.solver import Regime

# Okabe and Ito's colours, which all common forms of colour vision tell apart.
BLACK, GREY, BLUE, RED = "#000000", "#8C8C8C", "#0072B2", "#D55E00"
GREEN, PINK, ORANGE, SKY = "#009E73", "#CC79A7", "#E69F00", "#56B4E9"
CYCLE = (BLUE, RED, GREEN, PINK, ORANGE, SKY)
HEAT = "cividis"

MEMBRANE_TIME = "time $t$ (membrane times)"
WEIGHT = "synaptic weight $w$"
VOLTAGE = "membrane potential $v$"
RATE = "network rate $\\bar N$\n(spikes / neuron / membrane time)"
RATES = "rate $N(w)$\n(spikes / membrane time / unit weight)"
WEIGHT_DENSITY = "weight density $H(w)$\n(1 / unit weight)"


def rate(sol: Solution, ax: Axes | None = None) -> Axes:
    r"""The network rate $\bar N(t)$ with events and regimes, and where a run ended early."""
    ax, grid = _axes(ax), _grid(sol)
    regimes(sol, ax)
    ax.plot(sol.ts, sol.rate, color=BLUE)
    if "events" in sol.logs:
        events(sol, ax)
    if sol.result != Result.completed:
        outcome, end = Result[sol.result].split(":")[0], float(sol.t_end)  # pyright: ignore
        ax.axvline(end, color=RED, linestyle="--", label=f"{outcome} at t = {end:.4g}")
    learning = "time $t$ (learning times)"
    return finish(ax, MEMBRANE_TIME if grid.w is None else learning, RATE)


def events(sol: Solution, ax: Axes) -> Axes:
    """Marks the multiple firing events at the top of an axis of time."""
    times = np.asarray(sol.events.time)
    if times.size:
        height, blend = np.full(times.size, 0.97), ax.get_xaxis_transform()
        ax.plot(times, height, "v", color=RED, transform=blend, label=f"{times.size} events")
    return ax


def regimes(sol: Solution, ax: Axes) -> Axes:
    """Shades the times at which particles were followed."""
    follows = np.asarray(sol.regime) == Regime.particles
    if np.any(follows) and not np.all(follows):
        blend, times = ax.get_xaxis_transform(), np.asarray(sol.ts)
        shade = {"color": ORANGE, "alpha": 0.35, "linewidth": 0, "step": "mid"}
        ax.fill_between(times, 0, 1, where=follows, transform=blend, label="particles", **shade)
    return ax


def raster(sol: Solution, ax: Axes | None = None) -> Axes:
    """The spikes of the recorded neurons, a row for each.

    **Raises:** `ValueError` if the solver recorded none.
    """
    ax, spikes = _axes(ax), sol.raster
    regimes(sol, ax)
    ax.plot(spikes.time, spikes.neuron, "|", color=BLACK, markersize=1.5)
    return finish(ax, MEMBRANE_TIME, "neuron")


def weights(sol: Solution, ax: Axes | None = None) -> Axes:
    """The weight density $H(w)$ at the first and the last saved time.

    **Raises:** `ValueError` for an unstructured network, which has one weight.
    """
    ax, w = _axes(ax), _weight_axis(sol)
    times, densities = np.asarray(sol.ts), np.asarray(sol.weights)
    ax.plot(w, densities[0], color=GREY, linestyle="--", label=f"$t$ = {times[0]:.4g}")
    ax.plot(w, densities[-1], color=BLUE, label=f"$t$ = {times[-1]:.4g}")
    return finish(ax, WEIGHT, WEIGHT_DENSITY)


def response(sol: Solution, ax: Axes | None = None) -> Axes:
    r"""The rates $N(w)$ at the last saved time, and the ramp $w/(K\bar N)$ that learning leads to.

    The ramp is drawn for Hebbian learning with one positive gain $K$.

    **Raises:** `ValueError` for an unstructured network, which has one weight.
    """
    ax, w = _axes(ax), _weight_axis(sol)
    ax.plot(w, np.asarray(sol.rates)[-1], color=BLUE, label="$N(w)$")
    learning = sol.model.learning
    if isinstance(learning, Hebbian) and not callable(learning.gain):
        gain = np.asarray(learning.gain)
        if gain.ndim == 0 and gain > 0:
            ramp(ax, float(gain), float(np.asarray(sol.rate)[-1]), end=w[-1])
    return finish(ax, WEIGHT, RATES)


def density(sol: Solution | ArrayLike, grid: Grid | None = None, ax: Axes | None = None) -> Axes:
    r"""The density $p(v, w)$, a heat map, with reset and threshold; a curve if unstructured.

    **Arguments:** `sol`: a solution, of which the last state is drawn, or a density of shape
    `(v, w)` together with its `grid`.

    **Raises:** `ValueError` for an array without a grid or of another shape.
    """
    ax = _axes(ax)
    if isinstance(sol, Solution):
        grid, values = _grid(sol), final_density(sol)
    else:
        check(grid is not None, "grid: must be given with an array")
        values = np.asarray(sol)
    assert grid is not None
    check(
        values.shape == grid.shape,
        f"density: shape {values.shape}: must be that of its grid, {grid.shape}",
    )
    if grid.w is None:
        return _density_curve(values[:, 0], grid, ax)
    return _density_map(values, grid, ax)


def descent(fitted: Fit, ax: Axes | None = None) -> Axes:
    """The loss of a fit before each step, on a logarithmic scale; other starts in grey."""
    ax = _axes(ax)
    others = [loss for k, loss in enumerate(fitted.losses) if k != fitted.best]
    for k, loss in enumerate(others):
        ax.plot(loss, color=GREY, linewidth=1, label=None if k else "other starts")
    ax.plot(fitted.loss, color=BLUE, label="best start" if others else None)
    ax.set_yscale("log")
    return finish(ax, "step", "loss $\\frac{1}{2} \\sum r^2$", "Descent")


def singular_values(fitted: Fit, ax: Axes | None = None) -> Axes:
    """How strongly residuals follow relative changes of the parameters; flat directions hollow.

    **Raises:** `ValueError` for a fit without an uncertainty.
    """
    ax, sure = _axes(ax), fitted.uncertainty
    if sure is None:
        raise ValueError("fitted: has no uncertainty to draw")
    values, number = sure.singular_values, np.arange(1, sure.singular_values.size + 1)
    known = number <= number.size - len(sure.flat)
    ax.plot(number[known], values[known], "o", color=BLUE, markersize=5, label="determined")
    if sure.flat:
        hollow = {"color": BLUE, "markersize": 5, "markerfacecolor": "white"}
        ax.plot(number[~known], values[~known], "o", label="flat", **hollow)
    if np.isfinite(sure.noise):
        ax.axhline(sure.noise, color=GREY, linestyle=":", label="noise")
    ax.set_yscale("log")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    sensitivity = "singular value of $\\partial r / \\partial \\log \\theta$"
    return finish(ax, "direction of the parameters", sensitivity, "How much the data tell")


def summary(sol: Solution) -> Figure:
    """All of the above in one figure; rate and density alone for an unstructured network."""
    if _grid(sol).w is None:
        figure = new_figure(9.0, 3.6)
        left, right = figure.subplots(1, 2)
        rate(sol, left)
        density(sol, ax=right)
    else:
        figure = new_figure(10.0, 7.0)
        panels = figure.subplots(2, 2)
        for panel, draw in zip(panels.flat, (rate, weights, response), strict=False):
            draw(sol, panel)
        density(sol, ax=panels[1, 1])
    return figure


# ---- parts that experiments share ------------------------------------------------------------


def new_figure(width: float, height: float) -> Figure:
    """A figure outside of pyplot's global state (inches), laid out so that nothing overlaps."""
    return Figure(figsize=(width, height), dpi=150, layout="constrained")


def finish(ax: Axes, xlabel: str, ylabel: str, title: str | None = None) -> Axes:
    """The common look: labels, no box, and a legend where something is labelled."""
    ax.set(xlabel=xlabel, ylabel=ylabel)
    if title is not None:
        ax.set_title(title, loc="left", fontsize="medium", fontweight="bold")
    ax.spines[["top", "right"]].set_visible(False)
    if ax.get_legend_handles_labels()[1]:
        ax.legend(frameon=False, fontsize="small")
    return ax


def ramp(ax: Axes, gain: float, network_rate: float, *, end: float) -> None:
    r"""Adds the closed form of the learned state, $w/(K\bar N)$ up to $A = \bar N\sqrt{2K}$.

    **Arguments:** `gain`: $K$; `network_rate`: $\bar N$; `end`: where the weight axis ends.
    """
    line = np.array([0.0, min(network_rate * (2 * gain) ** 0.5, end)])
    label = r"ramp $w / (K \bar N)$"
    ax.plot(line, line / (gain * network_rate), color=BLACK, linestyle=":", zorder=3, label=label)


def final_density(sol: Solution) -> Float[np.ndarray, "v w"]:
    """The density at the end of a run, whatever `SaveAt.fn` saved."""
    return np.asarray(sol.solver.observe(sol.state).density)


def _axes(ax: Axes | None) -> Axes:
    return new_figure(5.0, 3.6).subplots() if ax is None else ax


def _grid(sol: Solution) -> Grid:
    check(sol.ts.ndim == 1, "sol: holds a batch of runs; select one, jax.tree.map(lambda x: x[i])")
    return sol.solver.grid


def _weight_axis(sol: Solution) -> np.ndarray:
    grid = _grid(sol)
    if grid.w is None:
        raise ValueError("sol: an unstructured network has no weight axis to draw")
    return grid.w.centers


def _density_curve(values: np.ndarray, grid: Grid, ax: Axes) -> Axes:
    v = grid.v
    ax.plot(np.append(v.nodes, v.threshold), np.append(values, 0), color=BLUE)
    for position, name in ((v.reset, "$V_R$"), (v.threshold, "$V_F$")):
        ax.axvline(position, color=GREY, linestyle="--", linewidth=1)
        ax.annotate(
            name,
            (position, 1),
            (-3, -2),
            ("data", "axes fraction"),
            "offset points",
            ha="right",
            va="top",
        )
    return finish(ax, VOLTAGE, "density $p(v)$\n(1 / unit potential)")


def _density_map(values: np.ndarray, grid: Grid, ax: Axes) -> Axes:
    v, w = grid.v, grid.w
    assert w is not None
    half, margin = v.spacing / 2, 0.08 * (v.threshold - v.minimum)
    extent = (w.minimum, w.maximum, v.minimum - half, v.threshold - half)
    image = ax.imshow(values, origin="lower", extent=extent, aspect="auto", cmap=HEAT)
    ax.set_ylim(top=v.threshold + margin)
    for position, name, color in (
        (v.reset, "reset $V_R$", "white"),
        (v.threshold, "threshold $V_F$", BLACK),
    ):
        ax.axhline(position, color=color, linestyle="--", linewidth=1)
        ax.text(w.maximum, position, name + " ", color=color, ha="right", va="bottom")
    figure = ax.get_figure()
    assert figure is not None
    figure.colorbar(image, ax=ax, label="density $p(v, w)$")
    return finish(ax, WEIGHT, VOLTAGE)
