"""What holds to rounding in every step: mass, positivity, finiteness."""

from __future__ import annotations

from collections.abc import Iterator

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from _report import Measured
from jax import lax
from references.problems import before_learning, learning_grid, learning_network

import jaxnlif as jn

STEPS = 10_000
CASES = 500
FIXED_SEED = 20240229
PRECISIONS = (np.dtype(np.float64), np.dtype(np.float32))


def mass_drift() -> Iterator[Measured]:
    """The largest change of mass over 10⁴ learning steps, at ε/Δt of 1, 0.1, 10⁻⁴ and 0."""
    for dtype in PRECISIONS:
        grid = learning_grid(120, 100, dtype)
        for epsilon in (1e-2, 1e-3, 1e-6, 0.0):
            sol = jn.solve(
                learning_network(epsilon=epsilon),
                jn.FluxShift(grid),
                y0=before_learning(grid),
                t1=100.0,
                dt=100.0 / STEPS,
                saveat=jn.SaveAt(num=101, fn=None),
                throw=True,
            )
            assert int(sol.stats["steps"]) == STEPS
            drift = float(sol.stats["mass_drift"])
            yield Measured(f"mass_drift_{dtype.name}", drift, f"epsilon={epsilon:g}")


def random_steps() -> Iterator[Measured]:
    """The smallest density and the cases that are not finite, for adversarial random steps."""
    fresh_seed = int(np.random.SeedSequence().entropy % 2**32)
    for seed in (FIXED_SEED, fresh_seed):
        for dtype in PRECISIONS:
            rng = np.random.default_rng(seed)
            outcomes = np.array([_random_outcome(rng, dtype) for _ in range(CASES)])
            minimum, finite, peclet = outcomes.T
            detail = f"seed={seed}"
            yield Measured(f"minimum_{dtype.name}", np.min(minimum), detail)
            yield Measured("cases_not_finite", np.sum(finite == 0), f"{dtype.name},{detail}")
            yield Measured("random_largest_peclet", np.max(peclet), f"{dtype.name},{detail}")
            yield Measured("random_cases", len(outcomes), f"{dtype.name},{detail}")


class _Response(eqx.Module):
    """σ(N) = slope N / (1 + saturation N): from linear to bounded."""

    slope: jax.Array
    saturation: jax.Array

    def __call__(self, rate):
        return self.slope * rate / (1 + self.saturation * rate)


def _random_outcome(rng: np.random.Generator, dtype: np.dtype) -> tuple[float, bool, float]:
    v = jn.VoltageGrid(-4.0, 2.0, reset=1.0, num=24, dtype=dtype)
    grid = jn.Grid(v=v, w=jn.WeightGrid(-1.0, 1.2, num=20))
    solver = jn.FluxShift(grid, jn.Implicit() if rng.random() < 0.5 else jn.Lagged())
    model = _cast(_random_network(rng, grid), dtype)
    dt = jnp.asarray(_log_uniform(rng, -6, 6), dtype)
    minimum, finite = _worst_of_steps(solver, model, dt, _random_density(rng, grid))
    input_only = np.asarray(model.drive(jnp.zeros((), dtype), solver.weights(model)))
    distance = np.max(np.abs(input_only[:, None] - v.interfaces))
    return float(minimum), bool(finite), float(distance * v.spacing / model.noise)


@eqx.filter_jit
def _worst_of_steps(solver: jn.FluxShift, model: jn.Network, dt, y0):
    """The smallest density in five steps, and whether all of them are finite.

    As in `solve`, a step that ends the run (a blow-up) is the last one.
    """

    def step(state, n):
        going = solver.result(state) == jn.Result.completed
        state = lax.cond(going, lambda s: solver.step(model, n * dt, dt, s), lambda s: s, state)
        return state, (jnp.min(state.density), jnp.all(jnp.isfinite(state.density)))

    begin = solver.init(model, jnp.zeros_like(dt), y0, None)
    _, (minimum, finite) = lax.scan(step, begin, jnp.arange(5))
    return jnp.min(minimum), jnp.all(finite)


def _random_network(rng: np.random.Generator, grid: jn.Grid) -> jn.Network:
    centers = grid.w.centers
    drive = rng.normal(size=centers.size) * _log_uniform(rng, -2, 3)
    gain = rng.normal(size=centers.size) * _log_uniform(rng, -2, 3)
    saturation = 0.0 if rng.random() < 0.3 else _log_uniform(rng, -2, 2)
    return jn.Network(
        noise=_log_uniform(rng, -6, 2),
        drive=jn.Tabulated(drive, w=centers),
        response=_Response(jnp.asarray(_log_uniform(rng, -2, 2)), jnp.asarray(saturation)),
        learning=jn.Hebbian(gain=gain),
        epsilon=0.0 if rng.random() < 0.2 else _log_uniform(rng, -12, 3),
    )


def _random_density(rng: np.random.Generator, grid: jn.Grid) -> jax.Array:
    """Full, with empty columns, silent, in one cell, of subnormal values, or of every size."""
    values = rng.random(grid.shape)
    one_cell = np.zeros(grid.shape)
    one_cell[tuple(rng.integers(grid.shape))] = 1 / grid.cell_area
    kind = rng.integers(6)
    if kind == 1:
        values[:, rng.random(grid.shape[1]) < 0.7] = 0
        values[0, 0] = 1
    elif kind == 2:
        values[rng.integers(1, grid.shape[0]) :] = 0
    elif kind == 3:
        return jnp.asarray(one_cell, grid.dtype)
    elif kind == 4:
        smallest = np.finfo(grid.dtype).smallest_subnormal
        subnormal = rng.integers(1000, size=grid.shape).astype(grid.dtype) * smallest
        return jnp.asarray(np.maximum(one_cell.astype(grid.dtype), subnormal))
    elif kind == 5:
        values = np.exp(700 * (values - 1))
    return jn.normalise(grid, values)


def _log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    return float(10 ** rng.uniform(low, high))


def _cast(tree, dtype):
    return jax.tree.map(lambda leaf: jnp.asarray(leaf, dtype), tree)
