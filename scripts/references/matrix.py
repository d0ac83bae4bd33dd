"""Every solver with every feature, and with every pair of features: what runs, what is refused.

A cell of this matrix is a network and a solver that have a feature or two besides the plainest
values of all other arguments. A time scheme is one more entry of `SCHEMES`, a feature one of
`FEATURES`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from itertools import combinations
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

import jaxnlif as jn

SCHEMES: dict[str, dict[str, Any]] = {"Euler": {}, "BDF2": {"scheme": jn.BDF2()}}
"""The time schemes, as arguments of `FluxShift`."""

NEURONS = 2000
SATURATING = jn.Saturating()


class Level(eqx.Module):
    """Noise that is given as a function of time, and is the same at all times."""

    value: Any

    def __call__(self, t: jax.Array) -> jax.Array:
        return jnp.asarray(self.value, t.dtype)


@dataclass(frozen=True, eq=False)
class Feature:
    """One value of one argument that is not the plainest.

    - `axis`: the argument; two values of one make no pair.
    - `network`, `solver`: what is given to `Network`, and to `FluxShift`.
    - `words`: how a refusal may call it, besides its axis.
    """

    name: str
    axis: str
    network: dict[str, Any] = field(default_factory=dict)
    solver: dict[str, Any] = field(default_factory=dict)
    words: tuple[str, ...] = ()


_LATE = 0.2  # learning time
_EXPONENTIAL = "`membrane=Exponential()`"
_PERFECT = "`membrane=Perfect()`"
_POPULATIONS = ("population", "num", "weight")

FEATURES = (
    Feature("weight axis", "columns", words=("w:", "WeightGrid", "weight")),
    Feature("learning", "columns", words=("w:", "WeightGrid", "weight")),
    Feature("populations", "columns", words=_POPULATIONS),
    Feature(
        "populations, `synaptic_time_constant`",
        "columns",
        {"synaptic_time_constant": _LATE},
        words=(*_POPULATIONS, "synaptic_time_constant", "delay"),
    ),
    Feature("inhibition", "sign"),
    Feature("excitation", "sign"),
    Feature("`response=Saturating()`", "response", {"response": SATURATING}),
    Feature("`noise_slope`", "noise_slope", {"noise_slope": 0.3}),
    Feature("`noise` in time", "noise", {"noise": Level(1.0)}),
    Feature("drive with jumps", "drive"),
    Feature("`delay=Delay`", "delay", {"delay": jn.Delay(_LATE)}),
    Feature("`delay=ExponentialDelay`", "delay", {"delay": jn.ExponentialDelay(_LATE)}),
    Feature("`delay=NormalDelay`", "delay", {"delay": jn.NormalDelay(_LATE, 0.05, slots=256)}),
    Feature("`delay=GammaDelay`", "delay", {"delay": jn.GammaDelay(_LATE, 0.05, slots=256)}),
    Feature("`refractory`", "refractory", {"refractory": _LATE}),
    Feature("`refractory=Never()`", "refractory", {"refractory": jn.Never()}),
    Feature(_PERFECT, "membrane", {"membrane": jn.Perfect()}),
    Feature(_EXPONENTIAL, "membrane", {"membrane": jn.Exponential()}),
    Feature("`membrane=Quadratic()`", "membrane", {"membrane": jn.Quadratic()}),
    Feature("`adaptation`", "adaptation", {"adaptation": jn.Adaptation(0.5, 1.0)}),
    Feature("`epsilon=0.1`", "epsilon", {"epsilon": 0.1}),
    Feature("`epsilon=0`", "epsilon", {"epsilon": 0.0}),
    Feature("`coupling=Corrected()`", "coupling", solver={"coupling": jn.Corrected()}),
    Feature("`coupling=Implicit()`", "coupling", solver={"coupling": jn.Implicit()}),
    Feature("`events=Cascade()`", "events", solver={"events": jn.Cascade()}),
    Feature("`neurons`", "neurons", solver={"neurons": NEURONS}),
    Feature("`step_size=FixedStep()`", "step_size", solver={"step_size": jn.FixedStep()}),
)

SOLVERS = ("FluxShift", "Particles", "MultiScale")


class Cell(NamedTuple):
    """A solver with a scheme, and features."""

    solver: str
    scheme: str
    features: tuple[Feature, ...]

    @property
    def name(self) -> str:
        """For messages."""
        return " + ".join([self.solver, self.scheme, *self.names])

    @property
    def names(self) -> tuple[str, ...]:
        """Of its features."""
        return tuple(feature.name for feature in self.features)

    def has(self, name: str) -> bool:
        """Whether it has a feature of that name, or on that axis."""
        return any(
            name == feature.axis or feature.name.startswith(name) for feature in self.features
        )


class Problem(NamedTuple):
    """What a cell asks `solve` for."""

    model: jn.Network
    solver: jn.AbstractSolver
    y0: jax.Array
    dt: float
    t1: float
    key: jax.Array


COVERING: dict[str, tuple[tuple[str, ...], ...]] = {
    "FluxShift": (
        (
            "weight axis",
            "excitation",
            "`noise` in time",
            "drive with jumps",
            "`delay=Delay`",
            "`refractory`",
            "`membrane=Exponential()`",
            "`coupling=Implicit()`",
            "`step_size=FixedStep()`",
        ),
        (
            "learning",
            "inhibition",
            "`response=Saturating()`",
            "`delay=GammaDelay`",
            "`membrane=Perfect()`",
            "`epsilon=0`",
            "`coupling=Corrected()`",
        ),
        (
            "populations",
            "`noise_slope`",
            "`delay=NormalDelay`",
            "`membrane=Quadratic()`",
            "`adaptation`",
        ),
        (
            "populations, `synaptic_time_constant`",
            "`delay=ExponentialDelay`",
            "`refractory=Never()`",
        ),
        ("`epsilon=0.1`", "`neurons`", "`events=Cascade()`"),
    ),
    "Particles": (
        (
            "weight axis",
            "excitation",
            "`noise` in time",
            "drive with jumps",
            "`delay=Delay`",
            "`refractory`",
            "`membrane=Exponential()`",
            "`epsilon=0.1`",
        ),
        ("populations", "`noise_slope`", "`delay=NormalDelay`", "`membrane=Quadratic()`"),
        (
            "populations, `synaptic_time_constant`",
            "inhibition",
            "`delay=ExponentialDelay`",
            "`refractory=Never()`",
        ),
        ("`response=Saturating()`", "`delay=GammaDelay`", "`membrane=Perfect()`"),
    ),
    "MultiScale": (
        ("inhibition", "`noise_slope`", "drive with jumps", "`membrane=Exponential()`"),
    ),
}
"""Cells of many features that tests run: each feature that a solver follows, in one of them."""


def covering() -> Iterator[Cell]:
    """The cells of `COVERING`, with every scheme, of which each has the features it follows."""
    for solver, groups in COVERING.items():
        for scheme in schemes(solver):
            for names in groups:
                yield named(
                    solver, scheme, *(n for n in names if not refusal(named(solver, scheme, n)))
                )


def schemes(solver: str) -> tuple[str, ...]:
    """The time schemes that a solver may have; particles have none."""
    return ("",) if solver == "Particles" else tuple(SCHEMES)


def cells(number: int) -> Iterator[Cell]:
    """All cells of so many features."""
    for solver in SOLVERS:
        for scheme in schemes(solver):
            for features in combinations(FEATURES, number):
                if len({feature.axis for feature in features}) == number:
                    yield Cell(solver, scheme, features)


def not_taken(cell: Cell) -> str | None:
    """An argument of `FluxShift` that a cell has and its solver has not."""
    names = [name for feature in cell.features for name in feature.solver]
    return names[0] if names and cell.solver == "Particles" else None


def problem(cell: Cell) -> Problem:
    """The network and the solver of a cell.

    **Raises:** `ValueError` if they are refused, here or by `validate`.
    """
    model = _network(cell)
    columns = [f.name for f in cell.features if f.axis in ("columns", "sign")]
    grid, y0 = _beginning(*columns, *{*cell.names} & {_PERFECT, _EXPONENTIAL})
    given = {k: v for feature in cell.features for k, v in feature.solver.items()}
    density = SCHEMES.get(cell.scheme, {}) | given
    populations = model.populations
    size = NEURONS if populations is None else (NEURONS,) * populations
    if cell.solver == "FluxShift":
        solver = jn.FluxShift(grid, **density)
    elif cell.solver == "Particles":
        solver = jn.Particles(size, grid)
    else:
        macro = jn.FluxShift(grid, **density)
        noisy = macro.scheme.order == 1
        solver = jn.MultiScale(macro, jn.Particles(size), finite_size_noise=noisy)
    dt, t1 = (0.1, 24.0) if cell.solver == "FluxShift" else (0.02, 12.0)
    if cell.solver != "FluxShift" and cell.has("`epsilon=0.1`"):
        dt, t1 = dt / 10, t1 / 4
    return Problem(model, solver, y0, dt, t1, jax.random.key(0))


def named(solver: str, scheme: str, *names: str) -> Cell:
    """The cell of features of these names."""
    return Cell(solver, scheme, tuple(f for f in FEATURES if f.name in names))


def refusal(cell: Cell) -> str | None:
    """What `validate` says against a cell, and `None` if nothing."""
    return _refusal(cell.solver, cell.scheme, *cell.names)


@cache
def _refusal(*names: str) -> str | None:
    try:
        model, solver, y0, dt, _, key = problem(named(*names))
        solver.validate(model, y0, dt, key)
    except ValueError as error:
        return str(error)
    return None


def names_a_feature(message: str, cell: Cell) -> bool:
    """Whether a refusal is one line that names a feature of the cell, or its scheme."""
    words = [w for f in cell.features for w in (f.axis, f.name.strip("`"), *f.words)]
    words += [cell.scheme] if cell.scheme != "Euler" and cell.scheme else []
    return "\n" not in message and any(word in message for word in words)


def _network(cell: Cell) -> jn.Network:
    # Without a leak stationary states are reached slowly where the drive is low.
    drive = 2.0 if cell.has(_PERFECT) else 1.0
    jumps = cell.has("drive")
    given: dict[str, Any] = {"noise": 1.0}
    given["drive"] = jn.Pulse(drive, 1.0, 0.25, 0.5) if jumps else drive
    given |= {k: v for feature in cell.features for k, v in feature.network.items()}
    sign = -1.0 if cell.has("inhibition") else 1.0
    strength = 0.2 if not cell.has("sign") else 0.5 * sign
    if cell.has("populations"):
        signs = [[1.0, -1.0]] * 2 if not cell.has("sign") else [[sign, sign]] * 2
        sizes = np.array([[0.3, 0.2], [0.4, 0.1]])
        own = {"threshold": [2.0, 2.5], "reset": [1.0, 1.2], "time_constant": [1.0, 0.5]}
        return jn.Network(weight=signs * sizes, **own, **given)
    if cell.has("learning"):
        # With any other response there need not be a learned state.
        gain = 0.03 if cell.has("`membrane=Quadratic()`") else 0.1
        return jn.Network(learning=jn.Hebbian(gain * sign), **({"response": SATURATING} | given))
    return jn.Network(weight=None if cell.has("weight axis") else strength, **given)


@cache
def _beginning(*names: str) -> tuple[jn.Grid, jax.Array]:
    """Grid and initial density of features."""
    grid = _grid(named("", "", *names))
    weights = {} if grid.w is None else {"w": _first_weights(grid.w)}
    return grid, jn.gaussian(grid, v=(0.0, 0.25), **weights)


def _grid(cell: Cell) -> jn.Grid:
    # Without a leak the density falls slowly below.
    low = -8.0 if cell.has(_PERFECT) else -4.0
    nodes = 40 if cell.has(_EXPONENTIAL) else 20
    v = jn.VoltageGrid(low, 2.0, reset=1.0, num=round((2.0 - low) * nodes))
    if cell.has("populations"):
        return jn.Grid(v, populations=2)
    if cell.has("learning"):
        return jn.Grid(v, jn.WeightGrid(*_directed((0.0, 1.2), cell), num=40))
    if cell.has("weight axis"):
        ends = (0.0, 0.6) if cell.has("sign") else (-0.3, 0.3)
        return jn.Grid(v, jn.WeightGrid(*_directed(ends, cell), num=12))
    return jn.Grid(v)


def _directed(ends: tuple[float, float], cell: Cell) -> tuple[float, float]:
    return (-ends[1], -ends[0]) if cell.has("inhibition") else ends


def _first_weights(w: jn.WeightGrid) -> tuple[float, float]:
    """Mean and variance of the initial weights."""
    middle, width = (w.minimum + w.maximum) / 2, w.maximum - w.minimum
    return middle, (width / 8) ** 2
