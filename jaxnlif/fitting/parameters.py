"""The leaves of a model that are fitted: picked, named, checked and put back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from .._check import check
from .bounds import AbstractBounds, Free
from .names import labels, numbered, path_name

Where = Callable[[Any], Any]


_RULE = "must pick whole leaves of the model, each once, and do nothing else"


class Parameters(eqx.Module):
    """Which leaves of a model are free, and within which bounds.

    - `model`: the model whose other leaves stay as they are.
    - `where`: picks the free leaves, as in `eqx.tree_at`.
    - `bounds`: one for each of them.
    - `paths`: their names in the model.
    """

    model: Any
    where: Where = eqx.field(static=True)
    bounds: tuple[AbstractBounds, ...]
    paths: tuple[str, ...] = eqx.field(static=True)

    @property
    def start(self) -> list[Array]:
        """The values that the model has."""
        return jax.tree.leaves(self.where(self.model))

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all numbers in the order of `flat`: `leaf`, `leaf[k]` or, where populations
        have names, `drive.value[E]` and, to E from I, `weight[E, I]`."""
        every = labels(self.model)
        return tuple(
            name
            for path, leaf in zip(self.paths, self.start, strict=True)
            for name in numbered(path, leaf.shape, every)
        )

    def with_values(self, values: list[Array]) -> Any:
        """The model with these values."""
        structure = jax.tree.structure(self.where(self.model))
        return eqx.tree_at(self.where, self.model, jax.tree.unflatten(structure, values))

    def values(self, free: list[Array]) -> list[Array]:
        """The values at unbounded coordinates."""
        return [b.value(x) for b, x in zip(self.bounds, free, strict=True)]

    def free(self, values: list[Array]) -> list[Array]:
        """The unbounded coordinates of values."""
        return [b.free(x) for b, x in zip(self.bounds, values, strict=True)]

    def flat(self, values: list[Array]) -> Float[Array, " p"]:
        """All numbers in one row."""
        return jnp.concatenate([jnp.ravel(value) for value in values])

    def unflat(self, row: Float[Array, " p"]) -> list[Array]:
        """The values that a row of numbers stands for."""
        ends = np.cumsum([leaf.size for leaf in self.start])[:-1]
        parts = jnp.split(row, ends)
        return [part.reshape(x.shape) for part, x in zip(parts, self.start, strict=True)]

    def sizes(self, values: list[Any]) -> Float[np.ndarray, " p"]:
        """How large each number is, in the order of `flat`: at least 1, and in an array at least
        the root mean square of all in it, fitted or at the start."""
        return np.concatenate(
            [
                np.maximum(np.abs(np.ravel(np.asarray(value, float))), _usual(value, start))
                for value, start in zip(values, self.start, strict=True)
            ]
        )

    def check_inside(self, values: list[Any]) -> None:
        """Requires values strictly inside the bounds."""
        for path, bounds, value in zip(self.paths, self.bounds, values, strict=True):
            inside = bounds.contains(np.asarray(value, float))
            if not np.all(inside):
                bad = np.asarray(value, float)[~inside].ravel()[0]
                raise ValueError(f"{path} = {bad:g}: must lie strictly inside {bounds}")

    def near_bound(self, values: list[Any]) -> np.ndarray:
        """The places, in the order of `flat`, of the numbers that have come near to a bound."""
        near = [b.near(np.asarray(v, float)) for b, v in zip(self.bounds, values, strict=True)]
        return np.flatnonzero(np.concatenate([np.ravel(flag) for flag in near]))

    def nearer_bound(self, values: list[Array]) -> list[Array]:
        """Values half as far from the bounds that they are near to."""
        return [b.nearer(x) for b, x in zip(self.bounds, values, strict=True)]


def _usual(*leaves: Any) -> float:
    """The largest root mean square of these arrays; 1 for numbers, and where all are zero."""
    squares = [np.mean(np.asarray(leaf, float) ** 2) for leaf in leaves]
    return float(np.sqrt(max(squares))) or 1.0 if np.ndim(leaves[0]) else 1.0


def choose(model: Any, where: Any, bounds: Any) -> Parameters:
    """The free leaves of a model.

    **Raises:** `ValueError` if `where` picks what is no floating-point leaf, or one twice, or
    nothing, or the bounds do not match.
    """
    check(callable(where), f"where = {where!r}: must be a function that picks leaves of the model")
    picked, structure = jax.tree.flatten(_picked(where, model))
    check(len(picked) > 0, "where: picks no leaf of the model")
    for leaf in picked:
        check(
            eqx.is_inexact_array(leaf),
            f"where: picks {leaf!r}, which is no array of floating-point numbers",
        )
    paths = _paths(model, where)
    if bounds is None or isinstance(bounds, AbstractBounds):
        each = tuple(bounds or Free() for _ in picked)
    else:
        leaves, given = jax.tree.flatten(bounds, is_leaf=lambda b: isinstance(b, AbstractBounds))
        check(
            given == structure and all(isinstance(b, AbstractBounds) for b in leaves),
            f"bounds = {bounds!r}: must be one of Free(), Positive() and Between(low, high), or as "
            "many of them, in the same order, as where picks leaves",
        )
        each = tuple(leaves)
    parameters = Parameters(model, where, each, paths)
    parameters.check_inside(picked)
    return parameters


class _Name:
    """Stands for a leaf in the model, so that what is picked can be told by where it is."""

    def __init__(self, path: Any):
        self.path = path_name(path)


def _paths(model: Any, where: Where) -> tuple[str, ...]:
    """The names of what `where` picks: applied to a model of names it picks those."""
    names = jax.tree.leaves(
        _picked(where, jax.tree_util.tree_map_with_path(lambda path, _: _Name(path), model))
    )
    check(all(isinstance(name, _Name) for name in names), f"where: {_RULE}")
    paths = tuple(name.path for name in names)
    twice = [path for path in paths if paths.count(path) > 1]
    check(len(twice) == 0, f"where: picks {', '.join(twice[:1])} more than once; {_RULE}")
    return paths


def _picked(where: Where, model: Any) -> Any:
    try:
        return where(model)
    except (AttributeError, IndexError, KeyError, TypeError) as error:
        raise ValueError(f"where: {error}; {_RULE}") from None
