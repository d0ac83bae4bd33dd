"""What is fitted to what: a network that has learned, or one to a recording."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
from matplotlib.figure import Figure

from ..fitting.result import Fit
from ..grid import VoltageGrid
from ..integrate.solution import Solution
from ..model import Network
from . import fit_figure, fit_network, fit_recovery
from .fit_network import Bounds, Neuron
from .fit_observed import Observed


class Task(NamedTuple):
    """A network, how it runs, what that is held against, and which of its numbers are free.

    - `first`: the network that the first fit started from.
    - `again`: for a fitted network that the grid of the run does not resolve, the task on one that
      does, from there; otherwise `None`.
    """

    title: str
    first: Network
    start: Network
    truth: Network | None
    run: Callable[[Network], Solution]
    grid: VoltageGrid
    loss: Callable[[Solution], Any]
    where: Callable[[Any], Any]
    bounds: Any
    absolute: bool
    draw: Callable[[Fit], Figure]
    again: Callable[[Network], Any]

    def voltages(self) -> dict[str, float | int]:
        """The voltage grid of the run."""
        names = ("minimum", "threshold", "reset", "num")
        return {name: getattr(self.grid, name) for name in names}


def recovery(*, dt: float, knots: int, noise: float, seed: int) -> Task:
    """A learning rule and an input, from what a network learned by them."""
    run, truth = fit_recovery.Run(dt), fit_recovery.truth(knots)
    start = fit_recovery.begin(knots)
    learned = fit_recovery.observe(run(truth), noise=noise, seed=seed)
    return Task(
        title="K(w) and I(w) from what a network learned, "
        f"known with a relative error of {noise:g}",
        first=start,
        start=start,
        truth=truth,
        run=run,
        grid=run.voltages,
        loss=learned,
        where=fit_recovery.where,
        bounds=None,
        absolute=True,
        draw=lambda fitted: fit_figure.recovery(run, learned, start, truth, fitted),
        again=lambda fitted: None,
    )


class Recording(NamedTuple):
    """A recording, and the neurons that it is taken to be of; `grid`, if one is given."""

    name: str
    observed: Observed
    neuron: Neuron
    bounds: Bounds
    grid: VoltageGrid | None
    dt: float

    def task(self) -> Task:
        """The fit of input, noise and coupling.

        **Raises:** `ValueError` that names the options which leave no grid for it.
        """
        start = self.neuron.begin(self.observed, self.bounds)
        grid = self.grid or self.neuron.grid_at_start(start)
        self.neuron.check_held(grid)
        initial = (self.neuron.mean, self.neuron.variance)
        run = fit_network.Run(grid, initial, self.observed.t1, self.dt)
        return self._task(run, start, start)

    def _task(self, run: fit_network.Run, first: Network, start: Network) -> Task:
        observed = self.observed
        return Task(
            title=f"{self.name}: {observed.what}, {observed.t1:.4g} membrane times",
            first=first,
            start=start,
            truth=None,
            run=run,
            grid=run.grid,
            loss=observed.loss,
            where=fit_network.where,
            bounds=tuple(self.bounds),
            absolute=observed.std is not None,
            draw=lambda fitted: fit_figure.recording(run, observed, first, fitted),
            again=lambda fitted: self._again(run, first, fitted),
        )

    def _again(self, run: fit_network.Run, first: Network, fitted: Network) -> Task | None:
        if self.grid is not None:
            return None
        grid = fit_network.better_grid(run, self.neuron, fitted)
        if grid is None or grid == run.grid:
            return None
        run = eqx.tree_at(lambda run: run.grid, run, grid)
        return self._task(run, first, self.bounds.inside(fitted))
