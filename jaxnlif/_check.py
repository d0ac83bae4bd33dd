"""One-line complaints about wrong arguments, raised before anything compiles."""

from __future__ import annotations

import operator
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

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
    return not any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves(trees))


def check_scalar(name: str, value: Any) -> None:
    """Requires a single number."""
    check(
        np.ndim(value) == 0 and not isinstance(value, (str, bool)),
        f"{name} = {value!r}: must be a number",
    )


def check_finite(name: str, value: Any) -> None:
    """Requires a real number or array without NaN or infinity."""
    if not is_concrete(value):
        check(jnp.all(jnp.isfinite(jnp.asarray(value))), f"{name}: must be finite")
        return
    try:
        array = np.asarray(value, dtype=float)
    except (TypeError, ValueError):
        raise ValueError(f"{name} = {value!r}: must be a number or an array of numbers") from None
    if not np.all(np.isfinite(array)):
        raise ValueError(f"{name} = {_first(array, ~np.isfinite(array))}: must be finite")


def check_positive(name: str, value: Any, *, allow_zero: bool = False) -> None:
    """Requires finite values above zero (or at least zero)."""
    check_finite(name, value)
    rule = "must not be negative" if allow_zero else "must be positive"
    if not is_concrete(value):
        values = jnp.asarray(value)
        check(jnp.all(values >= 0 if allow_zero else values > 0), f"{name}: {rule}")
        return
    array = np.asarray(value, dtype=float)
    bad = array < 0 if allow_zero else array <= 0
    if np.any(bad):
        raise ValueError(f"{name} = {_first(array, bad)}: {rule}")


def equally_spaced(ts: Any) -> bool:
    """Whether times increase by the same, up to their rounding and a thousandth of it."""
    steps = np.diff(np.asarray(ts, dtype=float))
    rounding = 4 * float(np.finfo(np.asarray(ts).dtype).eps) * np.max(np.abs(ts))
    return bool(np.all(steps > 0) and np.ptp(steps) <= 1e-3 * np.mean(steps) + rounding)


def check_integer(name: str, value: Any, *, at_least: int) -> int:
    """The integer `value`, required to be at least `at_least`."""
    try:
        integer = operator.index(value)
    except TypeError:
        raise ValueError(f"{name} = {value!r}: must be an integer") from None
    check(integer >= at_least, f"{name} = {value}: must be at least {at_least}")
    return integer


def check_key(key: Any) -> None:
    """Requires a single random key."""
    check(key is not None, "key: needed to draw random numbers, such as key=jax.random.key(0)")
    try:
        shape = jax.eval_shape(jax.random.key_data, key).shape
    except (TypeError, ValueError):
        raise ValueError(f"key = {key!r}: must be a random key such as jax.random.key(0)") from None
    check(len(shape) == 1, f"key: shape {shape[:-1]}: must be a single key (vmap takes several)")


def _first(array: np.ndarray, bad: np.ndarray | np.bool_) -> str:
    """The first offending entry, with its position where there are several entries."""
    if array.ndim == 0:
        return f"{array.item():g}"
    position = np.argwhere(bad)[0]
    where = ", ".join(str(int(i)) for i in position)
    return f"{array[tuple(position)]:g} at [{where}]"
