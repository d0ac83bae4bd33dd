"""How many populations a network has, and whether what is given of them fits."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np

from .._check import as_numbers, check, is_concrete

VECTORS = (
    "noise",
    "drive",
    "refractory",
    "threshold",
    "reset",
    "time_constant",
    "synaptic_time_constant",
)
"""What each population has one of."""
MATRICES = "noise_slope", "delay"
"""What each pair of populations, to and from, has one of."""


def count_populations(weight: Any) -> int | None:
    """How many populations a weight is between; `None` if it is one number, or `None`."""
    shape = _shape("weight", weight)
    if shape == ():
        return None
    check(
        len(shape) == 2 and shape[0] == shape[1] and shape[0] > 0,
        f"weight: of shape {shape}: must be a number, or one for each pair of populations, "
        "(to, from)",
    )
    return shape[0]


def check_shapes(num: int | None, **given: Any) -> None:
    """Requires numbers, or one for each of `num` populations, or pair of them.

    **Raises:** `ValueError` naming what does not fit, and for lists where there are no populations.
    """
    for name, value in given.items():
        shape = _shape(name, value)
        if shape == ():
            continue
        pairs = name in MATRICES
        wanted = None if num is None else ((num, num) if pairs else (num,))
        if num is None:
            raise ValueError(
                f"{name}: of shape {shape}: must be a single number; a network of populations has "
                "a weight for each pair of them, (to, from)"
            )
        each = "pair of populations, (to, from)" if pairs else "population"
        check(shape == wanted, f"{name}: of shape {shape}: must be {wanted}, one for each {each}")


def check_names(num: int | None, names: Any) -> tuple[str, ...] | None:
    """The names of populations, each of which must be another."""
    if names is None:
        return None
    check(num is not None, "names: need populations: a weight for each pair of them, (to, from)")
    listed = tuple(names) if isinstance(names, (list, tuple)) else (names,)
    check(
        all(isinstance(name, str) for name in listed) and len(listed) == num,
        f"names = {names!r}: must be {num} texts, one for each population",
    )
    repeated = [name for k, name in enumerate(listed) if name in listed[:k]]
    check(not repeated, f"names: {repeated[0]!r} is there twice" if repeated else "")
    return listed


def _shape(name: str, value: Any) -> tuple[int, ...]:
    if value is None or callable(value):
        return ()
    if isinstance(value, (list, tuple)) or not hasattr(value, "shape"):
        if not is_concrete(value):
            return tuple(jnp.shape(jnp.asarray(value)))
        return as_numbers(name, value).shape
    return tuple(np.shape(value))
