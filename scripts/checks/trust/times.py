"""Rates at jumps of the drive, and counts of spikes over long times in single precision."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from _report import Measured, Rule, at_most

import jaxnlif as jn

REQUIRED: dict[str, Rule] = {
    # relative to the limit, over the step; the new drive, seen a step early, makes 20 and more
    "jump_rate": at_most(3),
    # relative, over 10⁵ membrane times
    "long_spikes": at_most(1e-4),
}


class Switched(jn.AbstractDrive):
    """An input that changes from one value to another, and says when."""

    before: jax.Array = eqx.field(converter=jnp.asarray)
    after: jax.Array = eqx.field(converter=jnp.asarray)
    time: jax.Array = eqx.field(converter=jnp.asarray)

    def __call__(self, t, w):
        return jnp.full_like(w, jnp.where(t < self.time, self.before, self.after))

    def jumps(self):
        return self.time[None]


def jump_rate(num: int = 50) -> Iterator[Measured]:
    """How far the rate saved at a jump is from its limit before the jump, over it and the step.

    The limit is the rate of a network whose drive does not jump, in steps a quarter as long.
    """
    grid = jn.Grid(v=jn.VoltageGrid(-4.0, 2.0, reset=1.0, num=60, dtype=jnp.float32))
    y0 = jn.gaussian(grid, v=(-1.0, 0.5))
    for name, solver, make in (
        ("lagged", jn.FluxShift(grid), _pulse),
        ("implicit", jn.FluxShift(grid, jn.Implicit()), _switched),
        ("events", jn.FluxShift(grid, events=jn.Cascade()), _pulse),
    ):
        random = np.random.default_rng(1)
        worst = 0.0
        for _ in range(num):
            dt, steps = random.uniform(2e-3, 2e-2), random.integers(100, 200)
            weight, base = random.uniform(-2, 0.5), random.uniform(1, 3)
            jump, height = steps * dt, random.choice([-1, 1]) * random.uniform(2, 6)

            def rate(height, part, make=make, base=base, jump=jump, weight=weight, dt=dt):
                network = jn.Network(weight=weight, drive=make(base, height, jump))
                save = jn.SaveAt(ts=[jump], fn=None)
                run = {"y0": y0, "t1": jump + 10 * dt, "dt": dt / part, "saveat": save}
                return float(jn.solve(network, solver, **run).rate[0])  # noqa: B023

            limit = rate(0.0, 4)
            worst = max(worst, abs(rate(height, 1) / limit - 1) / dt)
        yield Measured("jump_rate", worst, name)


def long_spikes(
    duration: float = 1e5, wrap: Callable[[Callable], Callable] = lambda run: run
) -> Iterator[Measured]:
    """Mean rates by `Solution.spikes` against the stationary rate, in single precision.

    **Arguments:** `duration` (membrane times); `wrap`, a transformation of the run, as `jax.jit`.
    """
    grid = jn.Grid(v=jn.VoltageGrid(-4.0, 2.0, reset=1.0, num=60, dtype=jnp.float32))
    start = jn.normalise(grid, jn.stationary.density(grid.v.nodes, 1.5)[:, None])
    network, save = jn.Network(drive=1.5, weight=0.0), jn.SaveAt(num=11, fn=None)
    run = {"y0": start, "t1": duration, "dt": 1e-2, "saveat": save}
    sol = wrap(lambda network: jn.solve(network, jn.FluxShift(grid), **run))(network)
    means = np.diff(np.asarray(sol.spikes, float)) / np.diff(np.asarray(sol.ts, float))
    yield Measured("long_spikes", float(np.max(np.abs(means / float(sol.rate[-1]) - 1))))


def _switched(base, height, jump):
    return Switched(base, base + height, jump)


def _pulse(base, height, jump):
    return jn.Pulse(base, height, jump, 1.0)


CHECKS = (jump_rate, long_spikes)
