"""Conversion of what a user writes into differentiable leaves, and into integers."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from .._check import as_numbers, check, is_concrete
from .._quantity import brief, has_unit


def as_leaf(name: str, value: Any) -> Float[Array, "..."]:
    """Numbers, sequences and integer arrays as floating-point arrays; floating arrays unchanged.

    What is known remains known under `jit`, so that it can be checked.
    """
    if not is_concrete(value):
        return _converted(name, value)
    with jax.ensure_compile_time_eval():
        return _converted(name, value)


def _converted(name: str, value: Any) -> Array:
    if is_concrete(value) and not isinstance(value, jax.Array):
        numbers = as_numbers(name, value)
        narrow = str(getattr(value, "dtype", "")) in _NARROW
        # A copy, which nobody else changes: on a CPU the array may take its memory as its own.
        return jax.device_put(np.array(value) if narrow else numbers)
    array = jnp.asarray(value)
    floating = jnp.issubdtype(array.dtype, jnp.floating)
    check(
        floating or jnp.issubdtype(array.dtype, jnp.integer),
        f"{name}: of type {array.dtype}: must be a number or an array of numbers",
    )
    return array if floating else array.astype(float)


_NARROW = ("float16", "bfloat16", "float32")


def as_integers(name: str, value: Any) -> Int[Array | np.ndarray, "..."]:
    """Integers of any type, and sequences of them, as an array of the type that JAX computes in.

    Of NumPy unless they are traced, since under `jit` all arrays of JAX are.
    """
    if has_unit(value):
        raise ValueError(f"{name} = {brief(value)}: has a unit; must be integers")
    try:
        array = np.asarray(value) if is_concrete(value) else jnp.asarray(value)
    except (TypeError, ValueError):
        raise ValueError(f"{name} = {brief(value)}: must be integers") from None
    empty = array.size == 0 and not hasattr(value, "dtype")
    check(
        empty or array.dtype.kind in "iu",
        f"{name}: of type {array.dtype}: must be integers",
    )
    wide = jax.dtypes.canonicalize_dtype(int)
    if not isinstance(array, np.ndarray):
        return array.astype(wide)
    for number in array[array > np.iinfo(wide).max].flat[:1]:
        raise ValueError(f"{name} = {number}: must be at most {np.iinfo(wide).max}")
    return array.astype(wide)


def leaf(name: str) -> Callable[[Any], Float[Array, "..."]]:
    """The converter of a field."""
    return partial(as_leaf, name)
