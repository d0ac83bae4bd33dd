"""A sweep as a labelled dataset."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from ..integrate.solution import Solution
from ..io._extra import require_xarray
from ..io.dataset import RESULTS, Variable, batch_to_xarray, named, plain

if TYPE_CHECKING:
    import xarray

    from .result import Sweep

UNITS = {
    "noise": "voltage² / membrane time",
    "weight": "voltage × membrane time",
    "noise_slope": "voltage²",
    "epsilon": "1",
    "delay": "learning time",
    "refractory": "learning time",
}
"""Units of the arguments of `Network`."""


def to_xarray(sweep: Sweep) -> xarray.Dataset:
    """The dataset of a sweep, whose dimensions and coordinates are its parameters."""
    xarray = require_xarray()
    values, product = sweep.values, sweep.product
    axes = [f"axis_{k}" for k in range(len(sweep.shape))]
    if isinstance(values, Solution):
        dataset = named(batch_to_xarray(values, axes), values)
    else:
        result = (axes, np.asarray(sweep.result._value), RESULTS)
        dataset = xarray.Dataset({**dict(_outputs(values, axes)), "result": result})

    def free(name: str) -> str:
        """A name that the dataset does not use for anything of its own."""
        return f"parameter_{name}" if name in {*dataset.variables, *dataset.dims} else name

    labels = {name: free(name) for name in sweep.parameters}
    dims = list(labels.values()) if product else ["member"] * len(labels)
    dataset = dataset.rename_dims(dict(zip(axes, dims, strict=False)))
    for (name, label), dim in zip(labels.items(), dims, strict=True):
        dataset = dataset.assign_coords(dict(_coordinates(name, label, dim, sweep)))
    return dataset


def _outputs(values: Any, axes: list[str]) -> Iterator[tuple[str, Variable]]:
    """The arrays of an output by their paths."""
    for path, leaf in jax.tree_util.tree_leaves_with_path(values):
        name = jax.tree_util.keystr(path, simple=True, separator=".").replace("/", "_") or "output"
        array = plain(leaf)
        own = tuple(f"{name}_{k}" for k in range(array.ndim - len(axes)))
        yield name, ((*axes, *own), array, {})


def _coordinates(name: str, label: str, dim: str, sweep: Sweep) -> Iterator[tuple[str, Variable]]:
    """The values of a parameter: those that are no single numbers beside their dimension."""
    units = {"units": UNITS[name]} if name in UNITS else {}
    for path, leaf in jax.tree_util.tree_leaves_with_path(sweep.parameters[name]):
        array = plain(leaf)
        key = ".".join([label, jax.tree_util.keystr(path, simple=True, separator=".")]).rstrip(".")
        key = f"{label}.value" if key == label and array.ndim > 1 else key
        own = tuple(f"{key}_{k}" for k in range(array.ndim - 1))
        yield key, ((dim, *own), array, {"long_name": name, **units})
