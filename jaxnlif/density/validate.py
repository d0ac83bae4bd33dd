"""What `FluxShift` refuses before anything compiles."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from .._check import check, known, unseen
from .._once import once
from ..grid import Grid
from ..initial import check_density
from ..model import Network
from ..stretched import check_membrane, check_populations


def check_arguments(grid: Grid, model: Network, y0: ArrayLike, dt: ArrayLike) -> None:
    """Requires that network, grid, initial density and step fit one another."""
    synapse = model.connections
    check_populations(grid, model)
    check(
        (synapse.weight is None) == (grid.w is not None),
        "weight: give the model a weight (unstructured network) or the grid a WeightGrid "
        "(structured network), one of the two",
    )
    synapse.validate(dt)
    check_membrane(grid.v, model)
    check_density(grid, y0)


def check_kinds(solver: Any, **kinds: tuple[Any, str]) -> None:
    """Requires arguments of the right kind, each of which is a type and how it is called."""
    for name, (kind, called) in kinds.items():
        value = getattr(solver, name)
        check(isinstance(value, kind), f"{name} = {value!r}: must be {called}")


def check_network(solver: Any, model: Network, dt: ArrayLike) -> None:
    """Requires a network that this solver follows with its other arguments."""
    once(check_functions, solver, model)
    check_times(model, dt, events=solver.events, neurons=solver.neurons)
    check_several(solver, model)
    check_scheme(solver, model)


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


def check_scheme(solver: Any, model: Network) -> None:
    """Requires a scheme in time that can follow what the network has."""
    if solver.scheme.order == 1:
        return
    name = type(solver.scheme).__name__
    check(
        solver.neurons is None,
        f"neurons: {name} does not carry the noise of finitely many; take scheme=Euler()",
    )
    check(
        model.connections.has_ends,
        f"delay: {name} needs what arrives at the end of a step, which this one does not tell; "
        "take scheme=Euler()",
    )


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
