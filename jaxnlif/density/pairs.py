r"""The loop of adaptive steps: a linear solve at a time, in pairs that are accepted or repeated.

The solves of a pair are its two steps of length h, one of 2h from the same density, which says how
large the local error is, and, if that is small enough, one of 2h of the coarse run. They are turns
of one loop, in which the step of the density is compiled once, and members of a batch need not be
at the same one.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, Int

from .._sum import Sum
from ..integrate.result import Result
from ..model import Network
from .control import Control, Track, distance
from .state import DensityState
from .substep import Substep, jumps_in, next_substep, nothing_done

SOLVES = 4
"""The linear solves of a pair that is accepted."""

_SAFETY, _LEAST_FACTOR, _LARGEST_FACTOR = 0.9, 0.2, 2.0
_INTEGRAL, _PROPORTIONAL = 0.7, 0.2
_SMALLEST = 1e-6  # tolerance that the controller tells from none
_FIRST, _SECOND, _WHOLE, _COARSE = range(SOLVES)


class Stepped(NamedTuple):
    """What is stepped: by a `FluxShift`, to the tolerances of an `Adaptive`, a step of the run from
    `t` to `t + dt` (learning time); what is `arriving` in it."""

    size: Any
    solver: Any
    model: Network
    t: Float[Array, ""]
    dt: Float[Array, ""]
    arriving: Any

    def begin(self) -> Sum:
        return nothing_done(self.t, self.dt, self.jumps)

    def pair(self, done: Sum, longest: Float[Array, ""]) -> Substep:
        """The next two steps, of which no more than `longest` are made together."""
        return next_substep(self.t, self.dt, done, longest, self.jumps, evenly=True)

    def part(
        self, done: Sum, pair: Substep, turn: Int[Array, ""], state: DensityState
    ) -> tuple[DensityState, Float[Array, " w"]]:
        """A step of the density: the first or second of a pair, or one that is as long as both."""
        half = pair.length / 2
        time = jnp.where(turn == _FIRST, self.t + done.total + half, pair.time)
        length = jnp.where(turn <= _SECOND, half, pair.length)
        now = self.arriving.at(done.total / self.dt)
        return self.solver.part(self.model, time, length, now, state)

    @property
    def shortest(self) -> Float[Array, ""]:
        """The shortest pair, in which the drive is looked up at two times."""
        return 4 * jnp.finfo(self.dt.dtype).eps * (jnp.abs(self.t) + self.dt)

    @property
    def jumps(self) -> Float[Array, " k"]:
        return self.model.jumps().astype(self.dt.dtype)


class Progress(NamedTuple):
    r"""How far a step of the run is.

    - `begin`: the state at the beginning of the pair; `trial`: that after the steps made of it.
    - `fired`: $∫N(w)\,dt$ in the trial; `total`: in the pairs before.
    - `turn`: which solve of the `pair` is next; `done`: the time that was over before it.
    - `turns`: the solves, and `pairs`: the pairs that were accepted, until now.
    - `chosen`: the `longest` of each of these pairs, if they are recorded.
    """

    begin: DensityState
    trial: DensityState
    control: Control
    fired: Float[Array, " w"]
    total: Sum
    turn: Int[Array, ""]
    pair: Substep
    done: Sum
    turns: Int[Array, ""]
    pairs: Int[Array, ""]
    chosen: Float[Array, " p"] | None


def searched(stepped: Stepped, state: DensityState, *, record: bool) -> Progress:
    """The loop, from a state at the beginning of a step of the run to its end."""
    done, none = stepped.begin(), jnp.zeros((), jnp.int32)
    control: Control = state.control
    most = stepped.size.max_substeps // SOLVES
    begin = Progress(
        begin=replace(state, control=None),
        trial=replace(state, control=None),
        control=control,
        fired=jnp.zeros_like(state.rates),
        total=Sum.zero(state.rates),
        turn=none,
        pair=stepped.pair(done, control.longest),
        done=done,
        turns=none,
        pairs=none,
        chosen=jnp.zeros(most, stepped.dt.dtype) if record else None,
    )
    unfinished, turned = partial(_unfinished, stepped), partial(_turned, stepped)
    return lax.while_loop(unfinished, turned, begin)


def _unfinished(stepped: Stepped, progress: Progress) -> Bool[Array, ""]:
    more = (progress.done.total < stepped.dt) & (progress.turns < stepped.size.max_substeps)
    return more & (progress.begin.result == Result.completed)


def _turned(stepped: Stepped, progress: Progress) -> Progress:
    control, turn, done = progress.control, progress.turn, progress.done
    pair = jax.tree.map(
        partial(jnp.where, turn == _FIRST), stepped.pair(done, control.longest), progress.pair
    )
    progress = progress._replace(pair=pair, turns=progress.turns + 1)
    begins = (
        lambda: Track.of(progress.trial),
        lambda: Track.of(progress.trial),
        lambda: replace(Track.of(progress.begin), past=control.past),
        lambda: control.coarse,
    )
    given = lax.switch(turn, begins).into(progress.trial)
    new, fired = stepped.part(done, pair, turn, given)
    beside = progress._replace(trial=_counted(progress.trial, new))

    def halved() -> Progress:
        failed = progress.trial.result != Result.completed
        result = Result.where(failed, progress.trial.result, new.result)
        trial = replace(new, result=result)
        return progress._replace(trial=trial, fired=progress.fired + fired, turn=turn + 1)

    def compared() -> Progress:
        return _compared(stepped, beside, Track.of(new))

    def followed() -> Progress:
        return _followed(stepped, beside, Track.of(new))

    return lax.switch(turn, (halved, halved, compared, followed))


def _compared(stepped: Stepped, progress: Progress, whole: Track) -> Progress:
    """The pair accepted, or to be repeated, by comparison with one step of the `whole` length."""
    begin, trial, control, pair = progress.begin, progress.trial, progress.control, progress.pair
    size = local_error(stepped, pair.length, begin, trial, whole)
    accepted = size <= 1
    longest = pair.length * _factor(size, control.size, stepped.solver.scheme.order + 1)
    short = ~accepted & (longest < stepped.shortest)
    failed = Result.where(trial.result != Result.completed, trial.result, Result.tolerance_not_met)
    again = replace(_counted(begin, trial), result=Result.where(short, failed, Result.completed))
    moved = replace(
        control,
        past=whole.past,
        size=size,
        accepted=control.accepted + 2,
        end=stepped.t + pair.done.total,
    )
    start = stepped.t + progress.done.total
    begun = jumps_in(pair.time, pair.length, stepped.jumps) | (control.accepted == 0)
    place = control.place.rejected(start, pair.length)
    place = jax.tree.map(partial(jnp.where, begun), control.place, place)
    still = replace(control, rejected=control.rejected + 2, place=place)
    state, control = jax.tree.map(partial(jnp.where, accepted), (trial, moved), (again, still))
    chosen = progress.chosen
    if chosen is not None:
        chosen = chosen.at[progress.pairs].set(progress.control.longest)
    return progress._replace(
        begin=state,
        trial=state,
        control=replace(control, longest=longest),
        fired=jnp.zeros_like(progress.fired),
        total=progress.total.plus(jnp.where(accepted, progress.fired, 0)),
        turn=jnp.where(accepted, progress.turn + 1, _FIRST * progress.turn),
        pairs=progress.pairs + accepted,
        chosen=chosen,
    )


def _factor(size: Array, before: Array, order: int) -> Float[Array, ""]:
    """By how much the next pair is longer than this one, whose error has this `size` (tolerances);
    that of the pair `before`; `order`, of the local error in the length of a step."""
    size, before = jnp.maximum(size, _SMALLEST), jnp.maximum(before, _SMALLEST)
    factor = _SAFETY * size ** (-(_INTEGRAL + _PROPORTIONAL) / order)
    factor = factor * before ** (_PROPORTIONAL / order)
    return jnp.clip(factor, _LEAST_FACTOR, jnp.where(size <= 1, _LARGEST_FACTOR, _SAFETY))


def _counted(state: DensityState, latest: DensityState) -> DensityState:
    """The state with all solves that were made until the `latest`."""
    return replace(
        state,
        substeps=latest.substeps,
        coupling_evaluations=latest.coupling_evaluations,
        transport_iterations=latest.transport_iterations,
    )


def _followed(stepped: Stepped, progress: Progress, coarse: Track) -> Progress:
    """The pair being over, with what the `coarse` run says of the error of all."""
    order = stepped.solver.scheme.order
    error = jnp.abs(coarse.rate - progress.trial.rate) / (2**order - 1)
    error = jnp.where(jnp.isfinite(error), error, jnp.inf)
    largest = jnp.maximum(progress.control.largest, error)
    control = replace(progress.control, coarse=coarse, error=error, largest=largest)
    return progress._replace(
        control=control,
        turn=jnp.zeros_like(progress.turn),
        done=progress.pair.done,
        begin=progress.trial,
    )


def local_error(
    stepped: Stepped, length: Array, begin: DensityState, trial: DensityState, whole: Track
) -> Float[Array, ""]:
    """How large the error of a pair of this `length` is, in what it may be."""
    size, solver = stepped.size, stepped.solver
    rtol, atol = (x.astype(stepped.dt.dtype) for x in (size.rtol, size.atol))
    brief = size.brief(stepped.model, stepped.dt)
    share = jnp.where(length < brief, length / jnp.where(length < brief, brief, 1), 1)
    rate = jnp.maximum(trial.rate, begin.rate)
    of_rate = share * jnp.abs(whole.rate - trial.rate) / (atol + rtol * rate)
    of_density = distance(solver.grid, whole, trial) / (atol + rtol)
    largest = jnp.maximum(jnp.max(of_rate), jnp.max(of_density))
    found = largest / (2**solver.scheme.order - 1) / size.share
    return jnp.where(jnp.isfinite(found), found, jnp.inf)
