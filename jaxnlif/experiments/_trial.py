"""A learning phase and, with the weights frozen, test phases: what `learning` runs."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from typing import NamedTuple

import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from ..density.solver import FluxShift
from ..integrate.progress import ProgressBar
from ..integrate.result import Interrupted, Result, SolveError
from ..integrate.saveat import SaveAt
from ..integrate.solution import Solution
from ..integrate.solve import solve
from ..model import Hebbian, Network, Saturating, Tabulated
from ..model._leaf import as_leaf


class Switched(Hebbian):
    """Hebbian learning at a `speed` of 1, or 0 where the weights are frozen.

    As a number, so that learning and tests share a compilation.
    """

    speed: Float[Array, ""]

    def __init__(self, gain: ArrayLike, *, on: bool) -> None:
        super().__init__(gain)
        # A field here, of the class elsewhere.
        self.speed = as_leaf("speed", float(on))  # pyright: ignore[reportIncompatibleVariableOverride]


class Setting(NamedTuple):
    r"""What is learned, tested and solved; signals are values $I(w)$ at the cell centres.

    - `solver`: a `FluxShift` on a grid with weights.
    - `initial`: density before learning, shape `(v, w)`.
    - `signal`, `tests`: the learned signal and, by name, those that test it, shape `(w,)`
      (voltage).
    - `gain`: $K > 0$ (weight² × membrane time²). `epsilon`: membrane / learning time.
    - `noise`: diffusion coefficient $a$ (voltage² / membrane time).
    - `t1`, `dt`: duration of learning, and longest step (learning time).
    - `progress`: whether to show bars.
    """

    solver: FluxShift
    initial: Float[Array, "v w"]
    signal: Float[np.ndarray, " w"]
    tests: Mapping[str, Float[np.ndarray, " w"]]
    gain: float
    epsilon: float
    noise: float
    t1: float
    dt: float
    progress: bool

    @property
    def weights(self) -> Float[np.ndarray, " w"]:
        """Cell centres of the weight grid (weight)."""
        assert self.solver.grid.w is not None
        return self.solver.grid.w.centers

    @property
    def test_time(self) -> float:
        """Duration of a test (learning time): twenty membrane times at least, to be stationary."""
        return max(self.t1 / 10, 20 * self.epsilon)

    def network(self, signal: Float[np.ndarray, " w"], *, learns: bool) -> Network:
        """The network in a phase. Phases differ in values only, and share a compilation."""
        return Network(
            drive=Tabulated(signal, w=self.weights),
            response=Saturating(),
            learning=Switched(self.gain, on=learns),
            epsilon=self.epsilon,
            noise=self.noise,
        )

    def validate(self) -> None:
        """Requires what every phase requires of its arguments.

        **Raises:** `ValueError` that names what is wrong.
        """
        model = self.network(self.signal, learns=True)
        self.solver.validate(model, self.initial, self.dt, None)


class Phase(NamedTuple):
    """A phase that was run: its name, its input $I(w)$ at the cell centres, and its course."""

    name: str
    signal: Float[np.ndarray, " w"]
    solution: Solution

    # On the host, because to index an array of JAX compiles.

    @property
    def rates(self) -> Float[np.ndarray, "k w"]:
        """$N(w, t)$ at the saved times."""
        return np.asarray(self.solution.rates)

    @property
    def weights(self) -> Float[np.ndarray, "k w"]:
        """$H(w, t)$ at the saved times."""
        return np.asarray(self.solution.weights)

    @property
    def rate(self) -> Float[np.ndarray, " k"]:
        r"""$\bar N(t)$ at the saved times."""
        return np.asarray(self.solution.rate)

    @property
    def t(self) -> Float[np.ndarray, " k"]:
        """The saved times."""
        return np.asarray(self.solution.ts)


def phases(setting: Setting) -> Iterator[Phase]:
    """The learning phase, then each test from the learned state.

    **Raises:** `SolveError` if a phase does not complete or the network falls silent, `Interrupted`
    on Ctrl-C; in each case after that phase has been yielded as far as it came.
    """
    learned = yield from _phase(setting, "learning", setting.signal, setting.initial, learns=True)
    if learned.rate[-1] == 0:
        raise SolveError(
            "learning: the network fell silent, so nothing is learned; raise the signal"
        )
    density = learned.solver.observe(learned.state).density
    for name, signal in setting.tests.items():
        yield from _phase(setting, name, signal, density, learns=False)


def _phase(
    setting: Setting,
    name: str,
    signal: Float[np.ndarray, " w"],
    density: Float[Array, "v w"],
    *,
    learns: bool,
) -> Generator[Phase, None, Solution]:
    """One phase, yielded; returns its solution."""
    try:
        solution = solve(
            setting.network(signal, learns=learns),
            setting.solver,
            y0=density,
            t1=setting.t1 if learns else setting.test_time,
            dt=setting.dt,
            saveat=SaveAt(num=121, fn=None),
            progress=ProgressBar(name) if setting.progress else None,
        )
    except Interrupted as stop:
        yield Phase(name, signal, stop.solution)
        raise
    yield Phase(name, signal, solution)
    if solution.result != Result.completed:
        raise SolveError(f"{name}, t = {float(solution.t_end):g}: {solution.message}")
    return solution
