"""All that there is to see of one run, in one figure."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from ..integrate.solution import Solution
from ._data import grid_of
from .activity import raster, rate
from .densities import density
from .learning import response, weights
from .size import SCREEN, Size, check_size
from .style import figure


def summary(sol: Solution, *, size: Size = SCREEN) -> Figure:
    """Rate, weights, response and density; of an unstructured network rate, density and spikes.

    Of a network of populations rates and densities of all.

    **Arguments:** `sol`, `size`: as for `rate`.

    **Raises:** `ValueError` as `rate`.
    """
    draw = (
        [rate, density]
        if grid_of(sol, populations=True).w is None
        else [rate, weights, response, density]
    )
    if "raster" in sol.logs:
        draw.append(raster)
    check_size(size)
    columns = size.columns(len(draw) if len(draw) <= 3 else -(-len(draw) // 2))
    whole, panels = figure(-(-len(draw) // columns), columns, size=size)
    panels = list(np.ravel(panels))
    for function, panel in zip(draw, panels, strict=False):
        function(sol, ax=panel)
    for panel in panels[len(draw) :]:
        panel.remove()
    return whole
