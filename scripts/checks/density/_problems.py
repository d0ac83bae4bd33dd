"""The networks that the checks solve."""

from __future__ import annotations

import jax
import numpy as np

import jaxnlif as jn


def learning_grid(num_v: int, num_w: int, dtype=np.float64) -> jn.Grid:
    """The default voltages and weights."""
    v = jn.VoltageGrid(-4.0, 2.0, reset=1.0, num=num_v, dtype=dtype)
    return jn.Grid(v=v, w=jn.WeightGrid(0.0, 1.2, num=num_w))


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
    return jn.gaussian(grid, v=(-1.0, 0.5), w=(0.3, 0.02))


def line(num: int, *, minimum: float = -4.0) -> jn.Grid:
    """Voltages of an unstructured network."""
    return jn.Grid(v=jn.VoltageGrid(minimum, 2.0, reset=1.0, num=num))


def last_only(t1: float) -> jn.SaveAt:
    """Saves the last density and nothing before."""
    return jn.SaveAt([t1])
