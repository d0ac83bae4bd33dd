"""How close the solution is to the equation's: rates, orders, the quasi-static limit, precision."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import jax
import numpy as np
from _report import Measured
from references.problems import before_learning, last_only, learning_grid, learning_network, line

import jaxnlif as jn

WEIGHTS = (-1.0, 0.0, 0.5, 1.5)
EPSILONS = tuple(10.0**-k for k in range(1, 13))


def stationary_rates() -> Iterator[Measured]:
    """Relative error of the stationary rate against the lowest root of equation (1)."""
    for weight in WEIGHTS:
        exact = float(jn.stationary.self_consistent_rates(weight, 0.0)[0])
        coarse, fine = (_stationary_rate(weight, num) for num in (600, 1200))
        extrapolated = (4 * fine - coarse) / 3
        detail = f"b={weight:g}"
        yield Measured("stationary_rate", abs(coarse / exact - 1), detail)
        yield Measured("stationary_rate_richardson", abs(extrapolated / exact - 1), detail)


def _stationary_rate(weight: float, num: int) -> float:
    grid = line(num, minimum=-6.0)
    sol = jn.solve(
        jn.Network(weight=weight),
        jn.FluxShift(grid, jn.Implicit()),
        y0=jn.gaussian(grid, v=(-1.0, 0.5)),
        t1=60.0,
        dt=0.1,
        saveat=jn.SaveAt([59.0, 60.0]),
        throw=True,
    )
    assert abs(sol.rate[1] / sol.rate[0] - 1) < 1e-10, "not stationary yet"
    return float(sol.rate[1])


def order_in_voltage() -> Iterator[Measured]:
    """Order test of Hu, Liu, Xie and Zhou: b = 0.5 from N(0, 0.25), T = 0.5, at one time step."""
    nums = (24, 48, 96, 192, 384, 768)
    densities = [_relaxing(num, dt=1e-3) for num in nums]
    errors = [np.mean(np.abs(a - b[::2])) for a, b in pairwise(densities)]
    yield from _orders("order_v", errors, nums)


def order_in_time() -> Iterator[Measured]:
    """The same network with successively halved time steps, for both couplings."""
    nums = (25, 50, 100, 200, 400)
    for coupling in (jn.Lagged(), jn.Implicit()):
        densities = [_relaxing(192, dt=0.5 / num, coupling=coupling) for num in nums]
        errors = [np.mean(np.abs(a - b)) for a, b in pairwise(densities)]
        yield from _orders("order_t", errors, nums, prefix=f"{type(coupling).__name__},")


def _relaxing(num: int, *, dt: float, coupling=None) -> np.ndarray:
    grid = line(num)
    sol = jn.solve(
        jn.Network(weight=0.5),
        jn.FluxShift(grid, coupling or jn.Lagged()),
        y0=_compatible_gaussian(grid),
        t1=0.5,
        dt=dt,
        saveat=last_only(0.5),
        throw=True,
    )
    return np.asarray(sol.density(-1))


def _compatible_gaussian(grid: jn.Grid) -> jax.Array:
    """N(0, 0.25), lowered to vanish at the threshold as the boundary condition asks.

    Its jump of 3e-4 there would put an error of order h into the mass of the initial data.
    """
    height = np.exp(-2 * grid.v.nodes**2) - np.exp(-2 * grid.v.threshold**2)
    return jn.normalise(grid, np.maximum(height, 0)[:, None])


def order_in_weight() -> Iterator[Measured]:
    """Weight density of a network that learns slowly, before its density steepens into a front."""
    nums = (100, 200, 400, 800, 1600)
    smooth = {"drive": 1.0, "learning": jn.Hebbian(gain=0.05)}
    densities = [np.asarray(_learned_until(0.2, 24, num, **smooth).weights[-1]) for num in nums]
    errors = [np.mean(np.abs(a - b.reshape(-1, 2).mean(1))) for a, b in pairwise(densities)]
    yield from _orders("order_w", errors, nums)


def _learned_until(t1: float, num_v: int, num_w: int, *, dtype=np.float64, **changes):
    grid = learning_grid(num_v, num_w, dtype)
    return jn.solve(
        learning_network(**changes),
        jn.FluxShift(grid),
        y0=before_learning(grid),
        t1=t1,
        dt=1e-2,
        saveat=last_only(t1),
        throw=True,
    )


def _orders(
    row: str, errors: Sequence[float], nums: Sequence[int], *, prefix: str = ""
) -> Iterator[Measured]:
    """Orders from the differences of successive solutions, the last three halvings."""
    halvings = zip(errors[:-1], errors[1:], nums[1:], strict=False)
    for coarse, fine, num in list(halvings)[-3:]:
        detail = f"{prefix}{num}->{2 * num},ratio={coarse / fine:.3f}"
        yield Measured(row, float(np.log2(coarse / fine)), detail)


def quasi_static_limit() -> Iterator[Measured]:
    """‖p_ε - p_0‖₁ decade by decade: its order in ε until only rounding is left."""
    limit = _density_at(0.0)
    distances = [_l1(_density_at(epsilon), limit) for epsilon in EPSILONS]
    for (larger, smaller), epsilon in zip(pairwise(distances), EPSILONS[1:], strict=True):
        detail = f"eps={epsilon:.0e},distance={smaller:.2e}"
        yield Measured("epsilon_order", float(np.log10(larger / smaller)), detail)


def single_precision() -> Iterator[Measured]:
    """Relative difference of float32 from float64 at ε = 10⁻¹²: rate and density."""
    single, double = (
        _learned_until(1.0, 120, 100, dtype=dtype, epsilon=1e-12)
        for dtype in (np.float32, np.float64)
    )
    yield Measured("float32_at_tiny_epsilon", abs(single.rate[-1] / double.rate[-1] - 1), "rate")
    distance = _l1(*(np.asarray(sol.density(-1)) for sol in (single, double)))
    yield Measured("float32_at_tiny_epsilon", distance, "density")


def _density_at(epsilon: float) -> np.ndarray:
    return np.asarray(_learned_until(1.0, 120, 100, epsilon=epsilon).density(-1))


def _l1(density: np.ndarray, reference: np.ndarray) -> float:
    return float(np.sum(np.abs(density - reference)) / np.sum(reference))
