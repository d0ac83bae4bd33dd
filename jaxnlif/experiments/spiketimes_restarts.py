r"""The recurrent task by Levenberg–Marquardt, begun again from other random parameters.

Near a solution each step squares the error, so that spike times are found to rounding. Far from
one, steps of Gauss–Newton lead to large weights, among which spike times depend on parameters too
steeply to go on; each descent therefore begins with trials of Adam, which keep weights small. A
descent that ends elsewhere than at the targets is followed by the next.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import lax
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from ..fitting.descent import Descent, Rules, begin, iterate
from ..fitting.levenberg import LevenbergMarquardt
from ..fitting.parameters import choose
from ..fitting.problem import Problem
from ._training import Training
from .spiketimes_recurrent import NEURONS, Learned, Reservoir, adam, identity, records, start

RESTARTS, STEPS, WARM_UP = 20, 200, 3000
"""Descents at most, and the steps of each at most, after so many trials of Adam."""
SCALE, INITIAL = 0.3, 0.1
"""Standard deviations of the parameters at a start: of weights times the root of the number of
neurons, and of potentials and currents."""


class Restarted(NamedTuple):
    """A descent, which one it is, and whether the last record was of all targets met, or of the end
    of the last descent."""

    descent: Descent
    restart: Int[Array, ""]
    over: Bool[Array, ""]


def training(reservoir: Reservoir, seed: int) -> Training:
    """Descents from random parameters until the targets are met to rounding.

    What a trial is to other trainings is a step here, whether it is accepted or not. It is the same
    for any number of them: a longer training goes on from a shorter one.
    """
    like = start()
    dtype, key = like.weights.dtype, jax.random.key(seed)

    def run(learned: Learned) -> list[Array]:
        return reservoir.outputs(reservoir.trial(learned))

    parameters = choose(like, lambda learned: (learned.weights, learned.initial), None)
    problem = Problem(parameters, run, reservoir.residuals)
    optimiser, precise = LevenbergMarquardt(), float(jnp.finfo(dtype).eps) ** 0.8
    tolerance, progress, patience = jnp.asarray(precise), jnp.asarray(1e-3), jnp.asarray(50)
    rules = Rules(tolerance, progress, patience, monotone=True)

    def drawn(restart: Int[Array, ""]) -> Learned:
        return _random(jax.random.fold_in(key, restart), dtype)

    def descent_of(restart: Int[Array, ""]) -> Descent:
        return begin(problem, optimiser, _leaves(_warmed_up(reservoir, drawn(restart))))

    def step(state: Restarted) -> tuple[Restarted, dict[str, Array]]:
        descent, restart, _ = state
        learned = _learned(descent.point)
        trial = reservoir.trial(learned)
        outputs = reservoir.outputs(trial)
        arrived = jnp.max(jnp.abs(reservoir.residuals(outputs))) < precise
        ended = descent.ended | (descent.iterations >= STEPS)
        over = arrived | (ended & (restart + 1 >= RESTARTS))
        again = ended & ~over
        begun = lax.cond(again, lambda: descent_of(restart + 1), lambda: descent)
        new = iterate(problem, optimiser, rules, begun)
        record = records(reservoir, learned, outputs, trial) | {"restart": jnp.maximum(restart, 0)}
        return Restarted(new, restart + again, over), record

    # Before the first, so that its start is recorded too.
    none = begin(problem, optimiser, _leaves(drawn(jnp.zeros((), jnp.int32))))
    none = none._replace(ended=jnp.ones((), bool))
    state = Restarted(none, jnp.full((), -1, jnp.int32), jnp.zeros((), bool))
    return Training(step, state, identity(seed, "lm"), over=lambda state: state.over)


def _random(key: PRNGKeyArray, dtype: np.dtype) -> Learned:
    """Normal numbers."""
    keys = jax.random.split(key)
    weights = jax.random.normal(keys[0], (NEURONS, NEURONS), dtype) / NEURONS**0.5
    potential, current = INITIAL * jax.random.normal(keys[1], (2, NEURONS), dtype)
    return Learned(SCALE * weights, (potential, current))


def _warmed_up(reservoir: Reservoir, learned: Learned) -> Learned:
    """The parameters after some trials of Adam."""
    optimiser = adam(WARM_UP)

    def loss(learned: Learned) -> Float[Array, ""]:
        return reservoir.loss(reservoir.outputs(reservoir.trial(learned)))

    def trial(_: Array, state: tuple[Learned, Any]) -> tuple[Any, Any]:
        learned, memory = state
        change, memory = optimiser.update(jax.grad(loss)(learned), memory)
        return optax.apply_updates(learned, change), memory

    return lax.fori_loop(0, WARM_UP, trial, (learned, optimiser.init(learned)))[0]


def _leaves(learned: Learned) -> list[Array]:
    return [learned.weights, *learned.initial]


def _learned(leaves: list[Array]) -> Learned:
    weights, potential, current = leaves
    return Learned(weights, (potential, current))
