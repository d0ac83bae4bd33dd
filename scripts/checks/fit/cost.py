"""What a gradient costs: time over a forward solve, and stored states."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np
from _report import Measured

import jaxnlif as jn

_REPEATS = 5


def time_and_memory() -> Iterator[Measured]:
    """Value and gradient against one forward solve of the same steps; stored states at 10⁴."""
    for name, grid, steps, coupling in (
        ("300", _grid(300, None), 10_000, jn.Lagged()),
        ("300,implicit", _grid(300, None), 10_000, jn.Implicit()),
        ("96x50", _grid(96, 50), 2000, jn.Lagged()),
        ("96x50,implicit", _grid(96, 50), 500, jn.Implicit()),
        ("300x200", _grid(300, 200), 300, jn.Lagged()),
    ):
        problem = _Problem(grid, coupling)
        yield Measured("gradient_time", problem.ratio(steps), name)
    for name, grid in (("300", _grid(300, None)), ("96x50", _grid(96, 50))):
        problem = _Problem(grid, jn.Lagged())
        yield Measured("gradient_memory", problem.stored(10_000) / math.sqrt(10_000), name)


def _grid(num_v: int, num_w: int | None) -> jn.Grid:
    v = jn.VoltageGrid(-4.0, 2.0, reset=1.0, num=num_v)
    return jn.Grid(v=v, w=None if num_w is None else jn.WeightGrid(0.0, 1.2, num=num_w))


class _Problem:
    """The gradient of a loss of the rate by two parameters."""

    def __init__(self, grid: jn.Grid, coupling):
        self.grid, self.solver = grid, jn.FluxShift(grid, coupling)
        w = None if grid.w is None else (0.3, 0.02)
        self.y0 = jn.gaussian(grid, v=(-1.0, 0.5), w=w)
        self.at = jnp.asarray([0.3, 1.5])

    def solve(self, p, steps: int) -> jn.Solution:
        if self.grid.w is None:
            model = jn.Network(weight=p[0], drive=p[1])
        else:
            model = jn.Network(
                drive=jn.Bump(1.0, 2 * p[1], 0.3, 0.1),
                response=jn.Saturating(),
                learning=jn.Hebbian(p[0]),
                epsilon=1e-3,
            )
        saveat = jn.SaveAt(num=min(101, steps + 1), fn=None)
        return jn.solve(model, self.solver, y0=self.y0, t1=1e-3 * steps, dt=1e-3, saveat=saveat)

    def gradient(self, steps: int):
        """Value and gradient, compiled."""

        def loss(p):
            sol = self.solve(p, steps)
            return jnp.mean(sol.rate**2) + jnp.mean(sol.weights[-1] ** 2)

        return jax.jit(jax.value_and_grad(loss)).lower(self.at).compile()

    def ratio(self, steps: int) -> float:
        """Median seconds of value and gradient over those of a plain solve, taking turns."""
        gradient = self.gradient(steps)
        forward: list[float] = []
        both: list[float] = []
        self.solve(self.at, steps)
        for _ in range(_REPEATS):
            forward.append(_seconds(lambda: self.solve(self.at, steps).rate))
            both.append(_seconds(lambda: gradient(self.at)))
        return statistics.median(both) / statistics.median(forward)

    def stored(self, steps: int) -> float:
        """Temporaries in states, besides those of a single step."""
        memory = [
            self.gradient(n).memory_analysis().temp_size_in_bytes  # pyright: ignore
            for n in (steps, 1)
        ]
        state = np.prod(self.grid.shape) * self.grid.dtype.itemsize
        return (memory[0] - memory[1]) / state


def _seconds(run) -> float:
    began = time.perf_counter()
    jax.block_until_ready(run())
    return time.perf_counter() - began
