"""The density in motion."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.animation import FFMpegWriter, FuncAnimation, PillowWriter
from matplotlib.axes import Axes

from .._check import check, check_positive
from ..integrate.solution import Solution
from ..store.files import write_atomically
from ._data import grid_of, population_names, time_unit
from ._voltages import Voltages
from .densities import check_saved, density_curves, density_map, usual_top
from .figures import SizedFigure, root
from .size import SCREEN, Size, check_size
from .style import drawing


def animate(
    sol: Solution,
    path: str | os.PathLike | None = None,
    *,
    ax: Axes | None = None,
    fps: float | int = 20,
    vmax: float | int | None = None,
    size: Size = SCREEN,
) -> FuncAnimation:
    """The density at all saved times, one after the other; written to a file if one is named.

    **Arguments:**

    - `sol`: a solution with saved densities.
    - `path`: a file that ends in `.gif`, or in `.mp4`, which needs ffmpeg. It is written whole or
      not at all.
    - `ax`: axes of a figure that is animated; a new one by default.
    - `fps`: frames, that is saved times, by time (1 / seconds).
    - `vmax`: where the scale of densities ends; by default where the largest density stays below
      at nine times in ten, so that a narrow start leaves the rest to be seen
      (1 / voltage / weight).
    - `size`: of a new figure.

    **Returns:** the animation; `HTML(animation.to_jshtml())` shows it in a notebook.

    **Raises:** `ValueError` if no densities were saved, for another suffix or a directory that does
    not exist, and for `.mp4` where there is no ffmpeg.
    """
    grid = grid_of(sol, populations=True)
    check_saved(sol)
    check_positive("fps", fps)
    if vmax is not None:
        check_positive("vmax", vmax)
    check_size(size)
    writer = None if path is None else _writer(Path(path), fps)
    times, unit = np.asarray(sol.ts), time_unit(sol)
    axis = Voltages.of(sol)
    unit_of_grid = axis.unit if grid.w is None else 1.0
    largest = np.array([float(np.max(np.asarray(density) / unit_of_grid)) for density in sol.saved])
    top = usual_top(largest) if vmax is None else vmax
    # A still picture of it is not shown beside the animation.
    own = SizedFigure(size, figsize=size.inches(1, 1)).subplots() if ax is None else ax
    with drawing(own, size) as ax:
        start = np.asarray(sol.saved[0])
        title = ax.set_title("", loc="left")
        curves, image = [], None
        if grid.w is None:
            curves = density_curves(start, axis, ax, population_names(sol), {})
            ax.set_ylim(0, 1.05 * top)
        else:
            image = density_map(start, grid, ax, vmax=top, clipped=bool(np.any(largest > top)))

    def show(frame: int):
        values = np.asarray(sol.saved[frame])
        title.set_text(f"$t$ = {times[frame]:.4g} ({unit})")
        if image is not None:
            image.set_data(values)
            return title, image
        for curve, column in zip(curves, (values / axis.unit).T, strict=True):
            curve.set_ydata(np.append(column, 0))
        return title, *curves

    show(0)
    whole = root(ax)
    # Laid out once: that of every frame would take most of the time, and could move the axes.
    whole.draw_without_rendering()
    whole.set_layout_engine("none")
    moving = FuncAnimation(whole, show, frames=times.size, interval=1000 / fps, blit=False)
    if writer is not None:
        with write_atomically(path) as partial:  # pyright: ignore
            moving.save(partial, writer)
    return moving


def _writer(path: Path, fps: Any) -> PillowWriter | FFMpegWriter:
    """What writes files of this suffix."""
    check(path.suffix in (".gif", ".mp4"), f"path = {str(path)!r}: must end in .gif or .mp4")
    check(path.parent.is_dir(), f"path = {str(path)!r}: its directory must exist")
    if path.suffix == ".gif":
        return PillowWriter(fps)
    check(
        FFMpegWriter.isAvailable(),
        f"path = {str(path)!r}: needs ffmpeg, which is not installed; a .gif does not",
    )
    return FFMpegWriter(fps)
