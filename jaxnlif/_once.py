"""What depends on structure alone, computed once for each structure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import jax
import numpy as np

Found = TypeVar("Found")

_MOST = 256
"""Structures that are kept; when there are more, all are forgotten."""

_found: dict[Any, Any] = {}


def once(function: Callable[..., Found], *arguments: Any) -> Found:
    """`function(*arguments)`, called once for all arguments of the same structure.

    The structure is that of the pytrees, with shapes and types of arrays, types of floats, and the
    values of everything else. A call that raises is made again.

    **Arguments:** `function`, of a module, which does not look at the values of arrays and floats.
    """
    leaves, tree = jax.tree.flatten(arguments)
    structure = (function, tree, tuple(map(_kind, leaves)))
    try:
        if structure in _found:
            return _found[structure]
    except TypeError:  # something in it cannot be hashed
        return function(*arguments)
    found = function(*arguments)
    if len(_found) >= _MOST:
        _found.clear()
    _found[structure] = found
    return found


def forget() -> None:
    """Has everything computed again."""
    _found.clear()


def _kind(leaf: Any) -> Any:
    if isinstance(leaf, jax.Array | np.ndarray | np.generic | jax.ShapeDtypeStruct):
        return leaf.shape, leaf.dtype
    return (float, None) if type(leaf) is float else (type(leaf), leaf)
