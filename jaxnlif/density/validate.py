"""What `FluxShift` refuses before anything compiles."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from .._check import check, known, unseen
from ..grid import Grid
from ..initial import check_density
from ..model import Network


def check_arguments(grid: Grid, model: Network, y0: ArrayLike, dt: ArrayLike) -> None:
    """Requires that network, grid, initial density and step fit one another."""
    synapse = model.connections
    _check_populations(grid, model)
    check(
        (synapse.weight is None) == (grid.w is not None),
        "weight: give the model a weight (unstructured network) or the grid a WeightGrid "
        "(structured network), one of the two",
    )
    synapse.validate(dt)
    _check_membrane(grid, model)
    check_density(grid, y0)


def _check_populations(grid: Grid, model: Network) -> None:
    """Requires as many populations in the grid as in the network."""
    there, here = model.populations, grid.populations
    if there == here:
        return
    if here is None:
        raise ValueError(
            f"grid: has one column; a network of {there} populations needs "
            f"Grid(v, populations={there})"
        )
    raise ValueError(
        f"grid: has {here} populations; the network has "
        + ("none, as its weight is no matrix (to, from)" if there is None else str(there))
    )


def _check_membrane(grid: Grid, model: Network) -> None:
    """Requires a drift that is finite wherever neurons are, and thresholds above resets."""
    v = grid.v.interfaces
    if model.threshold is None and model.reset is None:
        model.membrane.validate(v)
        return
    ends = (model.threshold, grid.v.threshold), (model.reset, grid.v.reset)
    threshold, reset = (known(there if own is None else own) for own, there in ends)
    names = model.names or [str(k) for k in range(model.populations or 0)]
    pairs = zip(*(np.broadcast_to(x, len(names)) for x in (threshold, reset)), strict=True)
    for name, (high, low) in zip(names, pairs, strict=True):
        check(low < high, f"reset = {low:g} of population {name}: must be below its threshold")
        part = (v - grid.v.reset) / (grid.v.threshold - grid.v.reset)
        model.membrane.validate(np.asarray(low + part * (high - low), v.dtype))


def check_functions(solver: Any, model: Network) -> None:
    """Requires that drive and learning rule return values for the `weights` of the solver's
    columns."""
    w = solver.weights(model)
    t = jnp.zeros((), w.dtype)
    for name, function, argument in (
        ("drive", lambda w: model.given(t, w, jnp.zeros(model.populations or 1, w.dtype))[0], w),
        ("learning", model.plasticity.strength, w),
    ):
        try:
            with unseen():  # what is traced for its shape alone
                jax.eval_shape(function, argument)
        except (ValueError, TypeError) as error:
            raise ValueError(
                f"{name}: must return values for the {w.shape[0]} weights of the grid ({error})"
            ) from None


def check_several(solver: Any, model: Network) -> None:
    """Requires a solver that can follow as many populations as the network has."""
    check(
        model.populations is None or solver.neurons is None,
        "neurons: FluxShift does not take them for a network of populations; must be None",
    )


def check_times(model: Network, dt: ArrayLike, **fast: Any) -> None:
    """Requires that refractory period and `fast`, if given, have a time to happen in."""
    rest = model.rest
    rest.validate(dt)
    check(
        model.adaptation is None or fast.get("neurons") is None,
        "neurons: FluxShift does not take them for a network that adapts; must be None",
    )
    check(
        not (rest.rests and model.plasticity.moves),
        "refractory: resting neurons do not learn; give learning or refractory, not both",
    )
    for name, given in {"refractory": model.refractory, **fast}.items():
        if given is not None:
            positive = known(model.epsilon) > 0
            check(positive, f"epsilon = 0: must be positive for a network with {name}")
