"""Modules that print their numbers."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

import equinox as eqx
import jax
import numpy as np
from jax.core import Tracer

_WIDTH = 88
"""Columns of a line."""
_SHORT = 8
"""An array of so many numbers is written out, of a longer one how many and between which."""


class Module(eqx.Module):
    """An `equinox.Module` whose text has the numbers that its arrays hold."""

    def __repr__(self) -> str:
        return text(self)


def text(value: Any, indent: int = 0) -> str:
    """What a module or anything in it holds, in lines that are not too long.

    Fields that are `None` are left out.

    **Arguments:** `indent`: columns that its first line has before it.
    """
    if _has_fields(value):
        shown = {f.name: getattr(value, f.name, None) for f in dataclasses.fields(value)}
        parts = [(f"{name}=", part) for name, part in shown.items() if part is not None]
        return _enclosed(f"{type(value).__name__}(", parts, ")", indent)
    if isinstance(value, jax.Array | jax.ShapeDtypeStruct | np.ndarray | np.generic):
        return array_text(value)
    if isinstance(value, Mapping):
        return _enclosed("{", [(f"{name!r}: ", part) for name, part in value.items()], "}", indent)
    if isinstance(value, tuple | list) and not hasattr(value, "_fields"):
        parts = [("", part) for part in value]
        if isinstance(value, list):
            return _enclosed("[", parts, "]", indent)
        return _enclosed("(", parts, ",)" if len(parts) == 1 else ")", indent)
    if isinstance(value, np.dtype):
        return value.name
    if callable(value) and not isinstance(value, eqx.Module):
        return getattr(value, "__name__", repr(value))
    return repr(value)


def array_text(array: Any) -> str:
    """The numbers of an array; of a long one, how many and between which; else its shape."""
    summary = f"{array.dtype}[{','.join(map(str, array.shape))}]"
    unknown = isinstance(array, Tracer | jax.ShapeDtypeStruct)
    if unknown or jax.dtypes.issubdtype(array.dtype, jax.dtypes.prng_key):
        return summary
    numbers = np.asarray(array)
    if numbers.ndim == 0:
        return _number(numbers[()])
    if numbers.ndim == 1 and numbers.size <= _SHORT:
        return f"[{', '.join(map(_number, numbers))}]"
    if numbers.size == 0 or numbers.dtype.kind not in "iuf":
        return summary
    return f"{summary} from {_number(numbers.min())} to {_number(numbers.max())}"


def _number(value: Any) -> str:
    """Six digits, with a point where it is no integer's type."""
    if not isinstance(value, np.floating):
        return str(value)
    short = f"{value:.6g}"
    return short if any(sign in short for sign in ".en") else f"{short}.0"


def _has_fields(value: Any) -> bool:
    """Whether this is a module that does not print itself in another way."""
    plain = (eqx.Module.__repr__, Module.__repr__)
    return isinstance(value, eqx.Module) and type(value).__repr__ in plain


def _enclosed(begin: str, parts: list[tuple[str, Any]], end: str, indent: int) -> str:
    """Names and values in brackets, in one line if they fit, else in one each."""
    inside = [name + text(part, indent + 2 + len(name)) for name, part in parts]
    line = begin + ", ".join(inside) + end
    if indent + len(line) <= _WIDTH and "\n" not in line:
        return line
    return begin + "\n" + "".join(_lines(inside)) + end


def _lines(inside: list[str]) -> Iterator[str]:
    for one in inside:
        yield "  " + one.replace("\n", "\n  ") + ",\n"
