"""What a pytree holds, in names and values that JSON can hold, and what tells two of them apart."""

from __future__ import annotations

import dataclasses
import enum
import functools
import hashlib
import inspect
import json
import math
import sys
import types
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import jax
import numpy as np

from ._leaves import is_key, numbers

_SHORT = 8
"""A sequence of so many plain numbers is written out, a longer one as an array."""


_LIBRARIES = sys.stdlib_module_names | {"equinox", "jax", "jaxlib", "jaxnlif", "numpy", "optax"}
"""Packages whose classes are told by their names: of jaxnlif and JAX the versions are known."""


def summarise(tree: Any) -> dict[str, Any]:
    """Every leaf and static field of a pytree by its path, such as "drive.base".

    Numbers and texts are there as they are; single numbers in arrays with their dtype; larger
    arrays by shape, dtype and SHA-256; random keys as the numbers they are made of. A module is
    named by its class, at its own path (the outermost one at "class"), and a function by its name
    and the SHA-256 of its code and of what it closes over; what it refers to globally is not seen.
    With a class of the user's own goes the SHA-256 of the functions and constants in it.

    **Returns:** what JSON can hold, the same for equal trees in every process.
    """
    return dict(_walk("", tree, ()))


def differences(a: Mapping[str, Any], b: Mapping[str, Any]) -> list[str]:
    """What tells two summaries apart, as "noise = 1.0, here 0.9"; nothing if they are equal.

    Precision comes first and once: "precision = float64, here float32". Values that differ by
    nothing else are not listed then.
    """
    precisions: dict[str, None] = {}
    others: list[str] = []
    differing: list[str] = []
    for name in {**a, **b}:
        if a.get(name) == b.get(name) or any(_lies_in(name, parent) for parent in differing):
            continue
        one, other = a.get(name), b.get(name)
        if one and other and _differ_in_precision(one, other):
            precisions[f"precision = {one['dtype']}, here {other['dtype']}"] = None
            if _rounded(one) == _rounded(other):
                continue
        differing.append(name)
        texts = [_text(tree[name]) if name in tree else "absent" for tree in (a, b)]
        others.append(f"{name or 'value'} = {texts[0]}, here {texts[1]}")
    return [*precisions, *others]


# ---- summaries ----------------------------------------------------------------------------------


def _walk(path: str, tree: Any, above: tuple[int, ...]) -> Iterator[tuple[str, Any]]:
    """The entries of a summary; `above` are the objects that this one is reached through."""
    if id(tree) in above:
        yield path, "itself"
        return
    above = (*above, id(tree))
    match tree:
        case enum.Enum():
            yield path, f"{_name(type(tree))}.{tree.name}"
        case jax.Array() | np.ndarray() | np.generic():
            yield path, _array(tree)
        case None | bool() | int() | str():
            yield path, tree
        case float():
            yield path, tree if math.isfinite(tree) else str(tree)
        case complex():
            yield path, str(tree)
        case np.dtype():
            yield path, {"dtype": str(tree)}
        case bytes():
            yield path, {"dtype": "bytes", "shape": [len(tree)], "sha256": _sha256(tree)}
        case jax.ShapeDtypeStruct():
            yield path, {"dtype": str(tree.dtype), "shape": list(tree.shape)}
        case type():
            yield path, _class(tree, above)
        case types.ModuleType():
            yield path, tree.__name__
        case Mapping():
            yield from _children(path, {k: tree[k] for k in sorted(tree, key=str)}, "{}", above)
        case tuple() | list() if hasattr(tree, "_fields"):
            yield path or "class", _class(type(tree), above)
            yield from _children(path, tree._asdict(), "()", above)
        case tuple() | list() if len(tree) > _SHORT and all(type(x) in (int, float) for x in tree):
            yield path, _array(np.asarray(tree))
        case tuple() | list():
            yield from _children(path, dict(enumerate(tree)), "()", above)
        case frozenset() | set():
            entries = sorted(_canonical(dict(_walk("", x, above))) for x in tree)
            checksum = _sha256(b"".join(entries))
            yield path, {"dtype": "set", "shape": [len(tree)], "sha256": checksum}
        case functools.partial():
            yield path or "class", "functools.partial"
            parts = {"func": tree.func, "args": tree.args, "keywords": tree.keywords}
            yield from _children(path, parts, "()", above)
        case _ if dataclasses.is_dataclass(tree):
            yield path or "class", _class(type(tree), above)
            fields = {f.name: getattr(tree, f.name, None) for f in dataclasses.fields(tree)}
            yield from _children(path, fields, "", above)
        case types.MethodType():
            parts = {"function": tree.__func__, "self": tree.__self__}
            yield from _children(path, parts, "", above)
        case _ if callable(tree) and hasattr(tree, "__qualname__"):
            yield path, _function(tree, above)
        case _:
            yield path or "class", _class(type(tree), above)
            yield from _children(path, getattr(tree, "__dict__", {}), "", above)


def _children(path: str, parts: Mapping[Any, Any], empty: str, above) -> Iterator[tuple[str, Any]]:
    """The entries of what something consists of; of nothing, `empty` at its own path."""
    if not parts and empty:
        yield path, empty
    for key, value in parts.items():
        if isinstance(key, str) and key.isidentifier():
            name = f"{path}.{key}" if path else key
        else:
            name = f"{path}[{key!r}]"
        yield from _walk(name, value, above)


def _array(array: Any) -> dict[str, Any]:
    if is_key(array):
        return {**_array(numbers(array)), "dtype": str(array.dtype)}
    content = np.asarray(array)
    if content.ndim == 0 and content.dtype.kind in "biuf":
        value = content.item()
        value = value if math.isfinite(value) else str(value)
        return {"dtype": str(content.dtype), "value": value}
    return {
        "dtype": str(content.dtype),
        "shape": list(content.shape),
        "sha256": _sha256(np.ascontiguousarray(content)),
    }


def _class(kind: type, above: tuple[int, ...]) -> Any:
    """The name of a class, and what tells one of the user's own from others of that name."""
    own = [x for x in kind.__mro__ if x.__module__.partition(".")[0] not in _LIBRARIES]
    if not own:
        return _name(kind)
    content = [dict(_walk("", _defined(x), (*above, id(kind)))) for x in own]
    return {"class": _name(kind), "sha256": _sha256(_canonical(content))}


def _defined(kind: type) -> dict[str, Any]:
    """The functions in a class, of properties and methods of any kind too, and its constants."""
    found = {}
    for name, value in vars(kind).items():
        function = getattr(value, "fget", None) or getattr(value, "func", None) or value
        constant = isinstance(value, int | float | complex | str | tuple | np.ndarray | jax.Array)
        if hasattr(inspect.unwrap(function), "__code__"):
            found[name] = function
        elif constant and not name.startswith("__"):
            found[name] = value
    return found


def _function(function: Callable, above: tuple[int, ...]) -> Any:
    """The name of a function, and what tells it from others of that name."""
    inner = inspect.unwrap(function)
    name, code = _name(inner), getattr(inner, "__code__", None)
    if code is None:
        return name
    cells = []
    for cell in inner.__closure__ or ():
        try:
            cells.append(cell.cell_contents)
        except ValueError:  # not filled yet
            cells.append(None)
    bound = [cells, inner.__defaults__, inner.__kwdefaults__]
    content = [_code(code), *(dict(_walk("", x, above)) for x in bound)]
    return {"function": name, "sha256": _sha256(_canonical(content))}


def _code(code: types.CodeType) -> list[Any]:
    constants = [
        _code(x) if isinstance(x, types.CodeType) else dict(_walk("", x, ()))
        for x in code.co_consts
    ]
    return [_sha256(code.co_code), constants, list(code.co_names)]


def _name(thing: Any) -> str:
    module = getattr(thing, "__module__", None)
    name = getattr(thing, "__qualname__", None) or getattr(thing, "__name__", "")
    return f"{module}.{name}" if module else name


def _canonical(content: Any) -> bytes:
    return json.dumps(content, sort_keys=True).encode()


def _sha256(content: Any) -> str:
    return hashlib.sha256(content).hexdigest()


# ---- differences --------------------------------------------------------------------------------


def _lies_in(name: str, parent: str) -> bool:
    """Whether `name` is a part of `parent`, whose difference says enough."""
    return parent not in ("", "class") and name.startswith((f"{parent}.", f"{parent}["))


def _differ_in_precision(one: Any, other: Any) -> bool:
    if not all(isinstance(x, dict) and "dtype" in x for x in (one, other)):
        return False
    kinds = [x["dtype"].rstrip("0123456789") for x in (one, other)]
    return one["dtype"] != other["dtype"] and kinds[0] == kinds[1]


def _rounded(entry: Mapping[str, Any]) -> Any:
    """What can be compared in spite of another precision: a number to few digits, or a shape."""
    if "value" not in entry:
        return entry.get("shape")
    value = entry["value"]
    return f"{value:.6g}" if isinstance(value, float) else value


def _text(entry: Any) -> str:
    if not isinstance(entry, dict):
        return str(entry)
    if "value" in entry:
        # In the digits that its own precision has.
        short = entry["dtype"] == "float32" and isinstance(entry["value"], float)
        return str(np.float32(entry["value"]) if short else entry["value"])
    kind = entry.get("function") or entry.get("class") or entry.get("dtype", "")
    shape = f" {tuple(entry['shape'])}" if "shape" in entry else ""
    checksum = f" with SHA-256 {entry['sha256'][:12]}…" if "sha256" in entry else ""
    return f"{kind}{shape}{checksum}"
