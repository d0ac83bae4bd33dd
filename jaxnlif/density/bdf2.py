r"""`BDF2`: two steps of history, second order in time, and still one solve that keeps the sign.

With $ω = Δt_n / Δt_{n-1}$, in each column,

$$p^* = p^n + g\,(p^n - p^{n-1}), \quad Δt' = (1 - g/ω)\,Δt, \quad 0 ≤ g ≤ ω^2/(1 + 2ω).$$

The upper end is the formula of order two, 0 is backward Euler, and the limiter takes the largest g
with $p^* ≥ 0$. Who has fired in a step is counted by the same formula,
$ΔS^{n+1} = g\,ΔS^n + N^{n+1} Δt'$, so that no neuron is lost between density and resting neurons.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import equinox as eqx
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float, Int

from .. import _tolerance
from ..grid import Grid
from ..machine.machine import Machine
from . import second_order
from .cells import with_inflow
from .coupling import AbstractCoupling, Corrected, Extrapolated, Lagged
from .events import Fired
from .limited import Limited
from .reentry import Later
from .scheme import AbstractScheme, Begun, Part
from .second_order import LearningPast
from .state import DensityState
from .step_size import AbstractStepSize, FixedStep, JumpStep
from .transport import Moved

_AT_JUMPS = JumpStep()
_LARGEST_RATIO = 2.0  # of successive steps; zero-stable up to 1 + √2


class Past(eqx.Module):
    r"""The last step.

    - `density`: at its beginning, `(v, w)` (1 / voltage / weight); `rate`: the network rate then
      (spikes / neuron / membrane time).
    - `fired`: $∫N(w)\,dt$ in it, `(w,)` (spikes / neuron × learning time / membrane time / weight).
    - `entered`: the mass that re-entered by itself in it, `(w,)` (1 / weight).
    - `mass`: the sum over voltages that each column began the run with, `(w,)`
      (1 / voltage / weight).
    - `dt`: its length (learning time).
    - `age`: how many steps there were since the last restart.
    """

    density: Float[Array, "v w"]
    rate: Float[Array, "*k"]
    fired: Float[Array, " w"]
    entered: Float[Array, " w"]
    mass: Float[Array, " w"]
    dt: Float[Array, ""]
    age: Int[Array, ""]


class LearningSteps(eqx.Module):
    """The last step of a network that learns, and its `fired` as in `Past`."""

    past: LearningPast
    fired: Float[Array, " w"]


class BDF2(AbstractScheme):
    r"""Two-step backward differences, limited so that the density stays positive at every step.

    One solve per step, as `Euler`; second order in time where drive and rates are smooth, for steps
    of any length, that may change from one to the next by a factor of up to 2. As ε → 0 it becomes
    the quasi-static step. The rate that neurons feel is extrapolated from the last two where the
    network excites; where it inhibits, and in the first step after a jump of the drive or an event,
    it is that of the step itself. Steps of the run are divided at the jumps that the drive
    declares.

    **Reference:** jaxnlif's.
    """

    order: ClassVar[int] = 2

    def start(
        self, grid: Grid, density: Float[Array, "v w"], rate: Float[Array, "*k"], *, learns: bool
    ) -> Past | LearningSteps:
        columns = jnp.zeros_like(density[0])
        if learns:
            return LearningSteps(second_order.start(grid, density), columns)
        none, mass = jnp.zeros((), density.dtype), jnp.sum(density, 0)
        return Past(density, rate, columns, columns, mass, none + 1, jnp.zeros((), jnp.int32))

    def begin(self, part: Part, state: DensityState) -> Begun:
        if isinstance(state.past, LearningSteps):
            return _begin_to_learn(part, state.past, state.density)
        return _begin(part, state.past, state)

    def after(
        self, part: Part, begun: Begun, state: DensityState, fired: Fired, spikes: Array
    ) -> Past | LearningSteps:
        if isinstance(state.past, LearningSteps):
            return LearningSteps(second_order.after(begun.kept, fired.density), spikes)
        age = jnp.where(begun.fresh, 1, jnp.minimum(state.past.age + 1, 2))
        age = jnp.where(fired.together, 0, age)
        mass = state.past.mass
        return Past(state.density, state.rate, spikes, part.entering, mass, part.dt, age)

    def ahead(self, state: DensityState, dt: Float[Array, ""]) -> Float[Array, " s"]:
        if isinstance(state.past, LearningSteps):
            past = state.past.past
            ratio = jnp.where(past.age > 1, dt / past.dt, 0)
            return jnp.maximum(state.rate + ratio * (state.rate - past.rate), 0)[None]
        return _rate_ahead(state.past, state.rate, *_ratio(dt, state.past, False))

    def coupling(self, coupling: AbstractCoupling) -> AbstractCoupling:
        return Extrapolated() if isinstance(coupling, Lagged | Corrected) else coupling

    def step_size(self, *, jumps: bool) -> AbstractStepSize:
        return _AT_JUMPS if jumps else FixedStep()


def _begin(part: Part, past: Past, state: DensityState) -> Begun:
    """Where weights do not move."""
    ratio, known = _ratio(part.dt, past, part.restarts)
    most = jnp.where(known, ratio**2 / (1 + 2 * ratio), 0)
    density, former, reentry = state.density, past.density, part.reentry
    if isinstance(reentry, Later):
        grid = part.learning.grid.v
        density = with_inflow(grid, density, part.entering)
        former = with_inflow(grid, former, past.entered + part.entering)
        reentry = Later(jnp.zeros_like(reentry.entering))
    least = _tolerance.little(density.dtype) * past.mass
    share = limited_share(density, former, least, most, part.learning.machine)
    ahead = jnp.maximum(density + share[None] * (density - former), 0)
    # Who re-enters at once leaves every column its mass; the first one does not drift.
    mass = past.mass
    if isinstance(reentry, Later):
        begin, before = jnp.sum(density, 0), jnp.sum(former, 0)
        ahead, mass = scaled(ahead, begin + share * (begin - before)), None
    moved = Moved(ahead, jnp.zeros((), jnp.int32), jnp.ones((), bool))
    return Begun(
        moved=moved,
        length=(1 - share / ratio) * part.dt,
        reentry=reentry,
        previous=_rate_ahead(past, state.rate, ratio, known),
        fresh=(past.age == 0) | part.restarts,
        fired=share * past.fired,
        mass=mass,
    )


def _begin_to_learn(part: Part, steps: LearningSteps, density: Float[Array, "v w"]) -> Begun:
    """Where weights move first."""
    learning, past = part.learning, steps.past
    age = jnp.where(jnp.asarray(part.restarts), 0, past.age)
    past = eqx.tree_at(lambda past: past.age, past, age)
    limited = isinstance(part.transport, Limited)
    moved = second_order.move(learning, past, density, limited=limited)
    shorter = moved.effective / learning.dt  # 1 - g/ω
    ratio = jnp.where(age > 0, learning.dt / past.dt, 1)
    return Begun(
        moved=Moved(moved.density, moved.iterations, moved.converged),
        length=shorter * part.dt,
        reentry=part.reentry,
        previous=moved.rate[None],
        fresh=age == 0,
        fired=(1 - shorter) * ratio * steps.fired,
        kept=moved,
    )


def _ratio(dt: Array, past: Past, restarts: Array | bool) -> tuple[Array, Array]:
    """Of the length of the step to that of the last one; whether the two are used together."""
    ratio = dt / past.dt
    known = (past.age > 0) & ~jnp.asarray(restarts) & (ratio <= _LARGEST_RATIO)
    return jnp.where(known, ratio, 1), known


def _rate_ahead(
    past: Past, rate: Float[Array, "*k"], ratio: Array, known: Array
) -> Float[Array, " s"]:
    """The network rate at the end of the step, from the last two; the first of them, which is that
    of the initial density, enters nothing."""
    ahead = jnp.maximum(rate + ratio * (rate - past.rate), 0)
    return jnp.atleast_1d(jnp.where(known & (past.age > 1), ahead, rate))


def limited_share(
    density: Float[Array, "v w"],
    former: Float[Array, "v w"],
    least: Float[Array, " w"],
    most: Float[Array, ""],
    machine: Machine,
) -> Float[Array, " w"]:
    r"""The largest g up to `most` with which $p + g (p - q)$ is positive, for each column.

    Cells do not count in which q is no more than the `least`; they are to be cut off at zero.

    **Arguments:** density p and former density q, `(v, w)`; `least`, `(w,)`
    (1 / voltage / weight); how to run.
    """

    def ahead(p: Array, q: Array) -> Array:
        return jnp.where(q > least, p + most * (p - q), 0)

    def bound(p: Array, q: Array) -> Array:
        falls = (q > p) & (q > least)
        return jnp.where(falls, p / jnp.where(falls, q - p, 1), most)

    every = jnp.zeros_like(least) + most
    lowest = _lowest(ahead, jnp.zeros_like(least), density, former, machine)
    # Mostly nothing is limited, and nothing has to be divided.
    return lax.cond(
        jnp.any(lowest < 0),
        lambda: _lowest(bound, every, density, former, machine),
        lambda: every,
    )


def _lowest(
    function: Callable[[Array, Array], Array],
    start: Float[Array, " w"],
    density: Float[Array, "v w"],
    former: Float[Array, "v w"],
    machine: Machine,
) -> Float[Array, " w"]:
    """The least value of a function of the cells of each column, and of `start`."""

    def row_by_row(density: Array, former: Array) -> Array:  # faster on a CPU than a reduction
        def row(least: Array, cells: tuple[Array, Array]) -> tuple[Array, None]:
            return jnp.minimum(least, function(*cells)), None

        return lax.scan(row, start, (density, former))[0]

    def at_once(density: Array, former: Array) -> Array:
        return jnp.minimum(jnp.min(function(density, former), 0), start)

    return machine.run(density, former, loops=row_by_row, log_depth=at_once)


def scaled(density: Float[Array, "v w"], mass: Float[Array, " w"]) -> Float[Array, "v w"]:
    """The density with this sum in each column."""
    found = jnp.sum(density, 0)
    return density * jnp.where(found > 0, mass / jnp.where(found > 0, found, 1), 0)[None]
