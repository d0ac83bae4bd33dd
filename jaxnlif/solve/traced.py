"""A run under `jit`, `grad`, `jvp` and `vmap`."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from .looks import close, gather, look, running, times
from .refusal import refuse_derivatives, refuse_early_end
from .scan import checkpointed_scan
from .solution import Solution


def run_traced(
    model, solver, saveat, y0, key, span, save_steps, num_steps, layout, store_every, throw
) -> Solution:
    """One scan over the stretches between saves, in each a scan over steps: all that compiles.

    Stretches are as long as the longest; the steps that a shorter one has not are skipped, which
    under `vmap` costs as much as making them: equally spaced saves are the cheapest.
    """
    given, solver = solver, layout.applied(solver)
    t0, dt = (jnp.asarray(x) for x in span)
    at_start, at_end = save_steps[0] == 0, save_steps[-1] == num_steps
    stops = (
        save_steps[save_steps > 0] if at_end else np.append(save_steps[save_steps > 0], num_steps)
    )
    longest = int(np.max(np.diff(stops, prepend=0)))
    # Blocks lie within stretches, or, where those are short, hold several: reverse mode repeats
    # every step once, and a step stores about two states.
    block = max(1, store_every or math.isqrt(longest * len(stops) // 2))
    block, stretches = (None, block // longest) if block >= longest else (block, None)

    def to_stop(carry, stop):
        def step(carry, _):
            state, n = carry

            def go(state):
                return solver.step(model, t0 + n * dt, dt, state), n + 1

            going = (n < stop) & running(solver, state)
            return lax.cond(going, go, lambda state: (state, n), state), None

        carry, _ = checkpointed_scan(step, carry, jnp.arange(longest), block=block)
        return carry, look(solver, saveat.fn, carry[0])

    begin = solver.start(model, t0, dt, solver.init(model, t0, y0, key))
    (state, steps), saved = checkpointed_scan(
        to_stop,
        (begin, jnp.zeros((), jnp.int32)),
        jnp.asarray(stops, jnp.int32),
        block=stretches,
    )
    if at_start:
        first = look(solver, saveat.fn, begin)
        saved = jax.tree.map(lambda one, every: jnp.append(one[None], every, 0), first, saved)
    if not at_end:
        saved = jax.tree.map(lambda every: every[:-1], saved)
    with jax.ensure_compile_time_eval():  # known, so that data can be held against them
        ts = jnp.asarray(times(span, save_steps))
    result, stats = close(solver, state)
    found = state, saved, stats, t0 + steps * dt
    if throw is None:
        stopped = stats["differentiable_from"] > t0
        found = refuse_derivatives(found, (model, y0), result, stopped)
    elif throw:
        found = refuse_early_end(found, result)
    state, saved, stats, t_end = found
    closing, logs = (result, stats), solver.logs(state)
    return gather(model, given, saveat, state, closing, saved, ts, t_end, dt, steps, logs)
