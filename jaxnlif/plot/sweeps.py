"""Phase diagrams: one number of every member of a sweep, where its parameters are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.patches import Patch
from numpy.typing import ArrayLike

from .._check import check
from ..solve.result import Result
from ..sweep.dataset import UNITS
from ..sweep.result import Sweep
from ._data import edges, numbers
from .style import BLUE, GREY, HEAT, RED, SCREEN, Size, colorbar, drawing, finish

_HATCHES = {
    "blow_up": "////",
    "no_self_consistent_rate": "xxxx",
    "event_budget_exceeded": "....",
    "non_finite": "++++",
}


def phase_diagram(
    sweep: Sweep,
    value: Callable[[Any], ArrayLike] | Float[ArrayLike, "..."],
    ax: Axes | None = None,
    *,
    x: str | None = None,
    y: str | None = None,
    label: str = "value",
    size: Size = SCREEN,
) -> Axes:
    """One number of every member against the parameters of a sweep; failed members are marked.

    Two parameters give a map, of cells for all combinations and of points for a list; one gives a
    curve. Parameters that are not single numbers are counted.

    **Arguments:**

    - `value`: a function of what one member returned, applied to those that completed, or the
      numbers of all members in the shape of the sweep.
    - `x`, `y`: the parameters of the axes, by default in their order.
    - `label`: what the number is, with its unit.

    **Raises:** `ValueError` for parameters that there are not, or more than two of them in a grid,
    and for numbers of another shape.
    """
    check(isinstance(sweep, Sweep), f"sweep = {type(sweep).__name__}: must be a Sweep")
    names = _chosen(sweep, x, y)
    values = _values(sweep, value)
    with drawing(ax, size) as ax:
        if len(names) == 1:
            return _curve(sweep, names[0], values, ax, label)
        if sweep.product:
            return _cells(sweep, names, values, ax, label)
        return _points(sweep, names, values, ax, label)


def _chosen(sweep: Sweep, x: str | None, y: str | None) -> list[str]:
    """The parameters of the axes."""
    known = list(sweep.parameters)
    for key, name in (("x", x), ("y", y)):
        rule = f"must be one of the parameters {', '.join(known)}"
        check(name is None or name in known, f"{key} = {name!r}: {rule}")
    check(x is None or x != y, f"y = {y!r}: must be another parameter than x")
    check(
        not sweep.product or len(known) <= 2,
        f"sweep: {len(known)} parameters: must be at most two in a grid to be drawn",
    )
    rest = [name for name in known if name not in (x, y)]
    if x is None:
        x = rest.pop(0)
    if y is None and rest and sweep.product | (len(known) == 2):
        y = rest.pop(0)
    return [x] if y is None else [x, y]


def _values(sweep: Sweep, value: Any) -> Float[np.ndarray, "..."]:
    """The number of every member; NaN where a function has nothing to be applied to."""
    if not callable(value):
        return numbers("value", value, sweep.shape)
    found, outputs = np.full(sweep.shape, np.nan), sweep.values
    for place in zip(*np.nonzero(sweep.completed), strict=True):
        member = jax.tree.map(lambda x: x[place] if eqx.is_array_like(x) else x, outputs)  # noqa: B023
        found[place] = numbers("value", value(member), ())
    return found


def _coordinate(sweep: Sweep, name: str) -> tuple[np.ndarray, str]:
    """The values of a parameter, counted if they are no single numbers, and their label."""
    value = sweep.parameters[name]
    unit = f" ({UNITS[name]})" if name in UNITS else ""
    text = name.replace("_", " ")
    if isinstance(value, np.ndarray) and value.ndim == 1:
        return value.astype(float), text + unit
    return np.arange(len(jax.tree.leaves(value)[0])), f"{text} (number)"


def _is_geometric(values: np.ndarray) -> bool:
    """Whether values, in ascending order, are better shown on a logarithmic axis."""
    if values.size < 3 or values[0] <= 0:
        return False
    return bool(np.allclose(np.diff(np.log(values), 2), 0, atol=1e-6)) and not np.allclose(
        np.diff(values, 2), 0, atol=1e-6 * values[-1]
    )


def _curve(sweep: Sweep, name: str, values: np.ndarray, ax: Axes, label: str) -> Axes:
    at, text = _coordinate(sweep, name)
    order = np.argsort(at)
    ax.plot(at[order], values[order], "o-", color=BLUE)
    blend = ax.get_xaxis_transform()
    for result, failed in _failures(sweep):
        place = np.full(int(failed.sum()), 0.02)
        ax.plot(at[failed], place, "x", color=RED, transform=blend, label=result)
    if _is_geometric(at[order]):
        ax.set_xscale("log")
    return finish(ax, text, label)


def _cells(sweep: Sweep, names: list[str], values: np.ndarray, ax: Axes, label: str) -> Axes:
    turned = list(sweep.parameters) == names
    ends, texts, orders = [], [], []
    for name, scale in zip(names, (ax.set_xscale, ax.set_yscale), strict=True):
        at, text = _coordinate(sweep, name)
        order = np.argsort(at)
        at = at[order]
        geometric = _is_geometric(at)
        ends.append(np.exp(edges(np.log(at))) if geometric else edges(at))
        if geometric:
            scale("log")
        texts.append(text)
        orders.append(order)

    def arranged(array):
        return (array.T if turned else array)[np.ix_(orders[1], orders[0])]

    image = ax.pcolormesh(*ends, arranged(values), cmap=HEAT, rasterized=True)
    if np.any(np.isfinite(values)):
        colorbar(ax, image, label)
    handles = []
    for result, failed in _failures(sweep):
        look = {"facecolor": "none", "edgecolor": GREY, "linewidth": 0}
        hatch = _HATCHES[result]
        corners = [
            [(a, c), (b, c), (b, d), (a, d)]
            for j, (c, d) in enumerate(zip(ends[1][:-1], ends[1][1:], strict=True))
            for i, (a, b) in enumerate(zip(ends[0][:-1], ends[0][1:], strict=True))
            if arranged(failed)[j, i]
        ]
        ax.add_collection(PolyCollection(corners, hatch=hatch, **look))
        handles.append(Patch(hatch=hatch, label=result, **look))
    finish(ax, *texts)
    if handles:
        ax.legend(handles=handles)
    return ax


def _points(sweep: Sweep, names: list[str], values: np.ndarray, ax: Axes, label: str) -> Axes:
    (x, xlabel), (y, ylabel) = (_coordinate(sweep, name) for name in names)
    shown = np.isfinite(values)
    image = ax.scatter(x[shown], y[shown], c=values[shown], cmap=HEAT)
    if shown.any():
        colorbar(ax, image, label)
    for result, failed in _failures(sweep):
        ax.plot(x[failed], y[failed], "x", color=RED, label=result)
    return finish(ax, xlabel, ylabel)


def _failures(sweep: Sweep):
    """How members failed, and which."""
    for name, item in Result._name_to_item.items():
        failed = np.asarray(sweep.result == item)
        if name != "completed" and failed.any():
            yield name, failed
