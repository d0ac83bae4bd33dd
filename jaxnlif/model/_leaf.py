"""Conversion of what a user writes into differentiable leaves."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from .._check import check


def as_leaf(name: str, value: Any) -> Float[Array, "..."]:
    """Numbers, sequences and integer arrays as floating-point arrays; floating arrays unchanged.

    What is known remains known under `jit`, so that it can be checked.
    """
    if isinstance(value, jax.core.Tracer):
        return _converted(name, value)
    with jax.ensure_compile_time_eval():
        return _converted(name, value)


def _converted(name: str, value: Any) -> Array:
    if hasattr(value, "dtype") and jnp.issubdtype(value.dtype, jnp.floating):
        return jnp.asarray(value)
    if hasattr(value, "dtype") and jnp.issubdtype(value.dtype, jnp.integer):
        return jnp.asarray(value, float)
    message = f"{name} = {value!r}: must be a number or an array of numbers"
    check(not isinstance(value, (bool, str)) and value is not None, message)
    try:
        return jnp.asarray(np.asarray(value, dtype=float))
    except (TypeError, ValueError):
        raise ValueError(message) from None


def leaf(name: str) -> Callable[[Any], Float[Array, "..."]]:
    """The converter of a field."""
    return partial(as_leaf, name)
