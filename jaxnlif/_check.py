"""One-line complaints about wrong arguments, raised before anything compiles."""

from __future__ import annotations

import operator
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from numbers import Real
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from ._quantity import brief, has_unit

_UNSEEN: ContextVar[list[Any] | None] = ContextVar("unseen", default=None)


@contextmanager
def unseen() -> Iterator[list[Any]]:
    """The conditions of checks in this block that are being traced: the run has to look at them.

    Elsewhere they pass. They are booleans of shape `()`, all of which must hold.
    """
    conditions: list[Any] = []
    token = _UNSEEN.set(conditions)
    try:
        yield conditions
    finally:
        _UNSEEN.reset(token)


def check(condition: Any, message: str) -> None:
    """Raises `ValueError(message)` unless `condition` holds; a traced one is left to `unseen`."""
    if not is_concrete(condition):
        conditions = _UNSEEN.get()
        if conditions is not None:
            conditions.append(condition)
    elif not condition:
        raise ValueError(message)


def known(value: Any) -> Any:
    """The value in NumPy, so that `jit` does not trace what is done with it; a traced one as is."""
    return np.asarray(value, dtype=float) if is_concrete(value) else value


def shown(name: str, value: Any) -> str:
    """`name = value` for a message, or the name alone where the value is being traced."""
    return f"{name} = {float(value):g}" if is_concrete(value) else name


def is_concrete(*trees: Any) -> bool:
    """Whether no leaf of these pytrees is being traced, so that values can be looked at."""
    try:
        leaves = jax.tree.leaves(trees)
    except (RecursionError, SystemError):  # a list in itself: whoever looks at it refuses it
        return True
    return not any(isinstance(leaf, Tracer) for leaf in leaves)


def as_numbers(name: str, value: Any) -> np.ndarray:
    """Real numbers as an array of float64.

    **Raises:** `ValueError` for what are no numbers (bools and texts are none), for masked and
    complex ones, and for quantities.
    """
    if type(value) is not float and not isinstance(value, jax.Array):
        _check_bare(name, value)
    try:
        array = np.asarray(value)
        if _are_real(array):
            return array.astype(float)
    except (TypeError, ValueError, OverflowError, RecursionError):
        pass
    raise ValueError(f"{name} = {brief(value)}: must be a number or an array of numbers")


def _check_bare(name: str, value: Any) -> None:
    """Requires what has no unit and no masked entries."""
    if has_unit(value):
        raise ValueError(
            f"{name} = {brief(value)}: has a unit; must be a number, which a method of "
            "jaxnlif.Units makes of it"
        )
    masked = np.ma.is_masked(value) or (
        isinstance(value, (list, tuple)) and any(isinstance(x, np.ma.MaskedArray) for x in value)
    )
    check(not masked, f"{name}: has masked entries; must have a number in each")


def _are_real(array: np.ndarray) -> bool:
    """Whether the entries are integers or real numbers."""
    if array.dtype == object:
        return all(isinstance(x, Real) and not isinstance(x, bool) for x in array.flat)
    # A span of time is an integer to NumPy; a bfloat16 is a number to JAX alone.
    return array.dtype.kind in "iuf" or jnp.issubdtype(array.dtype, jnp.floating)


def check_scalar(name: str, value: Any) -> None:
    """Requires a single number."""
    if is_concrete(value):
        value = as_numbers(name, value)
    if np.ndim(value) != 0:
        raise ValueError(f"{name} = {brief(value)}: must be a single number")


def check_plain(name: str, value: Any) -> None:
    """Requires what is not traced."""
    check(is_concrete(value), f"{name}: must be of plain numbers, also under jit, grad and vmap")


def check_finite(name: str, value: Any) -> None:
    """Requires a real number or array without NaN or infinity."""
    if is_concrete(value):
        _finite(name, value)
    else:
        check(jnp.all(jnp.isfinite(jnp.asarray(value))), f"{name}: must be finite")


def _finite(name: str, value: Any) -> np.ndarray:
    """The numbers of what is known, which must be finite."""
    array = as_numbers(name, value)
    if not np.isfinite(array).all():
        raise ValueError(f"{name} = {_first(array, ~np.isfinite(array))}: must be finite")
    return array


def check_positive(name: str, value: Any, *, allow_zero: bool = False) -> None:
    """Requires finite values above zero (or at least zero)."""
    rule = "must not be negative" if allow_zero else "must be positive"
    if not is_concrete(value):
        check_finite(name, value)
        values = jnp.asarray(value)
        check(jnp.all(values >= 0 if allow_zero else values > 0), f"{name}: {rule}")
        return
    array = _finite(name, value)
    bad = array < 0 if allow_zero else array <= 0
    if bad.any():
        raise ValueError(f"{name} = {_first(array, bad)}: {rule}")


def equally_spaced(ts: Any) -> bool:
    """Whether times increase by the same, up to their rounding and a thousandth of it."""
    steps = np.diff(np.asarray(ts, dtype=float))
    rounding = 4 * float(np.finfo(np.asarray(ts).dtype).eps) * np.max(np.abs(ts))
    return bool(np.all(steps > 0) and np.ptp(steps) <= 1e-3 * np.mean(steps) + rounding)


def check_integer(name: str, value: Any, *, at_least: int) -> int:
    """The integer `value`, required to be at least `at_least`."""
    try:
        check(not isinstance(value, bool), f"{name} = {value}: must be an integer")
        integer = operator.index(value)
    except TypeError:
        raise ValueError(f"{name} = {brief(value)}: must be an integer") from None
    check(integer >= at_least, f"{name} = {value}: must be at least {at_least}")
    check(integer < 2**63, f"{name} = {brief(value)}: must be less than 2**63")
    return integer


def check_key(key: Any) -> None:
    """Requires a single random key."""
    check(key is not None, "key: needed to draw random numbers, such as key=jax.random.key(0)")
    try:
        shape = jax.eval_shape(jax.random.key_data, key).shape
    except (TypeError, ValueError):
        raise ValueError(
            f"key = {brief(key)}: must be a random key such as jax.random.key(0)"
        ) from None
    check(len(shape) == 1, f"key: shape {shape[:-1]}: must be a single key (vmap takes several)")


def _first(array: np.ndarray, bad: np.ndarray | np.bool_) -> str:
    """The first offending entry, with its position where there are several entries."""
    if array.ndim == 0:
        return f"{array.item():g}"
    position = np.argwhere(bad)[0]
    where = ", ".join(str(int(i)) for i in position)
    return f"{array[tuple(position)]:g} at [{where}]"
