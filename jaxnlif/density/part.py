"""A part of a run, as the scheme in time is given it."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from ..model import Network
from .held import Arriving, entered
from .reentry import AtOnce
from .scheme import Part
from .start import first_rates
from .state import DensityState
from .substep import jumps_in
from .transport import Learning, Still


def begun_part(
    solver: Any, model: Network, time: Array, dt: Array, arriving: Arriving, state: DensityState
) -> tuple[Part, DensityState]:
    """The part of a run with the arguments of `FluxShift.part`, and the state at its beginning."""
    jumps = model.jumps().astype(dt.dtype)
    restarts = jumps_in(time, dt, jumps)
    if jumps.size and model.plasticity.moves and solver.scheme.order > 1:
        # Weights move first, and by the rates of before the jump they should not.
        anew = partial(with_first_rates, solver, model, time, dt, arriving)
        state = lax.cond(restarts, anew, lambda state: state, state)
    part = Part(
        _learning(solver, model, time, dt, arriving, state),
        solver.transport if model.plasticity.moves else Still(),
        dt,
        epsilon=model.epsilon,
        restarts=restarts,
        reentry=arriving.reentry,
        entering=entered(arriving.reentry, solver.weights(model), model, dt),
    )
    return part, state


def with_first_rates(
    solver: Any, model: Network, time: Array, dt: Array, arriving: Arriving, state: DensityState
) -> DensityState:
    """The state with the rates with which a step begins that continues none."""
    step = solver.voltage_step(model, time, dt, arriving, state.density)
    twice = model.plasticity.moves and solver.scheme.order == 1
    rate, rates = first_rates(step, arriving.deciding, twice=twice)
    return replace(state, rate=rate, rates=rates)


def _learning(
    solver: Any, model: Network, time: Array, dt: Array, arriving: Arriving, state: DensityState
) -> Learning:
    signals = jnp.atleast_1d(state.rate) if arriving.signals is None else arriving.signals

    def firing(columns: Float[Array, "v w"]) -> Float[Array, " w"]:
        step = solver.voltage_step(model, time, dt, Arriving(None, AtOnce()), columns)
        return step.rates(signals)

    return Learning.of(solver, model, dt, state.rates, state.rate, firing)
