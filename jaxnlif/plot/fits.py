"""Fits: the way down, what was found, and what the data tell."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from .._check import check
from ..fitting.result import Fit
from ..fitting.uncertainty import Uncertainty
from .size import BLUE, GREY, ORANGE, SCREEN, Size
from .style import drawing, finish
from .style import figure as new_panels

_LOSS = "loss $\\frac{1}{2} \\sum r^2$"
_NAMED = 12
"""Parameters whose numbers there is room to write."""
_LABELLED = 20
"""Parameters whose names there is room to write; of more every second one is named, and so on."""


def descent(fitted: Fit, ax: Axes | None = None, *, size: Size = SCREEN) -> Axes:
    """The loss of a fit before each step, on a logarithmic scale; other starts in grey.

    **Arguments:** `fitted`: a `Fit`; `ax`, `size`: as for `rate`.

    **Raises:** `ValueError` for what is no `Fit`, or no `Axes` or `Size`.
    """
    _check_fit(fitted)
    others = [loss for k, loss in enumerate(fitted.losses) if k != fitted.best]
    with drawing(ax, size) as ax:
        for k, loss in enumerate(others):
            ax.plot(loss, color=GREY, linewidth=1, label=None if k else "other starts")
        ax.plot(fitted.loss, color=BLUE, label="best start" if others else None)
        ax.set_yscale("log")
        return finish(ax, "step", _LOSS, "Descent")


def singular_values(fitted: Fit, ax: Axes | None = None, *, size: Size = SCREEN) -> Axes:
    """How strongly residuals follow relative changes of the parameters; flat directions hollow.

    **Arguments:** as for `descent`.

    **Raises:** `ValueError` for a fit without an uncertainty.
    """
    sure = _uncertainty(fitted)
    values, number = sure.singular_values, np.arange(1, sure.singular_values.size + 1)
    known = number <= number.size - len(sure.flat)
    with drawing(ax, size) as ax:
        ax.plot(number[known], values[known], "o", color=BLUE, label="determined")
        if sure.flat:
            hollow: dict[str, Any] = {"color": BLUE, "markerfacecolor": "white"}
            ax.plot(number[~known], values[~known], "o", label="flat", **hollow)
            # What changes nothing at all is at the bottom of a logarithmic scale.
            none = number[values == 0]
            low: dict[str, Any] = {"transform": ax.get_xaxis_transform(), "clip_on": False}
            ax.plot(none, np.zeros(none.size), "o", **hollow, **low)
        if np.isfinite(sure.noise):
            ax.axhline(sure.noise, color=GREY, linestyle=":", label="noise")
        ax.set_yscale("log")
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        sensitivity = "singular value of $\\partial r / \\partial \\log \\theta$"
        return finish(ax, "direction of the parameters", sensitivity, "How much the data tell")


def parameters(
    fitted: Fit,
    truth: Any = None,
    ax: Axes | None = None,
    *,
    names: Any = None,
    size: Size = SCREEN,
) -> Axes:
    """Each fitted number ± its standard error; hollow, without a bar, if it is not determined.

    Numbers that are not determined have no say in the axis: one beyond it stands at its end.

    **Arguments:**

    - `fitted`, `ax`, `size`: as for `descent`.
    - `truth`: the model with the true values, or these in the order of `Fit.names`, if known.
    - `names`: what to call the numbers, with units; `Fit.names` by default.

    **Raises:** `ValueError` for a fit without an uncertainty, and if the true values or names are
    not as many as were fitted.
    """
    sure, values = _uncertainty(fitted), _row(fitted.values)
    names = fitted.names if names is None else tuple(names)
    check(len(names) == values.size, f"names: {len(names)}: must be {values.size}")
    true = None if truth is None else _truth(fitted, truth)
    low, high = known_limits(values, sure.std, *([] if true is None else [true]))
    with drawing(ax, size) as ax:
        for row, (value, error) in enumerate(zip(values, sure.std, strict=True)):
            point = {"color": BLUE, "marker": "o", "linestyle": "none", "zorder": 3}
            place = min(max(value, low), high)
            if np.isfinite(error):
                ax.errorbar(value, row, xerr=error, capsize=3, **point)
            else:
                ax.plot(place, row, markerfacecolor="white", **point)
            if values.size <= _NAMED:
                above = {"xytext": (0, 10), "textcoords": "offset points", "ha": "center"}
                text = f"{value:.4g} {in_words(error)}"
                ax.annotate(text, (place, row), fontsize="small", **above)
        if true is not None:
            rows = np.arange(true.size)
            options = {"color": ORANGE, "linewidth": 4, "alpha": 0.6, "label": "truth"}
            ax.vlines(true, rows - 0.14, rows + 0.14, **options)
        ticks = range(0, len(names), -(-len(names) // _LABELLED))
        ax.set_yticks(ticks, [names[k] for k in ticks])
        ax.set_ylim(len(names) - 0.5, -0.7)
        room = 0.4 * (high - low)  # for the numbers
        ax.set_xlim(low - room, high + room)
        return finish(ax, "fitted value ± standard error", "", "What was found")


def fit(fitted: Fit, truth: Any = None, *, size: Size = SCREEN) -> Figure:
    """All of the above in one figure; the descent alone for a fit without an uncertainty.

    **Arguments:** `fitted`, `truth`, `size`: as for `parameters`.

    **Raises:** `ValueError` as `parameters`.
    """
    _check_fit(fitted)
    if fitted.uncertainty is None:
        figure, panel = new_panels(size=size)
        descent(fitted, panel)
        return figure
    columns = size.columns(3)
    figure, panels = new_panels(-(-3 // columns), columns, size=size)
    left, middle, right, *rest = np.ravel(panels)
    for panel in rest:
        panel.remove()
    descent(fitted, left)
    parameters(fitted, truth, middle)
    singular_values(fitted, right)
    return figure


def known_limits(
    values: Float[np.ndarray, " p"], std: Float[np.ndarray, " p"], *others: Any
) -> tuple[float, float]:
    """The ends of an axis for all values that are determined, their standard errors and others.

    A bar that is longer than the axis would be without bars goes beyond it.
    """
    known = np.isfinite(std)
    centers = np.concatenate([values[known], *(np.ravel(np.asarray(x, float)) for x in others)])
    centers = centers if centers.size else values
    longest = np.ptp(centers) or np.inf
    bars = np.minimum(std[known], max(longest, np.median(std[known]) if np.any(known) else 0.0))
    ends = np.concatenate([centers, values[known] - bars, values[known] + bars])
    low, high = float(ends.min()), float(ends.max())
    room = 0.05 * (high - low) or 0.05 * max(abs(high), 1.0)
    return low - room, high + room


def in_words(error: float) -> str:
    """A standard error behind its number."""
    return f"± {error:.2g}" if np.isfinite(error) else "(not determined)"


def _truth(fitted: Fit, truth: Any) -> Float[np.ndarray, " p"]:
    """The true values in the order of the names."""
    if jax.tree.structure(truth) == jax.tree.structure(fitted.model):
        known = _by_name(truth)
        return np.array([known[name] for name in fitted.names])
    number = len(fitted.names)
    rule = f"must be the model, or the {number} values that were fitted"
    try:
        values = _row(truth)
    except (TypeError, ValueError):
        raise ValueError(f"truth = {truth!r}: {rule}") from None
    check(values.size == number, f"truth: {values.size} values: {rule}")
    return values


def _by_name(model: Any) -> dict[str, float]:
    """All numbers of a model by the names that a fit gives them."""
    found = {}
    for path, leaf in jax.tree_util.tree_leaves_with_path(model):
        name, array = jax.tree_util.keystr(path).lstrip("."), np.asarray(leaf)
        for index in np.ndindex(array.shape):
            place = f"[{', '.join(map(str, index))}]" if index else ""
            found[name + place] = float(array[index])
    return found


def _row(values: Any) -> Float[np.ndarray, " p"]:
    """All numbers of a pytree in one row."""
    leaves = [np.ravel(np.asarray(leaf, float)) for leaf in jax.tree.leaves(values)]
    return np.concatenate(leaves) if leaves else np.zeros(0)


def _check_fit(fitted: Any) -> None:
    check(isinstance(fitted, Fit), f"fitted = {type(fitted).__name__}: must be a Fit")


def _uncertainty(fitted: Fit) -> Uncertainty:
    _check_fit(fitted)
    if fitted.uncertainty is None:
        raise ValueError("fitted: has no uncertainty to draw")
    return fitted.uncertainty
