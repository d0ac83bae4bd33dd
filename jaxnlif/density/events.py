r"""Multiple firing events on the density: a part of the network fires together in an instant.

Where the spikes of a step start an avalanche that carries itself, the mean-field equation has no
classical solution; it goes on with the *physical* one, in which the smallest self-consistent mass
m jumps over the threshold at once (Delarue, Inglis, Rubenthaler, Tanré 2015; Dou, Tao, Xue, Zhou,
arXiv 2603.18475).
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Float

from .._check import check, check_integer, check_positive, check_scalar
from .._module import Module
from ..grid import Grid, VoltageGrid
from ..integrate.log import Event, Log
from ..integrate.loop import MAX_ITERATIONS
from ..model import Network
from ..model._leaf import as_leaf
from .blowup import avalanche, reached, visible_jump
from .interval import Interval, frozen, instantaneous_kick

_LONGEST = 0.02  # membrane times


class Cascade(Module):
    r"""Lets neurons fire together on the density, and the run go on through every blow-up.

    Steps are shortened to $Δt = ε\,δm/\bar N$, so that no more than $δm$ fires in one, and land on
    the jumps of the drive; where an avalanche is near they are no longer than 0.02 membrane times.
    A run takes about (number of steps) + (fired mass)/δm + (jumps) of these substeps.

    **Arguments:**

    - `mass_step`: $δm$, the mass that fires in one substep (dimensionless); by default the outer
      step in membrane times, that is, steps are shortened where $\bar N > 1$, but no more than what
      makes the strongest weight jump by a tenth of $V_F - V_R$ (or by five cells).
    - `max_events`: how many events are recorded.
    - `max_substeps`: the most substeps of an outer step, no more than 10 000.

    More events or substeps end the run as `Result.event_budget_exceeded`.

    **Raises:** `ValueError` unless all are positive and the last two integers.

    **Reference:** F. Delarue, J. Inglis, S. Rubenthaler, E. Tanré, *Ann. Appl. Probab.* (2015);
    X. Dou, L. Tao, Z. Xue, Z. Zhou, arXiv 2603.18475 (2026); the criterion and the bounded substeps
    are jaxnlif's.
    """

    mass_step: Float[Array, ""] | None
    max_events: int = eqx.field(static=True)
    max_substeps: int = eqx.field(static=True)

    def __init__(self, mass_step=None, *, max_events: int = 4096, max_substeps: int = 10_000):
        if mass_step is not None:
            check_scalar("mass_step", mass_step)
            check_positive("mass_step", mass_step)
        self.mass_step = None if mass_step is None else as_leaf("mass_step", mass_step)
        self.max_events = check_integer("max_events", max_events, at_least=1)
        self.max_substeps = check_integer("max_substeps", max_substeps, at_least=1)
        check(
            max_substeps <= MAX_ITERATIONS,
            f"max_substeps = {max_substeps}: must not exceed {MAX_ITERATIONS}",
        )

    def spikes(
        self, grid: VoltageGrid, model: Network, weights: Float[Array, " w"], dt: Float[Array, ""]
    ) -> Float[Array, ""]:
        r"""$ε\,δm$, the $∫ \bar N\,dt$ of a substep.

        **Arguments:** `grid`, of voltages; `model`; `weights`, of the columns, shape `(w,)`
        (weight); `dt`, the outer step (learning time).

        **Returns:** a number (spikes / neuron × learning time / membrane time).
        """
        if self.mass_step is not None:
            return model.epsilon * self.mass_step.astype(dt.dtype)
        visible = visible_jump(grid)
        strongest = jnp.maximum(jnp.max(instantaneous_kick(model, weights)), visible)
        return jnp.minimum(dt, model.epsilon * visible / strongest)

    def longest(
        self,
        grid: Grid,
        model: Network,
        weights: Float[Array, " w"],
        density: Float[Array, "v w"],
        dt: Float[Array, ""],
    ) -> Float[Array, ""]:
        """A substep no longer than this misses no event (learning time).

        Where an avalanche is near, that is a fraction of the time from one to the next: a longer
        step would calm down neurons that fire together again and again.

        **Arguments:** `grid`; `model`; `weights`, of the columns, shape `(w,)` (weight); `density`,
        shape `(v, w)` (1 / voltage / weight); `dt`, the outer step (learning time).
        """
        kick = jnp.maximum(instantaneous_kick(model, weights), 0)
        gain = jnp.max(jnp.sum(density * kick[None], 1)) * grid.weight_spacing
        return jnp.where(gain > 0.5, jnp.minimum(model.epsilon * _LONGEST, dt), dt)

    def log(self, dtype: np.dtype) -> Log[Event]:
        """An empty record of events, whose numbers are of this `dtype`."""
        zero = jnp.zeros((), dtype)
        return Log.empty(Event(zero, zero), self.max_events)


class Fired(NamedTuple):
    """Density and rates after an interval; the mass that fired together, if any did."""

    density: Float[Array, "v w"]
    rates: Float[Array, " w"]
    mass: Float[Array, " w"]
    together: Bool[Array, ""]


def fire(interval: Interval, felt: Float[Array, ""]) -> Fired:
    r"""The interval in which neurons see the rate `felt`, with the event it ends in, if any.

    If an avalanche carries itself, the interval is repeated without re-entry; at its end those who
    fire together leave, the others jump, and the rate is zero. No derivative flows through that.
    """
    density, rates = interval.after(felt)
    usual = Fired(density, rates, jnp.zeros_like(rates), jnp.zeros((), bool))
    still, felt, usual_still = frozen((interval, felt, usual))
    grid, kick, edge = still.grid, still.kick(), still.edge(felt)

    def avalanche_after(density, rates):
        fired = still.network_rate(rates) / still.kappa
        return avalanche(grid, density, fired, kick, edge)

    def together():
        rest, rates = still.absorbed(felt)
        event = avalanche_after(rest, rates)
        jump = kick * event.mass
        moved = move_up(
            grid, without_top(rest, reached(grid, rest, jump, edge) / grid.cell_area), jump
        )
        fired = jnp.maximum(still.mass_given() - grid.weight_density(moved), 0)
        if still.inflow is None:
            reset = np.arange(grid.v.num)[:, None] == grid.v.reset_index
            moved = moved + jnp.where(reset, fired[None] / grid.v.spacing, 0)
        new = Fired(moved, jnp.zeros_like(rates), fired, event.is_event)
        return jax.tree.map(partial(jnp.where, event.is_event), new, usual_still)

    return lax.cond(
        avalanche_after(usual_still.density, usual_still.rates).is_event, together, lambda: usual
    )


def without_top(density: Float[Array, "v w"], removed: Float[Array, " w"]) -> Float[Array, "v w"]:
    """The density without the highest nodes of each column, up to a sum `removed`; not negative."""
    down_to_here = jnp.cumsum(density[::-1], 0)[::-1]
    return jnp.minimum(density, jnp.maximum(down_to_here - removed[None], 0))


def move_up(
    grid: Grid, density: Float[Array, "v w"], jump: Float[Array, " w"]
) -> Float[Array, "v w"]:
    """The density moved by a jump of each column (voltage): every node's mass goes to the two
    nodes next to its goal and keeps its mean; at the ends of the grid it stays on the last node."""
    whole = jnp.floor(jump / grid.v.spacing)
    part = jump / grid.v.spacing - whole
    whole = whole.astype(jnp.int32)
    rows, last = jnp.arange(grid.v.num)[:, None], grid.v.num - 1

    def of_both(shares):
        return shares(0, 1 - part) + shares(1, part)

    # Gathered by the goal: XLA compiles loops around a scatter to slower code on a CPU.
    def reaching(more, share):
        origin = rows - (whole + more)[None]
        mass = jnp.take_along_axis(density, jnp.clip(origin, 0, last), 0)
        return jnp.where((origin >= 0) & (origin <= last), share[None] * mass, 0)

    def passing(beyond):
        def shares(more, share):
            goal = rows + (whole + more)[None]
            return jnp.sum(jnp.where(beyond(goal), share[None] * density, 0), 0)

        return of_both(shares)

    inner, bottom, top = (
        of_both(reaching),
        passing(lambda goal: goal <= 0),
        passing(lambda goal: goal >= last),
    )
    return jnp.where(rows == 0, bottom[None], jnp.where(rows == last, top[None], inner))
