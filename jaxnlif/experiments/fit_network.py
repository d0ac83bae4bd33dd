r"""Input, noise and coupling of an unstructured network from its rate.

In a stationary state the rate is one number, which leaves two of the three undetermined; it is the
change from the initial density that tells them apart.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import equinox as eqx
import jax.numpy as jnp
import numpy as np

from .._check import check, check_finite, check_integer, check_positive
from ..density.solver import FluxShift
from ..density.stationary import firing_rate
from ..fitting.bounds import AbstractBounds, Between, Free
from ..grid import Grid, VoltageGrid
from ..initial import gaussian
from ..integrate.saveat import SaveAt
from ..integrate.solution import Solution
from ..integrate.solve import solve
from ..model import Network
from .fit_observed import Observed

_LARGEST_SPREAD = 2.0  # of potentials without threshold, in distances from reset to threshold
_RATE_TOLERANCE = 3e-4  # relative, of stationary rates on the grid that is chosen
_INITIAL_DEVIATIONS = 4.5  # standard deviations of the initial potentials that it holds
_MOST_NODES = 2000
_MOST_NODES_AT_START = 20_000
_DEEPEST = 1000.0  # distances from reset to threshold
_HELD = 0.05  # relative, of the initial mean and deviation


def where(model: Any) -> tuple[Any, Any, Any]:
    """What is fitted: input $I$, noise $a$, coupling $b$."""
    return model.drive.value, model.noise, model.weight


class Bounds(NamedTuple):
    """Where input, noise and coupling may lie, in the order of `where`."""

    drive: AbstractBounds
    noise: AbstractBounds
    weight: AbstractBounds

    def inside(self, model: Network) -> Network:
        """A network whose numbers lie strictly inside, as near as they may."""
        values = []
        for bounds, value in zip(self, where(model), strict=True):
            if isinstance(bounds, Between):
                slack = 1e-3 * (bounds.high - bounds.low)
                value = jnp.clip(value, bounds.low + slack, bounds.high - slack)
            values.append(value)
        return eqx.tree_at(where, model, tuple(values))


def read_bounds(texts: Sequence[str], distance: float) -> Bounds:
    """Bounds from texts such as `weight=-2:0.5`.

    If nothing is said the noise, without which there is no density, is positive, and below that of
    potentials whose standard deviation is twice the distance from reset to threshold.

    **Raises:** `ValueError` that names the option.
    """
    found: dict[str, AbstractBounds] = {}
    for text in texts:
        name, _, ends = text.partition("=")
        rule = f"--bounds: {text!r} must be as weight=-2:0.5, of {', '.join(Bounds._fields)}"
        check(name in Bounds._fields and ends.count(":") == 1, rule)
        check(name not in found, f"--bounds: {name} must be there once")
        try:
            low, high = map(float, ends.split(":"))
        except ValueError:
            raise ValueError(rule) from None
        try:
            found[name] = Between(low, high)
        except ValueError as error:
            raise ValueError(f"--bounds: {name}: {error}") from None
        check(name != "noise" or low >= 0, f"--bounds: noise: low = {low:g}: must not be negative")
    noise = Between(0.0, (_LARGEST_SPREAD * distance) ** 2)
    return Bounds(**({"drive": Free(), "noise": noise, "weight": Free()} | found))


class Neuron(NamedTuple):
    """The threshold and the reset of the neurons, and their potentials when a recording begins.

    - `threshold`, `reset` (voltage).
    - `mean` (voltage), `variance` (voltage²): of the potentials at time 0.
    """

    threshold: float
    reset: float
    mean: float
    variance: float

    @classmethod
    def of(cls, threshold: float, reset: float, initial: Sequence[float] | None) -> Neuron:
        """Neurons whose potentials lie, if nothing is said, far below the threshold.

        **Raises:** `ValueError` that names the option.
        """
        check_finite("--threshold", threshold)
        check_finite("--reset", reset)
        check(reset < threshold, f"--reset = {reset:g}: must be below --threshold = {threshold:g}")
        distance = threshold - reset
        mean, variance = initial or (reset - 2 * distance, 0.5 * distance**2)
        check_finite("--initial: mean", mean)
        check_positive("--initial: variance", variance)
        rule = f"must lie below the threshold {threshold:g}"
        check(mean < threshold, f"--initial: mean = {mean:g}: {rule}")
        return cls(threshold, reset, mean, variance)

    def begin(self, observed: Observed, bounds: Bounds) -> Network:
        """A start: the network, uncoupled if it may be, of the mean rate that was observed."""
        distance = self.threshold - self.reset
        noise, weight = _inside(bounds.noise, distance**2), _inside(bounds.weight, 0.0)
        inputs = self.threshold + distance * np.linspace(-8, 58, 661)
        rates = np.asarray(firing_rate(inputs, noise, self.threshold, self.reset), float)
        mean = float(observed.rate.mean())
        drive = float(np.interp(mean, rates, inputs)) - weight * mean
        return Network(noise=noise, weight=weight, drive=_inside(bounds.drive, drive))

    def grid(self, model: Network, rtol: float = _RATE_TOLERANCE) -> VoltageGrid:
        """The voltages that a network needs, and its potentials at time 0.

        **Raises:** `ValueError` if its noise is too weak for any grid.
        """
        ends: dict[str, Any] = {"threshold": self.threshold, "reset": self.reset}
        grid = VoltageGrid.for_model(model, rtol, **ends)
        part = (self.threshold - self.reset) / 5  # of which the grid has a whole number
        low = self.mean - _INITIAL_DEVIATIONS * math.sqrt(self.variance)
        more = max(math.ceil((grid.minimum - low) / part - 1e-9), 0)
        num = grid.num + more * round(part / grid.spacing)
        minimum = round(grid.minimum - more * part, 12)
        return VoltageGrid(minimum, self.threshold, reset=self.reset, num=num)

    def grid_at_start(self, model: Network) -> VoltageGrid:
        """The same for the network that a fit starts from.

        **Raises:** `ValueError` that names the options.
        """
        depth = (self.threshold - self.mean + _INITIAL_DEVIATIONS * math.sqrt(self.variance)) / (
            self.threshold - self.reset
        )
        said = f"--initial: mean = {self.mean:g}, variance = {self.variance:g}"
        check(
            depth <= _DEEPEST,
            f"{said}: must reach at most {_DEEPEST:g} times as far below the threshold as --reset",
        )
        try:
            grid = self.grid(model)
        except ValueError as error:
            raise ValueError(f"--bounds: the network in their middle: {error}") from None
        rule = f"needs {grid.num} voltages, more than {_MOST_NODES_AT_START}"
        check(grid.num <= _MOST_NODES_AT_START, f"{said}: {rule}")
        return grid

    def check_held(self, grid: VoltageGrid) -> None:
        """Requires voltages that hold the initial potentials.

        **Raises:** `ValueError` that names the option.
        """
        density = np.asarray(gaussian(Grid(v=grid), v=(self.mean, self.variance)), float)[:, 0]
        shares, nodes = density / density.sum(), np.asarray(grid.nodes)
        mean = float(shares @ nodes)
        deviation = math.sqrt(float(shares @ (nodes - mean) ** 2))
        wanted = math.sqrt(self.variance)
        check(
            abs(mean - self.mean) <= _HELD * wanted and abs(deviation / wanted - 1) <= _HELD,
            f"--initial: mean = {self.mean:g}, variance = {self.variance:g}: must fit between the "
            f"voltages {grid.minimum:g} and {grid.threshold:g}, {grid.spacing:.2g} apart; they "
            f"hold mean {mean:.4g}, variance {deviation**2:.4g}",
        )

    def given_grid(self, low: float | int, num: float | int) -> VoltageGrid:
        """Voltages from this lower end.

        **Raises:** `ValueError` that names the option.
        """
        check_finite("--grid: NUM", num)
        number = check_integer("--grid: NUM", int(num) if num == int(num) else num, at_least=2)
        rule = f"must lie below the mean of --initial, {self.mean:g}, and --reset"
        check(low < min(self.mean, self.reset), f"--grid: MINIMUM = {low:g}: {rule}")
        try:
            return VoltageGrid(low, self.threshold, reset=self.reset, num=number)
        except ValueError as error:
            raise ValueError(f"--grid: {error}") from None


def _inside(bounds: AbstractBounds, value: float) -> float:
    """A value, or the middle of the bounds if it is not within them."""
    if bool(bounds.contains(np.asarray(value))):
        return value
    assert isinstance(bounds, Between)
    return 0.5 * bounds.low + 0.5 * bounds.high


class Run(eqx.Module):
    """A run through the times that were observed, all of whose steps are saved.

    **Arguments:** `grid`: the voltages; `initial`: mean and variance of the potentials at time 0;
    `t1`, `dt` (membrane times).
    """

    grid: VoltageGrid
    initial: tuple[float, float] = eqx.field(static=True)
    t1: float = eqx.field(static=True)
    dt: float = eqx.field(static=True)

    def __call__(self, model: Network) -> Solution:
        grid = Grid(v=self.grid)
        return solve(
            model,
            FluxShift(grid),
            y0=gaussian(grid, v=self.initial),
            t1=self.t1,
            dt=self.dt,
            saveat=SaveAt(num=math.ceil(self.t1 / self.dt) + 1, fn=None),
            throw=False,
        )


def better_grid(run: Run, neuron: Neuron, fitted: Network) -> VoltageGrid | None:
    """A grid that resolves a fitted network where that of the run does not."""
    try:
        needed = neuron.grid(fitted, 3 * _RATE_TOLERANCE)
    except ValueError:
        return None
    low_enough = run.grid.minimum <= needed.minimum + 1e-9
    fine_enough = run.grid.spacing <= needed.spacing * (1 + 1e-9)
    if needed.num > _MOST_NODES or (low_enough and fine_enough):
        return None
    return neuron.grid(fitted)
