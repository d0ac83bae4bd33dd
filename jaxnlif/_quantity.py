"""Numbers that carry a unit, as Brian2, pint, quantities (Neo), astropy and unyt have them.

None of these packages is imported: their numbers are known by their methods.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np


class Unit(NamedTuple):
    """A unit as the packages write it, what it measures, and what Brian2 knows of it.

    `dimensions`: exponents of metre, kilogram, second and ampere; `per_si`: how many of the unit
    are one in SI units.
    """

    name: str
    kind: str
    dimensions: tuple[int, int, int, int]
    per_si: float


MILLIVOLT = Unit("mV", "a potential", (2, 1, -3, -1), 1e3)
MILLISECOND = Unit("ms", "a time", (0, 0, 1, 0), 1e3)
HERTZ = Unit("Hz", "a rate", (0, 0, -1, 0), 1.0)

_PLAIN = (int, float, complex, str, bytes, type(None))
_METHODS = ("has_same_dimensions", "dimensionality", "to_value", "rescale", "mantissa")
_BASES = ("length", "mass", "time", "current")


def is_quantity(value: Any) -> bool:
    """Whether a value is a quantity, or a sequence or an array of objects that has one."""
    if type(value) in _PLAIN:
        return False
    if isinstance(value, (list, tuple)):
        return any(map(is_quantity, value))
    if isinstance(value, np.ndarray) and value.dtype == object:
        return any(map(is_quantity, value.flat))
    return any(hasattr(value, name) for name in _METHODS)


def has_unit(value: Any) -> bool:
    """Whether a value is a quantity, or has one, that is no bare number."""
    try:
        found = is_quantity(value)
    except RecursionError:  # a list in itself
        return False
    if not found:
        return False
    if isinstance(value, (list, tuple)):
        return any(map(has_unit, value))
    for pints_or_brians in ("unitless", "is_dimensionless"):
        if hasattr(value, pints_or_brians):
            return not getattr(value, pints_or_brians)
    return bool(getattr(value, "dimensionality", True))


def magnitude(name: str, value: Any, unit: Unit) -> Any:
    """How many of a unit a quantity is; a sequence of them as an array.

    **Raises:** `ValueError` for what cannot be converted into the unit.
    """
    if isinstance(value, (list, tuple)):
        return np.asarray([magnitude(name, one, unit) for one in value], float)
    if not is_quantity(value):
        raise ValueError(f"{name} = {brief(value)}: has no unit, where others of it have one")
    try:
        return _converted(value, unit)
    except Exception:  # every package has its own
        raise ValueError(
            f"{name} = {brief(value)}: must be {unit.kind}, as numbers are in {unit.name}"
        ) from None


def _converted(quantity: Any, unit: Unit) -> Any:
    if hasattr(quantity, "has_same_dimensions"):  # Brian2, which holds SI units
        dimensions = quantity.dim
        if tuple(dimensions.get_dimension(base) for base in _BASES) != unit.dimensions:
            raise ValueError
        return np.asarray(quantity, float)[()] * unit.per_si
    if hasattr(quantity, "rescale"):  # quantities
        return np.asarray(quantity.rescale(unit.name).magnitude)[()]
    if hasattr(quantity, "to_value"):  # astropy, unyt
        return quantity.to_value(unit.name)
    return quantity.to(unit.name).magnitude  # pint


def brief(value: Any) -> str:
    """A value in a line of an error: its text, or the beginning of that."""
    try:
        written = str(value) if has_unit(value) else repr(value)
    except RecursionError:
        written = f"{type(value).__name__} in itself"
    text = " ".join(written.split())
    return text if len(text) <= 80 else f"{text[:77]}…"
