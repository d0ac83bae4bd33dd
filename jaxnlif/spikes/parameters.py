"""Parameters of neurons: one number for all of them, or one for each."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from .._check import check


def check_parameter(name: str, value: Any) -> None:
    """Requires a number, or a sequence of them. **Raises:** `ValueError`."""
    shape = getattr(value, "shape", None)
    if shape is not None:
        check(len(shape) <= 1, f"{name}: shape {shape}: must be one number, or one for each neuron")


def check_count(name: str, value: Any, num: int) -> None:
    """Requires one number, or one for each of `num` neurons. **Raises:** `ValueError`."""
    shape = getattr(value, "shape", ())
    check(
        shape in ((), (num,)), f"{name}: shape {shape}: must be () or ({num},), as many as neurons"
    )


def part(value: Float[Array, "*n"], neurons: np.ndarray) -> Float[Array, "*o"]:
    """The parameters of some neurons."""
    return value[neurons] if value.ndim else value


def aligned(value: Float[Array, "*n"], ndim: int, axis: int) -> Float[Array, "..."]:
    """A parameter as it multiplies arrays with so many axes, one of which is that of neurons."""
    if value.ndim == 0:
        return value
    return jnp.expand_dims(value, [k for k in range(ndim) if k != axis % ndim])
