"""What a solver is to `solve`: it prepares a state, steps it, and shows what is saved."""

from __future__ import annotations

import abc
from typing import Any, Generic, TypeVar

import equinox as eqx
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Float, PRNGKeyArray

from ..grid import Grid
from .result import Result

State = TypeVar("State")


class Snapshot(eqx.Module):
    r"""What is seen of a network at one time.

    - `rate`: network rate $\bar N$ (spikes / neuron / membrane time).
    - `rates`: $N(w)$, shape `(w,)` (the same per weight unit).
    - `weights`: weight density $H(w)$, shape `(w,)` (1 / weight unit).
    - `density`: $p(v, w)$, shape `(v, w)` (1 / voltage unit / weight unit).
    """

    rate: Float[Array, ""]
    rates: Float[Array, " w"]
    weights: Float[Array, " w"]
    density: Float[Array, "v w"]


class AbstractSolver(eqx.Module, Generic[State]):
    """A way to advance a network in time. A step covers one outer interval `dt`."""

    grid: eqx.AbstractVar[Grid]

    @property
    def dtype(self) -> np.dtype:
        """The floating-point type in which this solver computes."""
        return self.grid.dtype

    @abc.abstractmethod
    def validate(self, model: Any, y0: ArrayLike) -> None:
        """Raises `ValueError`, in one clear line, if model or initial state do not fit."""

    @abc.abstractmethod
    def init(self, model: Any, t0: Array, y0: ArrayLike, key: PRNGKeyArray | None) -> State:
        """The state at time `t0`."""

    @abc.abstractmethod
    def step(self, model: Any, t: Array, dt: Array, state: State) -> State:
        """The state at `t + dt` from that at `t`."""

    @abc.abstractmethod
    def observe(self, state: State) -> Snapshot:
        """What can be saved of a state."""

    @abc.abstractmethod
    def result(self, state: State) -> Result:
        """Whether the run can go on (`Result.completed`) and, if not, why."""

    @abc.abstractmethod
    def iterations(self, state: State) -> dict[str, Array]:
        """Counts of nonlinear iterations since the start, for `Solution.stats`."""
