"""What is saved of a state, and the solution that is made of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool

from .._check import is_concrete
from . import saveat as saveat_module
from .interpolate import interpolate, is_smooth
from .log import Log
from .result import Result
from .run import Run
from .solution import Solution
from .solver import AbstractSolver, Snapshot


class Record(eqx.Module):
    """Everything that is saved at one time, or, stacked, at all of them."""

    rate: Array
    rates: Array
    weights: Array
    spikes: Array
    refractory: Array
    regime: Array
    mass: Array
    minimum: Array
    extra: Any


class Step(NamedTuple):
    """A step that began at `t` and is `dt` long (learning time)."""

    model: Any
    t: Array
    dt: Array


class Passage(eqx.Module):
    """The state after a step and, for a run that saves between steps, that `before` it."""

    before: Any
    after: Any

    @classmethod
    def begin(cls, state: Any, *, between: bool) -> Passage:
        """At the beginning of a run, before which there is nothing else."""
        return cls(state if between else None, state)

    def to(self, state: Any, moved: Bool[Array, ""] | bool = True) -> Passage:
        """On to the next state; from where this one is, if it has not `moved`."""
        if self.before is None:
            return Passage(None, state)
        before = jax.tree.map(
            lambda old, older: jnp.where(moved, old, older), self.after, self.before
        )
        return Passage(before, state)


def record(
    solver: AbstractSolver,
    fn: Callable[..., Any] | None,
    passage: Passage,
    part: Array,
    step: Step | None = None,
) -> Record:
    """What is saved after a `part` of a `step`."""
    seen = _observe(solver, passage, part, step)
    return Record(
        rate=seen.rate,
        rates=seen.rates,
        weights=seen.weights,
        spikes=seen.spikes,
        refractory=seen.refractory,
        regime=seen.regime,
        mass=solver.grid.mass(seen.density) + seen.refractory,
        minimum=jnp.min(seen.density),
        extra=None if fn is None else fn(seen),
    )


def _observe(solver: AbstractSolver, passage: Passage, part: Array, step: Step | None) -> Snapshot:
    after = solver.observe(passage.after)
    if passage.before is None:
        return after
    if step is not None and solver.divides(step.model):

        def within() -> Snapshot:
            return solver.observe(solver.within(*step, part, passage.before))

        return lax.cond(part < 1, within, lambda: after)
    before = solver.observe(passage.before)
    old, new = solver.logs(passage.before), solver.logs(passage.after)
    happened = [old[name].count != new[name].count for name in old if name != "raster"]
    interrupted = jnp.any(jnp.asarray(happened, bool))
    seen = interpolate(before, after, part, is_smooth(before.regime, after.regime, interrupted))
    return replace(seen, spikes=interpolate(before.spikes, after.spikes, part))


def on_device(x: Array | np.ndarray) -> Array | np.memmap:
    """An array of JAX; what was streamed to a file, as it may be larger than memory, unchanged."""
    # Of a copy, since the array could share its memory; `jnp.asarray` compiles for every shape.
    return x if isinstance(x, jax.Array | np.memmap) else jax.device_put(np.array(x))


def running(solver: AbstractSolver, state: Any) -> Array:
    return solver.result(state) == Result.completed


def close(solver: AbstractSolver, state: Any) -> tuple[Result, dict[str, Array]]:
    """What the last state says about the run."""
    stats = {"differentiable_from": solver.differentiable_from(state)}
    return solver.result(state), stats | solver.iterations(state)


def gather(
    run: Run,
    state: Any,
    closing: tuple[Result, dict[str, Any]],
    saved: Record,
    ts: Array,
    t_end: Array,
    dt: Array,
    steps: Any,
    logs: dict[str, Log],
) -> Solution:
    """The solution that is made of a last state, of what it says, and of what was saved."""
    result, stats = closing
    mass, minimum = saved.mass, saved.minimum
    if is_concrete(mass):  # NumPy's maximum is faster
        mass, minimum = np.asarray(mass), np.asarray(minimum)
    stats = {
        "mass_drift": abs(mass - mass[:1]).max(initial=0),
        "minimum": minimum.min(initial=np.inf),
        "steps": steps,
        "dt": dt,
        **stats,
    }
    saved = jax.tree.map(on_device, saved)
    return Solution(
        ts=ts,
        rate=saved.rate,
        rates=saved.rates,
        weights=saved.weights,
        spikes=saved.spikes,
        refractory=saved.refractory,
        regime=saved.regime,
        saved=saved.extra,
        result=result,
        t_end=t_end,
        stats=stats,
        logs=logs,
        state=state,
        model=run.model,
        solver=run.solver,
        holds_density=run.saveat.fn is saveat_module.density,
    )
