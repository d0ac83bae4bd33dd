"""What a solver is to `solve`: it prepares a state, steps it, and shows what is saved."""

from __future__ import annotations

import abc
import enum
from typing import Any, Generic, TypeVar

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.typing import ArrayLike
from jaxtyping import Array, Float, Int, PRNGKeyArray

from ..grid import Grid
from .log import Log
from .result import Result
from .sharding import Sharded

State = TypeVar("State")


class Regime(enum.IntEnum):
    """Which description follows the network."""

    density = 0
    particles = 1


class Snapshot(eqx.Module):
    r"""What is seen of a network at one time.

    - `rate`: network rate $\bar N$ (spikes / neuron / membrane time).
    - `rates`: $N(w)$, shape `(w,)` (the same per weight unit).
    - `weights`: weight density $H(w)$, shape `(w,)` (1 / weight).
    - `density`: $p(v, w)$, shape `(v, w)` (1 / voltage unit / weight unit).
    - `spikes`: $∫ \bar N\,dt$ since the beginning; for $ε = 1$ how often a neuron has fired, on
      average (spikes / neuron).
    - `refractory`: the fraction of the neurons that rest after a spike; density and this make 1.
    - `regime`: the `Regime` that the solver is in.
    """

    rate: Float[Array, ""]
    rates: Float[Array, " w"]
    weights: Float[Array, " w"]
    density: Float[Array, "v w"]
    spikes: Float[Array, ""]
    refractory: Float[Array, ""]
    regime: Int[Array, ""]


class AbstractSolver(eqx.Module, Generic[State]):
    """A way to advance a network in time. A step covers one outer interval `dt`."""

    grid: eqx.AbstractVar[Grid]

    @property
    def dtype(self) -> np.dtype:
        """The floating-point type in which this solver computes."""
        return self.grid.dtype

    @abc.abstractmethod
    def validate(self, model: Any, y0: Any, dt: ArrayLike, key: PRNGKeyArray | None) -> None:
        """Raises `ValueError`, in one clear line, if the arguments do not fit one another."""

    def sharded(self, layout: Sharded) -> AbstractSolver[State]:
        """This solver with its arrays split over devices; `ValueError` if it has none to split."""
        raise ValueError(f"sharding: {type(self).__name__} has nothing to split over devices")

    @abc.abstractmethod
    def init(self, model: Any, t0: Array, y0: Any, key: PRNGKeyArray | None) -> State:
        """The state at time `t0`."""

    @abc.abstractmethod
    def step(self, model: Any, t: Array, dt: Array, state: State) -> State:
        """The state at `t + dt` from that at `t`."""

    def advance(
        self, model: Any, t0: Array, dt: Array, state: State, n: Array, stop: Array
    ) -> tuple[State, Array]:
        """The state after the steps `n` to `stop`, step n beginning at `t0 + n * dt`, and the steps
        then made: fewer where the run cannot go on.

        A solver whose steps differ may replace this loop by one that pays for each only its cost.
        """

        def step(carry):
            state, n = carry
            return self.step(model, t0 + n * dt, dt, state), n + 1

        def unfinished(carry):
            return (carry[1] < stop) & (self.result(carry[0]) == Result.completed)

        return lax.while_loop(unfinished, step, (state, n))

    @abc.abstractmethod
    def observe(self, state: State) -> Snapshot:
        """What can be saved of a state."""

    @abc.abstractmethod
    def result(self, state: State) -> Result:
        """Whether the run can go on (`Result.completed`) and, if not, why."""

    @abc.abstractmethod
    def iterations(self, state: State) -> dict[str, Array]:
        """Counts of nonlinear iterations since the start, for `Solution.stats`."""

    def logs(self, state: State) -> dict[str, Log]:
        """What was recorded: `events`, `switches`, `raster`, as far as this solver has them."""
        return {}

    def differentiable_from(self, state: State) -> Float[Array, ""]:
        """The time before which no derivative flows: that of the last event or switch."""
        return jnp.asarray(-jnp.inf, self.dtype)
