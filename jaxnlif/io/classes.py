"""The classes that a result file may name."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Iterable
from functools import cache
from typing import Any

import equinox as eqx

from .. import _sum, execution, grid
from .._check import check
from ..circuits import external
from ..density import (
    adaptive,
    bdf2,
    control,
    coupling,
    cycle,
    events,
    held,
    scheme,
    second_order,
    step_size,
    upwind,
    walls,
)
from ..density import solver as density_solver
from ..density import state as density_state
from ..integrate import log, result, solution, solver
from ..machine import layout
from ..model import (
    adaptation,
    delay,
    drive,
    learning,
    membrane,
    network,
    projections,
    response,
    spread,
    synapse,
    table,
)
from ..multiscale import solver as multiscale_solver
from ..multiscale import switch
from ..particles import restart
from ..particles import solver as particles_solver
from ..particles import state as particles_state
from ..store.tree import is_named_tuple

_MODULES = (
    _sum,
    execution,
    grid,
    *(network, membrane, synapse, projections, drive, response, learning, delay, spread, table),
    adaptation,
    external,
    *(density_solver, density_state, coupling, cycle, events, upwind, step_size, walls),
    *(scheme, bdf2, second_order, held, adaptive, control),
    *(particles_solver, particles_state, restart),
    *(multiscale_solver, switch),
    *(solution, solver, layout, log, result),
)


@cache
def own() -> dict[str, Any]:
    """The classes of jaxnlif that a `Solution` consists of, by name: files survive when one moves
    to another module."""
    return {
        name: value
        for module in _MODULES
        for name, value in vars(module).items()
        if inspect.isclass(value) and value.__module__ == module.__name__ and _holds_fields(value)
    }


def known(types: Iterable[Any]) -> dict[str, Any]:
    """Those, and classes or functions of the user, by name.

    **Raises:** `ValueError` if one has no name, or two have the same.
    """
    found = dict(own())
    for thing in types:
        name: Any = getattr(thing, "__name__", None)
        check(name is not None, f"types: {thing!r}: must be a class or a function")
        check(found.get(name, thing) is thing, f"types: two are named {name}")
        found[name] = thing
    return found


def _holds_fields(kind: type) -> bool:
    enumeration = kind.__mro__[1] is eqx.Enumeration if len(kind.__mro__) > 1 else False
    return dataclasses.is_dataclass(kind) or is_named_tuple(kind) or enumeration
