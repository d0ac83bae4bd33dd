"""Figures that keep the look of their size, and show themselves in a notebook."""

from __future__ import annotations

import io
import sys
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .size import Size

_INLINE = "matplotlib_inline.backend_inline"
"""The module by which notebooks show the figures of pyplot at the end of a cell."""


class _Shown:
    """What IPython shows as a picture: a figure, or axes by their figure.

    A notebook shows the figures of pyplot at the end of a cell. One that it shows before, because
    it is the value of the cell, is taken from pyplot, so that it is not shown twice.
    """

    def _repr_png_(self) -> bytes:
        file = io.BytesIO()
        root(self).savefig(file, format="png")
        return file.getvalue()

    def _ipython_display_(self) -> None:
        pyplot = sys.modules.get("matplotlib.pyplot")
        if pyplot is not None and pyplot.fignum_exists(getattr(root(self), "number", None)):
            if "inline" not in matplotlib.get_backend():
                return  # it has a window
            pyplot.close(root(self))
        raise NotImplementedError  # by which IPython goes on to the picture


class SizedAxes(_Shown, Axes):
    """Axes of a figure with a size."""


class SizedFigure(_Shown, Figure):
    """A figure that is drawn with the settings of its size."""

    def __init__(self, size: Size, **settings: Any):
        self.size = size
        with matplotlib.rc_context(size.settings):
            super().__init__(**settings | {"dpi": size.dpi, "layout": "constrained"})

    # Matplotlib declares one signature for every form of a place.
    def add_subplot(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, *place: Any, **settings: Any
    ) -> Axes:
        if settings.keys().isdisjoint(("projection", "polar", "axes_class")):
            settings["axes_class"] = SizedAxes
        with matplotlib.rc_context(self.size.settings):
            return super().add_subplot(*place, **settings)

    def draw(self, renderer: Any) -> None:
        # Ticks and their labels are made when they are drawn.
        with matplotlib.rc_context(self.size.settings):
            super().draw(renderer)

    def savefig(self, fname: Any, **options: Any) -> None:
        with matplotlib.rc_context(self.size.settings):
            super().savefig(fname, **options)


def new(size: Size, inches: tuple[float, float]) -> SizedFigure:
    """An empty figure: pyplot's where that shows figures by itself, else one that nobody keeps.

    **Arguments:** `size`: whose letters and lines it has; `inches`: its width and height.
    """
    if not _interactive():
        return SizedFigure(size, figsize=inches)
    import matplotlib.pyplot as pyplot

    # Of figures that are shown there are never too many.
    with matplotlib.rc_context({"figure.max_open_warning": 0}):
        made = pyplot.figure(FigureClass=SizedFigure, figsize=inches, size=size)
    assert isinstance(made, SizedFigure)
    return made


def _interactive() -> bool:
    """Whether pyplot shows figures as they are made: in a notebook, or in interactive mode."""
    first = "ipykernel" in sys.modules and _INLINE not in sys.modules
    if first and "inline" in matplotlib.get_backend():
        import matplotlib.pyplot as pyplot

        pyplot.switch_backend(matplotlib.get_backend())  # which nothing has loaded yet
    return matplotlib.is_interactive()


def root(part: Any) -> Figure:
    """The whole figure that a figure or axes belong to."""
    figure = part if isinstance(part, Figure) else part.get_figure()
    assert figure is not None
    return figure.figure
