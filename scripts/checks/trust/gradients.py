"""Gradients of the learning network, in both precisions, over random networks and grids."""

from __future__ import annotations

from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np
from _report import Measured, at_most, equal_to
from jax import lax
from references.gradients import difference
from references.problems import before_learning, learning_grid, learning_network

import jaxnlif as jn

REQUIRED = {
    "gradient_not_finite": equal_to(0),
    "gradient_float32": at_most(1e-2),
    "gradient_differences": at_most(1e-5),
}

GRIDS = ((12, 20), (24, 30), (24, 60), (36, 40), (60, 50), (60, 100))
STEPS, LONGEST = 60, 3.0
NAMES = ("epsilon", "gain", "base", "height")

Numbers = dict[str, jax.Array]


def learning_gradients(grids=GRIDS, networks: int = 200, steps: int = STEPS) -> Iterator[Measured]:
    """The gradient of the last rate by four parameters, of networks dealt out to the grids."""
    rng = np.random.default_rng(18)
    for i, shape in enumerate(grids):
        worst = {"not_finite": 0.0, "float32": 0.0, "differences": 0.0}
        double, single = (_Gradient(shape, dtype, steps) for dtype in (np.float64, np.float32))
        for _ in range(i, networks, len(grids)):
            p, dt = _random_network(rng, steps)
            exact, rough = double.gradient(p, dt), single.gradient(p, dt)
            scale = np.linalg.norm(exact)
            worst["not_finite"] += not np.isfinite([*exact, *rough]).all()
            worst["float32"] = max(worst["float32"], np.linalg.norm(rough - exact) / scale)
            along = p * p * exact / np.linalg.norm(p * exact)  # no parameter changes its sign
            error = abs(double.difference(p, dt, along) / (exact @ along) - 1)
            worst["differences"] = max(worst["differences"], error)
        for name, value in worst.items():
            yield Measured(f"gradient_{name}", float(value), f"{shape[0]}x{shape[1]}")


def full_size() -> Iterator[Measured]:
    """The same on the grid of the main job."""
    yield from learning_gradients(((300, 400),), networks=5, steps=120)


class _Gradient:
    """The last rate as a function of its parameters; compiled once for all networks."""

    def __init__(self, shape: tuple[int, int], dtype: type, steps: int):
        grid = learning_grid(*shape, dtype)
        self.dtype = dtype
        self._value = jax.jit(lambda p, dt: _last_rate(grid, p, dt, steps))
        self._slope = jax.jit(jax.grad(lambda p, dt: _last_rate(grid, p, dt, steps)))

    def gradient(self, p: np.ndarray, dt: float) -> np.ndarray:
        return np.asarray(self._slope(*self._cast(p, dt)), float)

    def difference(self, p: np.ndarray, dt: float, direction: np.ndarray) -> float:
        """The slope along a direction, by differences of fourth order."""

        def value(p: np.ndarray) -> float:
            return float(self._value(*self._cast(p, dt)))

        return difference(value, p, direction, 1e-4)

    def _cast(self, *values) -> tuple[jax.Array, ...]:
        return tuple(jnp.asarray(x, self.dtype) for x in values)


def _random_network(rng: np.random.Generator, steps: int) -> tuple[np.ndarray, float]:
    """Parameters, in the order of `NAMES`, and the time step."""
    epsilon, gain = 10 ** rng.uniform(-4, 0), rng.uniform(0.1, 0.6)
    base, height = rng.uniform(0.5, 1.5), rng.uniform(0.5, 4)
    return np.array([epsilon, gain, base, height]), rng.uniform(0.03, 1) * LONGEST / steps


def _last_rate(grid: jn.Grid, p: jax.Array, dt: jax.Array, steps: int) -> jax.Array:
    drive = jn.Bump(base=p[2], height=p[3], center=0.3, width=0.1)
    model = learning_network(drive=drive, learning=jn.Hebbian(gain=p[1]), epsilon=p[0])
    model = jax.tree.map(lambda leaf: jnp.asarray(leaf, grid.dtype), model)
    solver = jn.FluxShift(grid)

    def step(state, i):
        return solver.step(model, i * dt, dt, state), None

    first = solver.init(model, jnp.zeros((), grid.dtype), before_learning(grid), None)
    return lax.scan(step, first, jnp.arange(steps, dtype=grid.dtype))[0].rate


CHECKS = (learning_gradients, full_size)
