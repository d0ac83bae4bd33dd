"""Phase diagrams: one number of every member of a sweep, where its parameters are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Bool, Float
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike

from .._check import check
from ..integrate.result import Result, outcome
from ..sweeping.dataset import UNITS
from ..sweeping.result import Sweep
from ._data import edges, numbers
from .size import BLUE, GREY, HEAT, RED, SCREEN, Size
from .style import colorbar, drawing, finish

_HATCHES = {
    "blow_up": "////",
    "no_self_consistent_rate": "xxx",
    "event_budget_exceeded": "....",
    "non_finite": "++",
}


def phase_diagram(
    sweep: Sweep,
    value: Callable[[Any], ArrayLike] | ArrayLike,
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

    - `sweep`: a `Sweep`.
    - `value`: of any unit: a function of what one member returned, applied to those that
      completed, or the numbers of all members in the shape of the sweep.
    - `x`, `y`: the parameters of the axes, by default in their order.
    - `label`: what the number is, with its unit.
    - `ax`, `size`: as for `rate`.

    **Raises:** `ValueError` for parameters that there are not, or more than two of them in a grid,
    and for numbers of another shape.
    """
    check(isinstance(sweep, Sweep), f"sweep = {type(sweep).__name__}: must be a Sweep")
    names = _chosen(sweep, x, y)
    axes, values = [_axis(sweep, name) for name in names], _values(sweep, value)
    with drawing(ax, size) as ax:
        if len(axes) == 1:
            _curve(sweep, axes[0], values, ax)
            return finish(ax, axes[0].label, label, above=True)
        draw = _cells if sweep.product else _points
        image = draw(sweep, axes[0], axes[1], values, ax)
        if np.any(np.isfinite(values)):
            colorbar(ax, image, label)
        return finish(ax, axes[0].label, axes[1].label, above=True)


class _Axis(NamedTuple):
    """The values of a parameter in a diagram.

    - `values`: in the order of the members, `(k,)`. `label`: with the unit.
    - `counted`: whether these are not the values but their numbers.
    - `place`: which of the parameters it is.
    """

    values: Float[np.ndarray, " k"]
    label: str
    counted: bool
    place: int

    @property
    def order(self) -> np.ndarray:
        """Where the values are in ascending order."""
        return np.argsort(self.values, stable=True)

    @property
    def geometric(self) -> bool:
        """Whether the values are equally spaced on a logarithmic axis, and on no other."""
        at = self.values[self.order]
        if at.size < 3 or at[0] <= 0 or at[0] == at[-1]:
            return False
        even = np.diff(np.log(at)) / np.log(at[-1] / at[0]), np.diff(at) / (at[-1] - at[0])
        return bool(np.ptp(even[0]) < 1e-3 < np.ptp(even[1]))

    @property
    def ends(self) -> Float[np.ndarray, " ends"]:
        """The ends of cells around the values in ascending order."""
        at = self.values[self.order]
        return np.exp(edges(np.log(at))) if self.geometric else edges(at)


def _chosen(sweep: Sweep, x: str | None, y: str | None) -> list[str]:
    """The parameters of the axes."""
    known = list(sweep.parameters)
    rule = f"must be one of the parameters {', '.join(known)}"
    for key, name in (("x", x), ("y", y)):
        check(name is None or name in known, f"{key} = {name!r}: {rule}")
    check(x is None or x != y, f"y = {y!r}: must be another parameter than x")
    check(
        not sweep.product or len(known) <= 2,
        f"sweep: {len(known)} parameters: must be at most two in a grid to be drawn",
    )
    rest = iter(name for name in known if name not in (x, y))
    chosen = [name or next(rest, None) for name in (x, y)]
    return [name for name in chosen if name is not None]


def _axis(sweep: Sweep, name: str) -> _Axis:
    value, text = sweep.parameters[name], name.replace("_", " ")
    place = list(sweep.parameters).index(name)
    if isinstance(value, np.ndarray) and value.ndim == 1:
        unit = f"\n({UNITS[name]})" if name in UNITS else ""
        return _Axis(value.astype(float), text + unit, False, place)
    numbers = np.arange(len(jax.tree.leaves(value)[0]), dtype=float)
    return _Axis(numbers, f"{text} (counted from 0)", True, place)


def _values(sweep: Sweep, value: Any) -> Float[np.ndarray, "..."]:
    """The number of every member; NaN where a function has nothing to be applied to."""
    if not callable(value):
        return numbers("value", value, sweep.shape)
    found, outputs = np.full(sweep.shape, np.nan), sweep.values
    arrays, rest = eqx.partition(outputs, eqx.is_array)
    for place in zip(*np.nonzero(sweep.completed), strict=True):
        member = eqx.combine(jax.tree.map(lambda x: x[place], arrays), rest)  # noqa: B023
        found[place] = numbers("value", value(member), ())
    return found


def _curve(sweep: Sweep, along: _Axis, values: np.ndarray, ax: Axes) -> None:
    """A line, and crosses at the bottom where members failed."""
    _scale(ax, along)
    ax.plot(along.values[along.order], values[along.order], "o-", color=BLUE)
    for words, _, failed in _failures(sweep):
        bottom = np.full(int(failed.sum()), 0.03)
        blend = ax.get_xaxis_transform()
        ax.plot(along.values[failed], bottom, "x", color=RED, transform=blend, label=words)


def _cells(sweep: Sweep, horizontal: _Axis, vertical: _Axis, values: np.ndarray, ax: Axes) -> Any:
    """A map whose cells are hatched where members failed."""
    _scale(ax, horizontal, vertical)

    def arranged(array: np.ndarray) -> np.ndarray:
        return (array if vertical.place == 0 else array.T)[np.ix_(vertical.order, horizontal.order)]

    image = ax.pcolormesh(
        horizontal.ends, vertical.ends, arranged(values), cmap=HEAT, rasterized=True
    )
    for words, hatch, failed in _failures(sweep):
        rows, columns = np.nonzero(arranged(failed))
        x = horizontal.ends[columns[:, None] + [0, 1, 1, 0]]
        y = vertical.ends[rows[:, None] + [0, 0, 1, 1]]
        options = {"facecolor": "none", "edgecolor": GREY, "linewidth": 0}
        cells = PolyCollection(list(np.stack([x, y], axis=-1)), hatch=hatch, label=words, **options)
        ax.add_collection(cells)
    return image


def _points(sweep: Sweep, horizontal: _Axis, vertical: _Axis, values: np.ndarray, ax: Axes) -> Any:
    """Coloured points, and crosses where members failed."""
    _scale(ax, horizontal, vertical)
    shown = np.isfinite(values)
    image = ax.scatter(horizontal.values[shown], vertical.values[shown], c=values[shown], cmap=HEAT)
    for words, _, failed in _failures(sweep):
        ax.plot(horizontal.values[failed], vertical.values[failed], "x", color=RED, label=words)
    return image


def _scale(ax: Axes, horizontal: _Axis, vertical: _Axis | None = None) -> None:
    """Logarithmic axes for values that are equally spaced there, whole numbers for counts."""
    if horizontal.geometric:
        ax.set_xscale("log")
    if vertical is not None and vertical.geometric:
        ax.set_yscale("log")
    for axis, shown in ((horizontal, ax.xaxis), (vertical, ax.yaxis)):
        if axis is not None and axis.counted:
            shown.set_major_locator(MaxNLocator(integer=True))


def _failures(sweep: Sweep) -> Iterator[tuple[str, str, Bool[np.ndarray, "..."]]]:
    """How members failed, in words and as a hatch, and which."""
    for name, hatch in _HATCHES.items():
        item = Result._name_to_item[name]
        failed = np.asarray(sweep.result == item)
        if failed.any():
            yield outcome(item), hatch, failed
