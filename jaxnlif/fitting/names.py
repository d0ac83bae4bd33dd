"""What fitted numbers are called: by the path of their leaf, and by the names of populations."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

import jax
from jax.tree_util import DictKey, keystr, tree_flatten_with_path

from ..model import Network
from ..model.populations import MATRICES, VECTORS

_LEAVES = {"drive": "drive.value", "refractory": "refractory.duration"}
"""Where the numbers of an argument of a network are, if not in the field of that name."""


def path_name(path: tuple[Any, ...]) -> str:
    """The name of a leaf: `drive.value`, or, in a mapping from texts, its key."""
    if path and isinstance(path[0], DictKey) and isinstance(path[0].key, str):
        return path[0].key + keystr(path[1:])
    return keystr(path).lstrip(".")


def labels(model: Any) -> dict[str, tuple[str, ...]]:
    """The names of the populations that a leaf has one number of, or one for each pair of, by the
    path of the leaf."""
    found = {}
    leaves, _ = tree_flatten_with_path(model, is_leaf=lambda x: isinstance(x, Network))
    for path, network in leaves:
        if not isinstance(network, Network) or network.names is None:
            continue
        before = path_name(path)
        for name in (*VECTORS, *MATRICES, "weight"):
            inside = _LEAVES.get(name, name)
            found[f"{before}.{inside}".lstrip(".")] = network.names
        for inside, _ in jax.tree_util.tree_leaves_with_path(network.delay):
            found[f"{before}.delay{keystr(inside)}".lstrip(".")] = network.names
    return found


def numbered(path: str, shape: tuple[int, ...], every: dict[str, tuple[str, ...]]) -> Iterator[str]:
    """The names of the numbers in a leaf of this shape."""
    if not shape:
        yield path
        return
    names = every.get(path, ())
    axes = [names if len(names) == n else tuple(map(str, range(n))) for n in shape]
    for index in product(*axes):
        yield f"{path}[{', '.join(index)}]"
