"""The values that a sweep goes through: checked, counted, and taken member by member."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Int

from .._check import check
from ..store.leaves import is_key


@dataclass(frozen=True)
class Axes:
    """Parameters by name, each a pytree of arrays whose leading axes count its values.

    - `product`: whether members are all combinations, in the order of nested loops, the last
      parameter fastest, or the values at the same place.
    """

    values: Mapping[str, Any]
    product: bool

    @property
    def lengths(self) -> tuple[int, ...]:
        """How many values each parameter has."""
        return tuple(jax.tree.leaves(value)[0].shape[0] for value in self.values.values())

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the members: an axis for each parameter, or one for all."""
        return self.lengths if self.product else self.lengths[:1]

    @property
    def size(self) -> int:
        """How many members there are."""
        return math.prod(self.shape)

    def take(self, members: Int[np.ndarray, "..."]) -> dict[str, Any]:
        """The values of these members, which are counted from 0."""
        places = np.unravel_index(members, self.shape)
        places = places if self.product else places * len(self.values)
        return {
            name: jax.tree.map(lambda x: x[place], value)  # noqa: B023
            for (name, value), place in zip(self.values.items(), places, strict=True)
        }


def make_axes(run: Callable[..., Any], parameters: Any, *, product: bool) -> Axes:
    """The axes of a sweep.

    **Raises:** `ValueError`, naming the parameter, if `run` does not take it, it has no values,
    values are not finite or of different kinds, or those of all parameters are not as many.
    """
    check(
        isinstance(parameters, Mapping) and len(parameters) > 0,
        f"parameters = {parameters!r}: must be a dictionary of values by name",
    )
    _check_names(run, parameters)
    axes = Axes({name: _as_values(name, value) for name, value in parameters.items()}, product)
    counts = ", ".join(f"{n} of {name}" for name, n in zip(axes.values, axes.lengths, strict=True))
    check(
        product or len(set(axes.lengths)) == 1,
        f"parameters: {counts}: must be as many of each, unless product=True",
    )
    return axes


def _check_names(run: Callable[..., Any], parameters: Mapping[str, Any]) -> None:
    try:
        signature = inspect.signature(run)
    except (TypeError, ValueError):  # not every callable has one
        return
    try:
        signature.bind(**parameters)
    except TypeError as error:
        raise ValueError(
            f"parameters {', '.join(map(str, parameters))}: must be the arguments of run, "
            f"{signature} ({error})"
        ) from None


def _as_values(name: str, value: Any) -> Any:
    """Arrays with a leading axis."""
    tree = _stack(name, value) if isinstance(value, (list, tuple)) else value
    leaves = jax.tree.leaves(tree)
    rule = f"{name}: must be a sequence of values, or a pytree of arrays with the same leading axis"
    check(len(leaves) > 0 and all(map(_has_numbers, leaves)), rule)
    check(len({x.shape[0] for x in leaves}) == 1, rule)
    check(leaves[0].shape[0] > 0, f"{name}: must have at least one value")
    for leaf in leaves:
        floating = jnp.issubdtype(leaf.dtype, np.floating)
        check(
            not floating or bool(np.all(np.isfinite(np.asarray(leaf)))),
            f"{name}: all values must be finite",
        )
    return jax.tree.map(_on_host, tree)


def _has_numbers(leaf: Any) -> bool:
    kinds = (np.number, np.bool_, jax.dtypes.prng_key)
    array = hasattr(leaf, "dtype") and leaf.ndim > 0
    return array and any(jnp.issubdtype(leaf.dtype, kind) for kind in kinds)


def _stack(name: str, values: Any) -> Any:
    """The values of a list one above the other: numbers, arrays, or modules of one structure."""
    try:
        plain = np.asarray(values)
        if plain.dtype.kind != "O":
            return plain
        return jax.tree.map(lambda *leaves: np.stack([np.asarray(x) for x in leaves]), *values)
    except (TypeError, ValueError):
        raise ValueError(
            f"{name}: values must be numbers, arrays of one shape, or modules of one structure"
        ) from None


def _on_host(leaf: Any) -> Any:
    """In the dtype that JAX gives it; random keys stay with JAX, NumPy does not know them."""
    if is_key(leaf):
        return leaf
    return np.asarray(leaf, jax.dtypes.canonicalize_dtype(leaf.dtype))
