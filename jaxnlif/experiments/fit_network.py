r"""Input, noise and coupling of an unstructured network from its rate.

In a stationary state the rate is one number, which leaves two of the three undetermined; it is the
change from the initial density that tells them apart.
"""

from __future__ import annotations

import math
from typing import Any

import equinox as eqx
import numpy as np

from ..density.solver import FluxShift
from ..density.stationary import firing_rate
from ..fit.bounds import Free, Positive
from ..grid import Grid, VoltageGrid
from ..initial import gaussian
from ..model import Network
from ..solve.saveat import SaveAt
from ..solve.solution import Solution
from ..solve.solve import solve
from .fit_data import Observed

BOUNDS = (Free(), Positive(), Free())


def where(model: Any) -> tuple[Any, Any, Any]:
    """What is fitted: input $I$, noise $a$, coupling $b$."""
    return model.drive.value, model.noise, model.weight


def line(num: int = 120) -> Grid:
    """The voltages, in JAX's default precision."""
    return Grid(v=VoltageGrid(-4.0, 2.0, reset=1.0, num=num))


def begin(observed: Observed) -> Network:
    """A start: the uncoupled network whose stationary rate is the mean of those observed."""
    inputs = np.linspace(-6, 60, 661)
    rates = np.asarray(firing_rate(inputs), float)
    return Network(
        noise=1.0, weight=0.0, drive=float(np.interp(observed.rate.mean(), rates, inputs))
    )


class Run(eqx.Module):
    """A run through the times that were observed, all of whose steps are saved.

    **Arguments:** `initial`: mean and variance of the potentials at time 0; `t1`, `dt` (membrane
    times).
    """

    initial: tuple[float, float] = eqx.field(static=True)
    t1: float = eqx.field(static=True)
    dt: float = eqx.field(static=True)

    def __call__(self, model: Network) -> Solution:
        grid = line()
        return solve(
            model,
            FluxShift(grid),
            y0=gaussian(grid, v=self.initial),
            t1=self.t1,
            dt=self.dt,
            saveat=SaveAt(num=math.ceil(self.t1 / self.dt) + 1, fn=None),
            throw=False,
        )
