"""The networks that checks and benchmarks solve."""

from __future__ import annotations

import jax

import jaxnlif as jn

START = (-1.0, 0.5)  # mean and variance of the initial potentials


def line(num: int = 300, dtype=None, *, minimum: float = -4.0) -> jn.Grid:
    """Voltages of an unstructured network."""
    return jn.Grid(v=jn.VoltageGrid(minimum, 2.0, reset=1.0, num=num, dtype=dtype))


def at_rest(grid: jn.Grid) -> jax.Array:
    """N(-1, 0.5)."""
    return jn.gaussian(grid, v=START)


def learning_grid(
    num_v: int, num_w: int, dtype=None, *, weights: tuple[float, float] = (0.0, 1.2)
) -> jn.Grid:
    """The default voltages and weights."""
    return jn.Grid(v=line(num_v, dtype).v, w=jn.WeightGrid(*weights, num=num_w))


def learning_network(**changes) -> jn.Network:
    """The network of the main job, learning its default signal."""
    defaults = {
        "drive": jn.Bump(base=1.0, height=3.0, center=0.3, width=0.1),
        "response": jn.Saturating(),
        "learning": jn.Hebbian(gain=0.3),
        "epsilon": 1e-3,
    }
    return jn.Network(**(defaults | changes))


def before_learning(grid: jn.Grid) -> jax.Array:
    """The initial density of the main job."""
    return jn.gaussian(grid, v=START, w=(0.3, 0.02))


def last_only(t1: float) -> jn.SaveAt:
    """Saves the last density and nothing before."""
    return jn.SaveAt([t1])
