"""What a pytree holds, in names and values that JSON can hold, and what tells two of them apart."""

from __future__ import annotations

import dataclasses
import enum
import functools
import hashlib
import json
import math
import types
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import jax
import numpy as np

from .._check import check
from .code import cells, defined, full_name, is_installed, package, reads
from .leaves import is_key, numbers

_SHORT = 8
"""A sequence of so many plain numbers is written out, a longer one as an array."""


_MOST = 50_000
_DEEPEST = 100


def summarise(tree: Any) -> dict[str, Any]:
    """Every leaf and static field of a pytree by its path, such as "drive.base".

    Numbers and texts are there as they are; single numbers in arrays with their dtype; larger
    arrays by shape, dtype and SHA-256; random keys as the numbers they are made of. A module is
    named by its class, at its own path (the outermost one at "class"), and a function by its name
    and the SHA-256 of its code and of what it closes over. With a class of the user's own goes the
    SHA-256 of the functions and values in it.

    What functions read of modules comes after that, as "global module.name", with what the
    functions among it read, and so on. What is installed is told by its name and version. Not seen
    is what a function takes from the system, or by names that are made when it runs.

    **Returns:** what JSON can hold, the same for equal trees in every process.

    **Raises:** `ValueError` if the tree, with what its functions read, is too large to compare.
    """
    walker = _Walker()
    summary = dict(walker.walk("", tree, ()))
    walked: set[str] = set()
    while left := walker.globals.keys() - walked:
        walked.add(place := min(left))
        summary |= walker.walk(place, walker.globals[place], ())
    return summary


def differences(a: Mapping[str, Any], b: Mapping[str, Any]) -> list[str]:
    """What tells two summaries apart, as "noise = 1.0, here 0.9"; nothing if they are equal.

    Precision comes first and once: "precision = float64, here float32". Values that differ by
    nothing else are not listed then.
    """
    precisions: dict[str, None] = {}
    others: list[str] = []
    differing: list[str] = []
    for name in {**a, **b}:
        one, other = _entry(a, name), _entry(b, name)
        if _same(one, other) or any(_lies_in(name, parent) for parent in differing):
            continue
        if one and other and _differ_in_precision(one, other):
            precisions[f"precision = {one['dtype']}, here {other['dtype']}"] = None
            if _rounded(one) == _rounded(other):
                continue
        differing.append(name)
        texts = [_text(tree[name]) if name in tree else "absent" for tree in (a, b)]
        others.append(f"{name or 'value'} = {texts[0]}, here {texts[1]}")
    return [*precisions, *others]


def require_same(rule: str, found: Mapping[str, Any], here: Mapping[str, Any]) -> None:
    """Requires two summaries to be equal. **Raises:** `ValueError`, the rule and what differs."""
    differing = differences(found, here)
    check(not differing, f"{rule}: {'; '.join(differing)}")


# ---- summaries ----------------------------------------------------------------------------------


class _Walker:
    """Makes the entries of a summary; `globals` are what functions read, by their places."""

    def __init__(self):
        self.globals: dict[str, Any] = {}
        self._count = 0

    def _read(self, function: types.FunctionType) -> None:
        """Notes what a function reads, each thing once."""
        for key, value in reads(function).items():
            place = f"global {key}"
            while self.globals.setdefault(place, value) is not value:
                place += "'"  # of another module of this name

    def walk(self, path: str, tree: Any, above: tuple[int, ...]) -> Iterator[tuple[str, Any]]:
        """The entries of an object; `above` are those that this one is reached through."""
        if id(tree) in above:
            yield path, "itself"
            return
        above = (*above, id(tree))
        self._count += 1
        check(
            self._count <= _MOST and len(above) <= _DEEPEST,
            f"{path or 'value'}: refers to more than a checkpoint can compare ({_MOST} objects, "
            f"{_DEEPEST} within each other); let functions read arrays and numbers",
        )
        match tree:
            case enum.Enum():
                yield path, f"{full_name(type(tree))}.{tree.name}"
            case np.ndarray() if tree.dtype.hasobject:
                yield from self._children(path, {"shape": tree.shape, "x": tree.tolist()}, above)
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
            case bytes() | bytearray():
                yield path, {"dtype": "bytes", "shape": [len(tree)], "sha256": _sha256(tree)}
            case jax.ShapeDtypeStruct():
                yield path, {"dtype": str(tree.dtype), "shape": list(tree.shape)}
            case type():
                yield path, self._class(tree, above)
            case types.ModuleType():
                yield path, tree.__name__ + (package(tree.__name__) or "")
            case Mapping():
                parts = {self._key(k, above): v for k, v in tree.items()}
                parts = {k: parts[k] for k in sorted(parts, key=str)}
                yield from self._children(path, parts, above, "{}")
            case tuple() | list() if hasattr(tree, "_fields"):
                named: Any = tree
                yield path or "class", self._class(type(tree), above)
                yield from self._children(path, named._asdict(), above, "()")
            case tuple() | list() if len(tree) > _SHORT and _are_numbers(tree):
                yield path, _array(np.asarray(tree))
            case tuple() | list():
                yield from self._children(path, dict(enumerate(tree)), above, "()")
            case frozenset() | set():
                entries = sorted(_canonical(dict(self.walk("", x, above))) for x in tree)
                checksum = _sha256(b"".join(entries))
                yield path, {"dtype": "set", "shape": [len(tree)], "sha256": checksum}
            case functools.partial():
                yield path or "class", "functools.partial"
                parts = {"func": tree.func, "args": tree.args, "keywords": tree.keywords}
                yield from self._children(path, parts, above)
            case _ if dataclasses.is_dataclass(tree):
                yield path or "class", self._class(type(tree), above)
                fields = {f.name: getattr(tree, f.name, None) for f in dataclasses.fields(tree)}
                yield from self._children(path, fields, above)
            case types.MethodType():
                parts = {"function": tree.__func__, "self": tree.__self__}
                yield from self._children(path, parts, above)
            case types.FunctionType():
                yield path, self._function(tree, above)
            case _ if is_installed(tree):
                yield path, full_name(tree)
            case _:
                yield path or "class", self._class(type(tree), above)
                yield from self._children(path, _state(tree), above)

    def _children(
        self, path: str, parts: Mapping[Any, Any], above: tuple[int, ...], empty: str = ""
    ) -> Iterator[tuple[str, Any]]:
        """The entries of what something consists of; of nothing, `empty` at its own path."""
        if not parts and empty:
            yield path, empty
        for key, value in parts.items():
            if isinstance(key, str) and key.isidentifier():
                place = f"{path}.{key}" if path else key
            else:
                place = f"{path}[{key!r}]"
            yield from self.walk(place, value, above)

    def _key(self, key: Any, above: tuple[int, ...]) -> Any:
        """A key of a mapping as one that has the same text in every process."""
        if isinstance(key, str | int | float | complex | bytes | None):
            return key
        return _sha256(_canonical(dict(self.walk("", key, above))))

    def _class(self, kind: type, above: tuple[int, ...]) -> Any:
        """The name of a class, and what tells one of the user's own from others of that name."""
        own = [x for x in kind.__mro__ if package(x.__module__) is None]
        if not own:
            return full_name(kind)
        content = [dict(self.walk("", defined(x), (*above, id(kind)))) for x in own]
        return {"class": full_name(kind), "sha256": _sha256(_canonical(content))}

    def _function(self, function: types.FunctionType, above: tuple[int, ...]) -> Any:
        """The name of a function, and what tells it from others of that name."""
        if is_installed(function):
            return full_name(function)
        if package(function.__globals__.get("__name__")) is None:
            self._read(function)
        attributes = {k: v for k, v in vars(function).items() if k != "__wrapped__"}
        bound = [cells(function), function.__defaults__, function.__kwdefaults__, attributes]
        content = [self._code(function.__code__), *(dict(self.walk("", x, above)) for x in bound)]
        return {"function": full_name(function), "sha256": _sha256(_canonical(content))}

    def _code(self, code: types.CodeType) -> list[Any]:
        constants = [
            self._code(x) if isinstance(x, types.CodeType) else dict(self.walk("", x, ()))
            for x in code.co_consts
        ]
        return [_sha256(code.co_code), constants, list(code.co_names)]


def _state(thing: Any) -> Mapping[Any, Any]:
    """What an object of any class holds: by its attributes, or as it would be pickled."""
    kind, attributes = type(thing), getattr(thing, "__dict__", {})
    pickled = any(
        getattr(kind, name, None) is not getattr(object, name)
        for name in ("__reduce__", "__reduce_ex__", "__getstate__")
    )
    if "__wrapped__" in attributes or not (pickled or hasattr(kind, "__slots__")):
        return attributes
    try:
        reduced = thing.__reduce_ex__(4)
    except Exception:  # whatever its class raises: it cannot be pickled
        return attributes
    if isinstance(reduced, str):
        return {"name": reduced}
    return dict(enumerate(list(x) if isinstance(x, Iterator) else x for x in reduced))


def _are_numbers(sequence: Sequence[Any]) -> bool:
    return all(type(x) in (int, float) for x in sequence)


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


def _canonical(content: Any) -> bytes:
    return json.dumps(content, sort_keys=True).encode()


def _sha256(content: Any) -> str:
    return hashlib.sha256(content).hexdigest()


# ---- differences --------------------------------------------------------------------------------

_RENAMED = {"Look": "Record"}
"""New names of classes of jaxnlif by their old ones, which files may have."""

_LATER = {
    "membrane": "jaxnlif.Leaky",
    "transport": "jaxnlif.Upwind",
    "scheme": "jaxnlif.Euler",
}
"""Fields that later versions added, and the classes of what there was before."""


def _same(one: Any, other: Any) -> bool:
    """Whether two entries are equal, wherever in jaxnlif a class that they name is defined."""
    return one == other or (_own_name(one) is not None and _own_name(one) == _own_name(other))


def _entry(summary: Mapping[str, Any], name: str) -> Any:
    """That of a name; of a field that older versions had not, what they computed with."""
    return summary.get(name, _LATER.get(name.rpartition(".")[2]))


def _own_name(entry: Any) -> str | None:
    if not isinstance(entry, str) or not entry.startswith("jaxnlif."):
        return None
    name = entry.rpartition(".")[2]
    return _RENAMED.get(name, name)


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
