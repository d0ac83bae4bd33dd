"""What is saved of a state, and the solution that is made of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from . import saveat as saveat_module
from .result import Result
from .solution import Solution
from .solver import AbstractSolver


class Look(eqx.Module):
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


def look(solver: AbstractSolver, fn: Callable[..., Any] | None, state: Any) -> Look:
    seen = solver.observe(state)
    return Look(
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


def running(solver: AbstractSolver, state: Any) -> Array:
    return solver.result(state) == Result.completed


def close(solver: AbstractSolver, state: Any) -> tuple[Result, dict[str, Array]]:
    """What the last state says about the run."""
    stats = {"differentiable_from": solver.differentiable_from(state)}
    return solver.result(state), stats | solver.iterations(state)


def gather(
    model, solver, saveat, state, closing, saved: Look, ts, t_end, dt, steps, logs
) -> Solution:
    result, stats = closing
    drift = abs(saved.mass - saved.mass[:1]).max(initial=0)
    stats = {
        "mass_drift": drift,
        "minimum": saved.minimum.min(initial=np.inf),
        "steps": steps,
        "dt": dt,
        **stats,
    }
    # What was streamed to a file may be larger than memory.
    saved = jax.tree.map(lambda x: x if isinstance(x, np.memmap) else jnp.asarray(x), saved)
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
        model=model,
        solver=solver,
        holds_density=saveat.fn is saveat_module.density,
    )


def times(span, steps: np.ndarray) -> np.ndarray:
    """The times of steps; in NumPy, because JAX would compile the sum."""
    t0, dt = span
    return t0 + steps.astype(t0.dtype) * dt
