"""Weights of networks: what they may be, and how they are drawn."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from .._check import check, check_finite, check_positive, check_scalar
from ..model._leaf import as_leaf


def as_weights(name: str, weights: Any) -> Float[Array, "..."]:
    """Weights as an array of JAX. **Raises:** `ValueError` for other than finite numbers."""
    array = as_leaf(name, weights)
    check(
        array.dtype in (jnp.float32, jnp.float64),
        f"{name}: of type {array.dtype}: must be float32 or float64",
    )
    check_finite(name, weights)
    return array


def drawn_weights(
    key: PRNGKeyArray, shape: tuple[int, int], scale: float, dtype: Any
) -> Float[Array, "to before"]:
    r"""Weights `(to, from)`, uniform within $± scale/\sqrt{from}$."""
    check_scalar("scale", scale)
    check_positive("scale", scale, allow_zero=True)
    check(
        jnp.dtype(dtype) in (jnp.float32, jnp.float64),
        f"dtype = {jnp.dtype(dtype)}: must be float32 or float64",
    )
    bound = (scale / np.sqrt(shape[1])).astype(dtype)
    return jax.random.uniform(key, shape, dtype, -1, 1) * bound


def one_precision(tree: Any) -> Any:
    """The arrays of a network in the widest of their floating-point types."""
    dtype = jnp.result_type(*(x for x in jax.tree.leaves(tree) if eqx.is_inexact_array(x)))
    return in_precision(tree, dtype)


def in_precision(tree: Any, dtype: Any) -> Any:
    """The arrays of numbers in a floating-point type."""
    return jax.tree.map(lambda x: x.astype(dtype) if eqx.is_inexact_array(x) else x, tree)
