"""Three populations that feel one another, and the error of their gradients."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

import jaxnlif as jn

LINE = jn.VoltageGrid(-4.0, 2.0, reset=1.0, num=60)
WEIGHT = np.array([[0.5, -1.0, -0.2], [0.8, -1.0, 0.1], [0.3, 0.2, -0.5]])
COUPLED: dict[str, Any] = {
    "weight": WEIGHT,
    "noise": [1.0, 1.2, 0.9],
    "noise_slope": abs(WEIGHT) / 10,
    "drive": [2.0, 2.5, 1.0],
    "time_constant": [1.0, 0.5, 2.0],
}
_LATE: dict[str, Any] = {
    "refractory": [0.113, 0.07, 0.091],
    "synaptic_time_constant": [0.05, 0.1, 0.2],
    "delay": jn.NormalDelay(0.15 + 0.05 * np.eye(3), np.full((3, 3), 0.03), 0.04),
}
CASES = {"implicit": (jn.Implicit(), {}), "late": (jn.Lagged(), _LATE)}
"""Couplings, and what is given besides: delays, filters and refractory periods."""


def gradient_error(case: str, *, t1: float) -> float:
    """Reverse mode against central differences in a random direction, relative."""
    coupling, more = CASES[case]
    model = jn.Network(**COUPLED, **more)
    grid = jn.Grid(LINE, populations=3)
    params, rest = eqx.partition(model, eqx.is_inexact_array)

    @jax.jit
    def value(params: Any) -> jax.Array:
        run = jn.solve(
            eqx.combine(params, rest),
            jn.FluxShift(grid, coupling),
            y0=jn.gaussian(grid, v=(-0.5, 0.5)),
            t1=t1,
            dt=0.04,
            saveat=jn.SaveAt(num=2, fn=None),
        )
        return jnp.sum(run.rate[-1] * jnp.array([1.0, 2.0, 3.0]))

    rng = np.random.default_rng(0)
    along = jax.tree.map(lambda x: jnp.asarray(rng.normal(size=x.shape)), params)
    along = eqx.tree_at(lambda p: p.epsilon, along, jnp.zeros(()))

    def slope(h: float) -> float:
        def at(h: float) -> jax.Array:
            return value(jax.tree.map(lambda x, d: x + h * d, params, along))

        return float(at(h) - at(-h)) / (2 * h)

    gradient = jax.jit(jax.grad(value))(params)
    found = sum(map(jnp.vdot, jax.tree.leaves(gradient), jax.tree.leaves(along)))
    difference = (4 * slope(5e-5) - slope(1e-4)) / 3
    return abs(float(found) / difference - 1)
