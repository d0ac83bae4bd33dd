"""Networks in which every parameter matters, and central differences by each of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import jaxnlif as jn

GRID = jn.Grid(v=jn.VoltageGrid(-2.0, 2.0, reset=1.0, num=16), w=jn.WeightGrid(-0.5, 1.0, num=5))
LINE = jn.Grid(v=GRID.v)
CENTERS = np.linspace(-0.35, 0.85, 5)

Parameters = dict[str, jax.Array]


def structured(p: Parameters) -> jn.Network:
    """A learning network."""
    return jn.Network(
        noise=p["noise"],
        noise_slope=p["noise_slope"],
        drive=jn.Bump(p["base"], p["height"], p["center"], p["width"]),
        response=jn.Saturating(),
        learning=jn.Hebbian(p["gain"]),
        epsilon=p["epsilon"],
    )


def structured_parameters(**changes) -> Parameters:
    """Its parameters, away from every symmetry."""
    numbers = {
        "noise": 0.8,
        "noise_slope": 0.1,
        "base": 1.0,
        "height": 2.0,
        "center": 0.3,
        "width": 0.4,
        "gain": 0.3,
        "epsilon": 0.05,
    }
    return {name: jnp.asarray(value) for name, value in (numbers | changes).items()}


def unstructured(p: Parameters, **arguments) -> jn.Network:
    """A network of one weight with a periodic input."""
    return jn.Network(
        noise=p["noise"],
        noise_slope=p["noise_slope"],
        weight=p["weight"],
        drive=jn.Sinusoid(p["base"], p["amplitude"], p["period"], p["phase"]),
        epsilon=p["epsilon"],
        **arguments,
    )


def unstructured_parameters(**changes) -> Parameters:
    """Its parameters."""
    numbers = {
        "noise": 0.9,
        "noise_slope": 0.1,
        "weight": 0.5,
        "base": 0.8,
        "amplitude": 0.4,
        "period": 0.7,
        "phase": 0.3,
        "epsilon": 1.0,
    }
    return {name: jnp.asarray(value) for name, value in (numbers | changes).items()}


def loss_of(sol: jn.Solution) -> jax.Array:
    """Depends on every saved quantity, and on no symmetry of the problem."""
    columns = jnp.asarray(CENTERS[: sol.weights.shape[1]])
    return (
        jnp.sum(sol.rate * jnp.linspace(1.0, 2.0, len(sol.rate)))
        + jnp.sum(sol.weights[-1] * columns**2)
        + jnp.sum(sol.saved[-1] ** 2)
    )


def directions(p: Parameters) -> Iterator[tuple[str, Parameters]]:
    """Each parameter by itself."""
    for name in p:
        yield name, {n: jnp.ones_like(v) if n == name else jnp.zeros_like(v) for n, v in p.items()}


def difference(function: Callable[[Any], jax.Array], x: Any, direction: Any, step: float):
    """Central difference of fourth order."""

    def at(k):
        shift = jax.tree.map(lambda a, d: a + k * step * d, x, direction)
        return function(shift)

    return (8 * (at(1) - at(-1)) - (at(2) - at(-2))) / (12 * step)
