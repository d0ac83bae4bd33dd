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
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from .._module import Module
from ..grid import Grid
from ..machine.layout import Sharded
from .log import Log
from .result import Result
from .warning import WarningFlag, no_warnings

State = TypeVar("State")


class Regime(enum.IntEnum):
    """Which description follows the network."""

    density = 0
    particles = 1


class Snapshot(eqx.Module):
    r"""What is seen of a network at one time.

    - `rate`: network rate $\bar N$, shape `()`, of populations that of each, `(k,)`
      (spikes / neuron / membrane time).
    - `rates`: $N(w)$, shape `(w,)` (spikes / neuron / membrane time / weight).
    - `weights`: weight density $H(w)$, shape `(w,)` (1 / weight).
    - `density`: $p(v, w)$, shape `(v, w)` (1 / voltage / weight).
    - `spikes`: $∫ \bar N\,dt$ since the beginning, of the shape of `rate`: ε times how often a
      neuron has fired, on average (spikes / neuron × learning time / membrane time).
    - `refractory`: the fraction of the neurons that rest after a spike, of the shape of `rate`
      (dimensionless); the mass of the density and this make 1.
    - `regime`: the `Regime` that the solver is in.
    """

    rate: Float[Array, "*k"]
    rates: Float[Array, " w"]
    weights: Float[Array, " w"]
    density: Float[Array, "v w"]
    spikes: Float[Array, "*k"]
    refractory: Float[Array, "*k"]
    regime: Int[Array, ""]


class AbstractSolver(Module, Generic[State]):
    """A way to advance a network in time. A step covers one outer interval `dt`.

    **Arguments** of the methods:

    - `model`: what is solved, a `Network`.
    - `y0`: initial state, for solvers of densities of mass 1 and shape `(v, w)`.
    - `t`, `t0`: time at which the step, or the run, begins (learning time).
    - `dt`: length of the step (learning time).
    - `key`: a random key, or `None`.
    - `state`: the solver's own pytree, made by `init`.
    - `layout`: over which devices arrays are split.
    """

    grid: eqx.AbstractVar[Grid]

    @property
    def dtype(self) -> np.dtype:
        """The floating-point type in which this solver computes."""
        return self.grid.dtype

    @abc.abstractmethod
    def validate(self, model: Any, y0: Any, dt: ArrayLike, key: PRNGKeyArray | None) -> None:
        """Checks the arguments, which are concrete or traced, before anything compiles.

        **Raises:** `ValueError`, in one clear line, if they do not fit one another.
        """

    def sharded(self, layout: Sharded) -> AbstractSolver[State]:
        """This solver with its arrays split over devices.

        **Raises:** `ValueError` if it has none to split, or the devices do not divide them.
        """
        raise ValueError(f"sharding: {type(self).__name__} has nothing to split over devices")

    @abc.abstractmethod
    def init(self, model: Any, t0: Array, y0: Any, key: PRNGKeyArray | None) -> State:
        """The state at time `t0`."""

    def start(self, model: Any, t0: Array, dt: Array, state: State) -> State:
        """The state at `t0` from which the first step, of length `dt`, is made.

        Solvers whose first step needs more than the initial state find it here, once.
        """
        return state

    @abc.abstractmethod
    def step(self, model: Any, t: Array, dt: Array, state: State) -> State:
        """The state at `t + dt` from that at `t`."""

    def divides(self, model: Any) -> bool:
        """Whether what is saved between two steps is that of a shorter one, and not linear.

        **Returns:** a plain boolean; if it is true, saves are what `within` returns.
        """
        return False

    def within(self, model: Any, t: Array, dt: Array, part: Array, state: State) -> State:
        """The state after a part of a step, for what is saved between two steps.

        **Arguments:** `part`: of the step, from 0 to 1 (dimensionless); `t`: when it begins
        (learning time); `state`: then.
        """
        return self.step(model, t, part * dt, state)

    def advance(
        self, model: Any, t0: Array, dt: Array, state: State, n: Array, stop: Array
    ) -> tuple[State, Array]:
        """The state after the steps `n` to `stop`, and the number of steps then made.

        They are fewer than `stop` where the run cannot go on. Step n begins at `t0 + n * dt`. A
        solver whose steps differ may replace this loop by one that pays for each only its cost.
        """

        def step(carry: Any) -> tuple[State, Array]:
            state, n = carry
            return self.step(model, t0 + n * dt, dt, state), n + 1

        def unfinished(carry: Any) -> Array:
            return (carry[1] < stop) & (self.result(carry[0]) == Result.completed)

        return lax.while_loop(unfinished, step, (state, n))

    @abc.abstractmethod
    def observe(self, state: State) -> Snapshot:
        """What can be saved of a `state`, a `Snapshot`."""

    @abc.abstractmethod
    def result(self, state: State) -> Result:
        """Whether the run can go on (`Result.completed`) and, if not, why."""

    def reached(self, state: State, t: Array) -> Array:
        """The time that is reached in a step (learning time).

        **Arguments:** `t`: when the step ends (learning time); `state`: after it.
        """
        return t

    def warnings(self, state: State) -> Bool[Array, " flags"]:
        """What has made the run doubtful so far.

        **Returns:** flags in the order of `WarningFlag`, shape `(flags,)`.
        """
        return no_warnings()

    def unresolved(
        self,
        model: Any,
        dt: Array,
        state: State,
        ts: Float[Array, " k"],
        rate: Float[Array, "k *p"],
        rates: Float[Array, "k w"],
    ) -> Bool[Array, " flags"]:
        """What grid and step do not resolve.

        **Arguments:** besides those above, some of the saved times `ts`, shape `(k,)` (learning
        time), and then the network's `rate`, shape `(k,)` (spikes / neuron / membrane time), and
        the `rates` $N(w)$, shape `(k, w)` (spikes / neuron / membrane time / weight).

        **Returns:** flags in the order of `WarningFlag`, shape `(flags,)`.
        """
        return no_warnings()

    def advice(self, flag: WarningFlag, solution: Any) -> str:
        """What to try where a run warns.

        **Arguments:** `flag`, of the warning; `solution`, the `Solution` that has it.

        **Returns:** a sentence, or nothing.
        """
        return ""

    @abc.abstractmethod
    def iterations(self, state: State) -> dict[str, Array]:
        """Counts of nonlinear iterations since the start, for `Solution.stats`."""

    def logs(self, state: State) -> dict[str, Log]:
        """What was recorded: `events`, `switches`, `raster`, as far as this solver has them."""
        return {}

    def differentiable_from(self, state: State) -> Float[Array, ""]:
        """The time of the last event or switch: no derivative flows before (learning time)."""
        return jnp.asarray(-jnp.inf, self.dtype)
