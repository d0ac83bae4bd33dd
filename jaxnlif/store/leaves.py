"""The leaves of a pytree as named arrays, for files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

Tree = TypeVar("Tree")
_LEAF = "state_"


def to_arrays(tree: Any) -> dict[str, np.ndarray]:
    """The arrays of a pytree as files know them, by their places in it."""
    leaves = jax.tree.leaves(eqx.filter(tree, _is_array))
    return {f"{_LEAF}{k}": to_file(np.asarray(numbers(leaf))) for k, leaf in enumerate(leaves)}


def from_arrays(arrays: Mapping[str, np.ndarray], like: Tree) -> tuple[Tree, dict[str, np.ndarray]]:
    """The pytree of the structure of `like` whose arrays these are, on its devices; and the rest.

    **Raises:** `ValueError` if they differ from those of `like` in number, dtype or shape.
    """
    dynamic, static = eqx.partition(like, _is_array)
    leaves, structure = jax.tree.flatten(dynamic)
    names = [f"{_LEAF}{k}" for k in range(len(leaves))]
    rest = {name: array for name, array in arrays.items() if name not in names}
    if any(name.startswith(_LEAF) for name in rest) or not set(names) <= set(arrays):
        raise ValueError("arrays: must be as many as those of `like`")
    found = [_restored(arrays[name], leaf) for name, leaf in zip(names, leaves, strict=True)]
    return eqx.combine(jax.tree.unflatten(structure, found), static), rest


def _is_array(leaf: Any) -> bool:
    return isinstance(leaf, jax.Array | np.ndarray)


def is_key(leaf: Any) -> bool:
    """Whether an array is one of random keys, which NumPy and files do not know."""
    return jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)


def numbers(leaf: Any) -> Any:
    """The same array, or the numbers that random keys are made of."""
    return jax.random.key_data(leaf) if is_key(leaf) else leaf


def to_file(array: np.ndarray) -> np.ndarray:
    """An array as files know it: bfloat16 and the like as integers of their bits."""
    return array.view(f"u{array.dtype.itemsize}") if array.dtype.kind == "V" else array


def from_file(array: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """The array of this dtype that a file holds, perhaps as integers, also instead of bool.

    **Raises:** `ValueError` if the bytes are not as many.
    """
    if array.dtype == dtype:
        return array
    if dtype.hasobject or array.dtype.itemsize != dtype.itemsize:
        raise ValueError(f"array of {array.dtype}: cannot hold {dtype}")
    return array.view(dtype) if dtype.kind == "V" else array.astype(dtype)


def _restored(array: np.ndarray, leaf: Array | np.ndarray) -> Array:
    plain = numbers(leaf)
    stored = to_file(np.empty(0, plain.dtype)).dtype
    if array.dtype != stored or array.shape != plain.shape:
        raise ValueError("arrays: must have the dtypes and shapes of those of `like`")
    restored = jnp.asarray(from_file(array, plain.dtype))
    if is_key(leaf):
        restored = jax.random.wrap_key_data(restored, impl=jax.random.key_impl(leaf))
    # What lies where JAX puts it stays free to move, and compiles to the same.
    if isinstance(leaf, jax.Array) and leaf.committed:
        return jax.device_put(restored, leaf.sharding)
    return restored
