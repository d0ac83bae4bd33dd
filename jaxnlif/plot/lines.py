"""Keywords of lines, which Matplotlib takes, checked before anything is drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.cbook import normalize_kwargs
from matplotlib.lines import Line2D

from .._check import check
from .size import CYCLE

_OURS = {"axes", "data", "figure", "xdata", "ydata"}
"""What the line itself decides."""
_STYLES = ("-", "--", ":", "-.")
"""Of lines that have the same colour."""


def options(given: Mapping[str, Any], **default: Any) -> dict[str, Any]:
    """The keywords of a line: those given, and the others by default.

    **Arguments:** `given`: keywords of `Line2D`, short forms such as `lw` included; `default`: long
    forms.

    **Raises:** `ValueError` naming a keyword or a value that Matplotlib does not take.
    """
    for name, value in given.items():
        try:
            check(name not in _OURS, "")
            Line2D([], [], **{name: value})
        except AttributeError as error:
            unknown = "unexpected keyword" in str(error)
            rule = "is no keyword of a line of matplotlib" if unknown else f"({error})"
            raise ValueError(f"{name} = {value!r}: {rule}") from None
        except (TypeError, ValueError) as error:
            reason = str(error).split("\n")[0] or "is given by what is drawn"
            raise ValueError(f"{name} = {value!r}: {reason}") from None
    try:
        return default | normalize_kwargs(dict(given), Line2D)
    except TypeError as error:
        raise ValueError(f"{', '.join(given)}: {error}") from None


def each(names: Sequence[str], given: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The keywords of a line for each name, which all look different.

    **Arguments:** `names`: their labels; `given`: keywords for all, of which a label comes before
    the names.

    **Raises:** `ValueError` as `options`.
    """
    chosen = options(given)
    before = f"{chosen.pop('label')} " if chosen.get("label") is not None else ""
    return [
        {
            "label": before + name,
            "color": CYCLE[k % len(CYCLE)],
            "linestyle": _STYLES[k // len(CYCLE) % len(_STYLES)],
        }
        | chosen
        for k, name in enumerate(names)
    ]


def once(ax: Axes, label: str) -> str | None:
    """A label, unless something in these axes has it already."""
    return None if label in ax.get_legend_handles_labels()[1] else label
