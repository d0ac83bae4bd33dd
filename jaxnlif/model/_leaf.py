"""Conversion of what a user writes into differentiable leaves."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float


def as_leaf(value: Any) -> Float[Array, "..."]:
    """Numbers, sequences and integer arrays as floating-point arrays; floating arrays unchanged."""
    if hasattr(value, "dtype") and jnp.issubdtype(value.dtype, jnp.floating):
        return jnp.asarray(value)
    if isinstance(value, (bool, str)) or value is None:
        raise ValueError(f"{value!r}: must be a number or an array of numbers")
    return jnp.asarray(np.asarray(value, dtype=float))
