"""`to_xarray`: a solution as a labelled dataset."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from .._check import check
from ..integrate.log import Log
from ..integrate.result import Result
from ..integrate.solution import Solution
from ..integrate.solver import Regime
from ..store.leaves import numbers
from ..store.tree import file_name, readable
from ._extra import require_xarray
from ._versions import versions

if TYPE_CHECKING:
    import xarray

Variable = tuple[tuple[str, ...], np.ndarray, dict[str, Any]]
"""Dimensions, values and attributes."""

_RATE = "spikes / neuron / membrane time"

# Units and meanings of what a solution holds.
_COURSES = {
    "rate": (_RATE, "network rate"),
    "spikes": ("spikes / neuron × learning time / membrane time", "spikes since the beginning"),
    "refractory": ("1", "fraction of the neurons that rest after a spike"),
}
_BY_WEIGHT = {
    "rates": ("spikes / neuron / membrane time / weight", "rate by synaptic weight"),
    "weights": ("1 / weight", "density of the synaptic weights"),
}
_STATS = {
    "mass_drift": ("1", "largest deviation of the mass from that at the beginning"),
    "minimum": ("1 / voltage / weight", "minimum of the density over the saved times"),
    "steps": ("1", "steps made"),
    "rate_error": (_RATE, "estimated error of the last rate"),
    "largest_rate_error": (_RATE, "largest estimated error of the rate"),
    "differentiable_from": ("learning time", "time before which no derivative flows"),
}
_ROWS = {
    "time": ("learning time", "time"),
    "size": ("1", "fraction of the neurons that fired together"),
    "regime": ("1", "description from then on"),
    "criterion": ("1", "number that decided"),
    "neuron": ("1", "number of the neuron in the raster"),
}
_LOGS = {"events": "event", "switches": "switch", "raster": "spike"}


def to_xarray(sol: Any) -> xarray.Dataset:
    """A solution as an `xarray.Dataset` with dimensions `time`, `weight` and `voltage`.

    Its variables are those of the `Solution`, the densities as `density`, or what `SaveAt.fn`
    saved as `saved` or, by name, `saved.mean`; the records `events`, `switches` and `raster` as
    `event_time`, `event_size` and so on, along dimensions of their own; how the run ended, and its
    statistics. Units and meanings are attributes of each; the model, the solver with its options
    and grid, and the versions those of the whole, as texts (JSON). A solution of `vmap` has a
    leading dimension `member` (several: `member_0`, …), in which shorter records are filled with
    NaN or -1. A network without a weight axis has no dimension `weight`; one of populations has a
    dimension `population`, with their names.

    **Arguments:** `sol`: a `Solution`, also one of `vmap`.

    **Raises:** `ImportError` without the extra `io`; `ValueError` for what is no solution, or if
    two saved arrays have the same name.
    """
    return named(numbered(sol), sol)


def named(dataset: xarray.Dataset, sol: Solution) -> xarray.Dataset:
    """The dataset with the names of populations, if they have any, as coordinates."""
    names = sol.model.names
    return dataset if names is None else dataset.assign_coords(population=list(names))


def population_names(names: Sequence[str] | None, num: int) -> Sequence[str]:
    """Names of populations, by number where they have none."""
    return [str(k) for k in range(num)] if names is None else names


def numbered(sol: Any) -> xarray.Dataset:
    """The dataset of `to_xarray` in which all coordinates are numbers, as files hold them.

    Those of populations have names as flags.
    """
    check(isinstance(sol, Solution), f"sol = {type(sol).__name__}: must be a Solution")
    rank = np.ndim(sol.t_end)
    names = ("member",) if rank == 1 else tuple(f"member_{axis}" for axis in range(rank))
    return batch_to_xarray(sol, names)


def batch_to_xarray(sol: Solution, batch: Sequence[str]) -> xarray.Dataset:
    """The dataset of a solution whose leading axes have these names."""
    xarray = require_xarray()
    variables: dict[str, Variable] = {}
    for name, variable in _variables(sol, tuple(batch)):
        check(name not in variables, f"saved: two arrays are named {name}")
        variables[name] = variable
    return xarray.Dataset(variables, _coordinates(sol), description(sol))


def description(sol: Solution) -> dict[str, str]:
    """What was solved, how and by what, as texts."""
    return {
        "title": "Run of a noisy leaky integrate-and-fire network",
        "source": f"jaxnlif {versions()['jaxnlif']}",
        "versions": json.dumps(versions()),
        "model": json.dumps(readable(sol.model), ensure_ascii=False),
        "solver": json.dumps(readable(sol.solver), ensure_ascii=False),
    }


def flags(meaning: str, names: Sequence[str]) -> dict[str, Any]:
    """The attributes of integers that stand for names."""
    values = np.arange(len(names), dtype=np.int32)
    return {"long_name": meaning, "flag_values": values, "flag_meanings": " ".join(names)}


RESULTS = flags("how the run ended", list(Result._name_to_item))


def _coordinates(sol: Solution) -> dict[str, Variable]:
    grid = sol.solver.grid
    ts = np.asarray(sol.ts)
    ts = ts.reshape(-1, ts.shape[-1])[0]  # all members are saved at the same times
    found = {
        "time": (("time",), ts, _labels("learning time", "time, of membranes for epsilon = 1")),
        "voltage": (("voltage",), grid.v.nodes, _labels("voltage", "membrane potential")),
    }
    if grid.populations is not None:
        names = population_names(sol.model.names, grid.populations)
        labels = flags("population", ["_".join(name.split()) for name in names])
        found["population"] = (("population",), labels["flag_values"], labels)
    if grid.w is not None:
        centers = np.asarray(grid.w.centers, grid.dtype)
        found["weight"] = (("weight",), centers, _labels("weight", "synaptic weight"))
    return found


def _variables(sol: Solution, batch: tuple[str, ...]) -> Iterator[tuple[str, Variable]]:
    times = (*batch, "time")
    each = () if sol.solver.grid.populations is None else ("population",)
    for name, labels in _COURSES.items():
        yield name, ((*times, *each), np.asarray(getattr(sol, name)), _labels(*labels))
    if sol.solver.grid.w is not None:
        for name, labels in _BY_WEIGHT.items():
            yield name, ((*times, "weight"), np.asarray(getattr(sol, name)), _labels(*labels))
    regimes = flags("description that is followed", [regime.name for regime in Regime])
    yield "regime", (times, np.asarray(sol.regime), regimes)
    yield from _saved(sol, times)
    for name, log in sol.logs.items():
        yield from _record(_LOGS.get(name, name), log, batch)
    yield "result", (batch, np.asarray(sol.result._value), RESULTS)
    reached = _labels("learning time", "time that was reached")
    yield "t_end", (batch, np.asarray(sol.t_end), reached)
    for name, value in sol.stats.items():
        labels = _STATS.get(name, ("1", name.replace("_", " ")))
        array = np.asarray(value)
        yield name, ((*batch, *each[: array.ndim - len(batch)]), array, _labels(*labels))


def _saved(sol: Solution, times: tuple[str, ...]) -> Iterator[tuple[str, Variable]]:
    """What was saved besides rates and weights; arrays shaped like a density get its axes."""
    grid = sol.solver.grid
    unit = "1 / voltage" if grid.w is None else "1 / voltage / weight"
    density = _labels(unit, "density of the neurons")
    for path, leaf in jax.tree_util.tree_leaves_with_path(sol.saved):
        key = jax.tree_util.keystr(path, simple=True, separator=".")
        name = file_name(f"saved.{key}".rstrip("."))
        name = "density" if sol.holds_density else name
        array = plain(leaf)
        axes = array.shape[len(times) :]
        dims = tuple(f"{name}_{axis}" for axis in range(len(axes)))
        if axes == grid.shape:
            dims = ("voltage", "weight" if grid.populations is None else "population")
            if grid.w is None and grid.populations is None:
                array, dims = array[..., 0], ("voltage",)
        yield name, ((*times, *dims), array, density if sol.holds_density else {})


def plain(leaf: Any) -> np.ndarray:
    """An array of a dtype that files hold."""
    array = np.asarray(numbers(leaf) if isinstance(leaf, jax.Array) else leaf)
    return array.astype(np.float32) if array.dtype.kind == "V" else array


def _record(kind: str, log: Log, batch: tuple[str, ...]) -> Iterator[tuple[str, Variable]]:
    """The rows that were written, as long as the longest record of a batch."""
    count = np.minimum(np.asarray(log.count), log.capacity)
    length = int(np.max(count, initial=0))
    unwritten = np.arange(length) >= count[..., None]
    for name, rows in log.rows._asdict().items():
        array = np.asarray(rows)[(*(slice(None),) * count.ndim, slice(length))]
        missing = np.nan if array.dtype.kind == "f" else -1
        each = ("population",) * (array.ndim - count.ndim - 1)
        empty = np.reshape(unwritten, unwritten.shape + (1,) * len(each))
        array = np.where(empty, np.asarray(missing, array.dtype), array)
        labels = _labels(*_ROWS.get(name, ("1", name)))
        yield f"{kind}_{name}", ((*batch, kind, *each), array, labels)


def _labels(units: str, meaning: str) -> dict[str, str]:
    return {"units": units, "long_name": meaning}
