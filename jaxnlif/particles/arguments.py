"""What `Particles` requires of a model, of its beginning and of its key."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from .._check import check, check_finite, check_integer, known, shown, unseen
from .._once import once
from ..grid import Grid, WeightGrid
from ..initial import check_density
from ..model import Network
from ..stretched import check_membrane, check_populations


def check_num(num: Any) -> int | tuple[int, ...]:
    """A number of neurons, or one for each population."""
    if not isinstance(num, tuple | list):
        return check_integer("num", num, at_least=2)
    check(len(num) > 0, f"num = {num!r}: must be an integer, or one for each population")
    return tuple(check_integer(f"num[{k}]", size, at_least=2) for k, size in enumerate(num))


def check_network(grid: Grid, num: int | tuple[int, ...], model: Network, dt: ArrayLike) -> None:
    """Requires a network that particles can follow with steps of `dt`."""
    check_populations(grid, model)
    _check_sizes(num, model)
    check(
        (model.connections.weight is None) == (grid.w is not None),
        "weight: give the model a weight (unstructured network) or the grid a WeightGrid "
        "(structured network), one of the two",
    )
    check(
        not model.plasticity.moves,
        "learning: Particles keep the weights of their neurons; FluxShift can learn",
    )
    check(
        known(model.epsilon) > 0,
        "epsilon = 0: must be positive for Particles; FluxShift solves the quasi-static limit",
    )
    check(
        model.adaptation is None, "adaptation: FluxShift follows it, Particles do not; must be None"
    )
    check_membrane(grid.v, model)
    model.connections.validate(dt)
    model.rest.validate(dt)
    once(_check_drive, grid, num, model)


def _check_sizes(num: int | tuple[int, ...], model: Network) -> None:
    """Requires as many sizes as the network has populations."""
    there, here = model.populations, len(num) if isinstance(num, tuple) else None
    if there is None:
        check(here is None, f"num = {num}: must be an integer, as the network is no populations")
        return
    check(
        here == there,
        f"num = {num}: must be {there} integers, one for each population of the network",
    )


def _check_drive(grid: Grid, num: int | tuple[int, ...], model: Network) -> None:
    """Requires that the drive returns values for the weights of the neurons, or populations."""
    columns = num if grid.w is not None else len(num) if isinstance(num, tuple) else 1
    w = jax.ShapeDtypeStruct((columns,), grid.dtype)
    t = jax.ShapeDtypeStruct((), grid.dtype)
    try:
        with unseen():  # what is traced for its shape alone
            jax.eval_shape(model.external, t, w)
    except (ValueError, TypeError) as error:
        raise ValueError(
            f"drive: must return values for {w.shape[0]} weights, one for each "
            f"{'population' if isinstance(num, tuple) else 'neuron'} ({error})"
        ) from None


def check_beginning(grid: Grid, num: int, y0: Any) -> None:
    """Requires a density, or finite potentials below the threshold and weights on the grid."""
    if isinstance(y0, tuple):
        check(
            grid.w is not None,
            "y0: weights must not be given for an unstructured network (a grid without w)",
        )
        check(len(y0) == 2, f"y0: {len(y0)} arrays: must be two, potentials and weights")
        _check_potentials(grid, num, y0[0])
        _check_weights(grid.w, num, y0[1])
    elif np.ndim(y0) == 1:
        check(
            grid.w is None,
            "y0: must be a density, or (potentials, weights), for a structured network",
        )
        _check_potentials(grid, num, y0)
    else:
        check_density(grid, y0)


def _check_potentials(grid: Grid, num: int, values: Any) -> None:
    _check_array("y0", values, num)
    highest, limit = known(values).max(), grid.v.threshold
    check(highest < limit, f"{shown('y0', highest)}: must be below the threshold, {limit:g}")


def _check_weights(axis: WeightGrid | None, num: int, values: Any) -> None:
    _check_array("y0 weights", values, num)
    if axis is not None:
        low, high = known(values).min(), known(values).max()
        check(
            (axis.minimum <= low) & (high <= axis.maximum),
            f"y0 weights: {shown('lowest', low)}, {shown('highest', high)}: must lie on the grid, "
            f"between {axis.minimum:g} and {axis.maximum:g}",
        )


def _check_array(name: str, values: Any, num: int) -> None:
    shape = np.shape(values)
    check(shape == (num,), f"{name}: shape {shape}: must be ({num},), one for each neuron")
    check_finite(name, values)
    dtype = jnp.asarray(values).dtype
    check(not jnp.issubdtype(dtype, jnp.complexfloating), f"{name}: must be real")
