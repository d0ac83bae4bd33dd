"""A pytree as a description that JSON can hold and arrays by name, and back.

Modules are described by the names of their classes and the values of their fields; nothing in a
description is ever imported or executed.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from .._check import check
from .leaves import from_file, is_key, numbers, to_file

_MOST_NUMBERS = 100
"""How many numbers of an array `readable` shows."""


class _Example(eqx.Enumeration):
    item = "an item"


_EnumerationItem = type(_Example.item)
"""Of which the items of every `eqx.Enumeration` are instances."""
_NONE: Mapping[str, Any] = MappingProxyType({})


def flatten(tree: Any, own: Mapping[str, Any] = _NONE) -> tuple[Any, dict[str, np.ndarray]]:
    """The description of a pytree, and its arrays by names such as "model.drive.value".

    **Arguments:** `own`: the classes of jaxnlif by name, which `unflatten` restores.

    **Raises:** `ValueError`, naming its place, for what cannot be described: anything but modules,
    dataclasses, (named) tuples, lists, dictionaries, arrays, numbers, texts, and functions; and for
    what has the name of one of the `own` classes, which would take its place.
    """
    arrays: dict[str, np.ndarray] = {}

    def hold(path: str, array: Any) -> str:
        name = file_name(path)
        while name in arrays:
            name += "_"
        arrays[name] = to_file(np.asarray(array))
        return name

    def named(path: str, thing: Any) -> str:
        name = thing.__name__
        check(
            own.get(name, thing) is thing,
            f"{path}: {name} is also the name of a class of jaxnlif, which a file would restore in "
            "its place; give yours another",
        )
        return name

    def fields(path: str, values: Mapping[str, Any]) -> dict[str, Any]:
        return {key: describe(f"{path}.{key}".lstrip("."), x) for key, x in values.items()}

    def describe(path: str, value: Any) -> Any:
        if value is None or type(value) in (bool, int, float, str):
            return value
        if isinstance(value, jax.Array) and is_key(value):
            kind = str(jax.random.key_impl(value))
            return {"key": kind, "data": describe(path, numbers(value))}
        if isinstance(value, jax.Array | np.ndarray | np.generic):
            kind = "jax" if isinstance(value, jax.Array) else "numpy"
            kind = "number" if isinstance(value, np.generic) else kind
            return {"array": hold(path, value), "dtype": value.dtype.name, "kind": kind}
        if isinstance(value, np.dtype):
            return {"dtype": value.name}
        if isinstance(value, _EnumerationItem):
            kind = value._enumeration
            return {
                "enumeration": named(path, kind),
                "items": _items(kind),
                "value": describe(path, value._value),
            }
        if type(value) is list:
            return [describe(f"{path}.{k}", x) for k, x in enumerate(value)]
        if type(value) is tuple:
            return {"tuple": [describe(f"{path}.{k}", x) for k, x in enumerate(value)]}
        if type(value) is dict:
            pairs = value.items()
            return {"dict": [[describe(path, k), describe(f"{path}.{k}", x)] for k, x in pairs]}
        if is_named_tuple(value):
            return {"class": named(path, type(value)), "fields": fields(path, value._asdict())}
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            values = {name: getattr(value, name) for name in _fields(type(value))}
            return {"class": named(path, type(value)), "fields": fields(path, values)}
        check(
            callable(value) and hasattr(value, "__name__"),
            f"{path} = {value!r}: cannot be written to a file; make it an eqx.Module",
        )
        return {"function": named(path, value)}

    return describe("", tree), arrays


def file_name(path: str) -> str:
    """The name of an array in a file, in which a slash would be a folder."""
    return path.replace("/", "_") or "value"


def unflatten(
    description: Any, arrays: Mapping[str, np.ndarray], classes: Mapping[str, Any]
) -> Any:
    """The pytree that `flatten` described.

    Arrays of JAX whose dtype it does not hold at present (float64 without `jax_enable_x64`) come
    back as those of NumPy.

    **Arguments:** `classes`: the classes and functions that it may name, by name.

    **Raises:** `ValueError` if one of them is missing, or has other fields; errors of other kinds
    for what is no description.
    """
    missing = sorted(set(_names(description)) - classes.keys())
    check(not missing, f"needs types=[{', '.join(missing)}], which are no classes of jaxnlif")

    def restore(node: Any) -> Any:
        match node:
            case list():
                return [restore(x) for x in node]
            case {"key": kind, "data": data}:
                return jax.random.wrap_key_data(restore(data), impl=kind)
            case {"array": name, "dtype": dtype, "kind": kind}:
                return _array(arrays[name], np.dtype(dtype), kind)
            case {"dtype": name}:
                return np.dtype(name)
            case {"enumeration": name, "items": items, "value": value}:
                return _item(classes[name], items, restore(value))
            case {"class": name, "fields": fields}:
                return _instance(classes[name], {key: restore(x) for key, x in fields.items()})
            case {"tuple": entries}:
                return tuple(restore(x) for x in entries)
            case {"dict": pairs}:
                return {restore(key): restore(x) for key, x in pairs}
            case {"function": name}:
                return classes[name]
        return node

    return restore(description)


def readable(tree: Any) -> Any:
    """A pytree for people, as JSON can hold it: classes and fields by name, the numbers of arrays
    that are not large in place."""
    description, arrays = flatten(tree)

    def show(node: Any) -> Any:
        match node:
            case list():
                return [show(x) for x in node]
            case {"tuple": entries}:
                return [show(x) for x in entries]
            case {"array": name, "dtype": dtype}:
                array = arrays[name]
                return array.tolist() if array.size <= _MOST_NUMBERS else f"{dtype} {array.shape}"
            case {"class": name, "fields": fields}:
                return {name: {key: show(x) for key, x in fields.items()}} if fields else name
            case {"dict": pairs}:
                return {str(show(key)): show(x) for key, x in pairs}
            case {"key": name} | {"dtype": name} | {"function": name} | {"enumeration": name}:
                return name
        return node

    return show(description)


def is_named_tuple(value: Any) -> bool:
    """Whether this is a named tuple, or a class of them."""
    kind = value if isinstance(value, type) else type(value)
    return issubclass(kind, tuple) and hasattr(kind, "_fields")


def _names(node: Any) -> Iterable[str]:
    """The classes and functions that a description needs."""
    if isinstance(node, dict):
        yield from (node[key] for key in ("class", "function", "enumeration") if key in node)
        node = list(node.values())
    if isinstance(node, list):
        for part in node:
            yield from _names(part)


def _array(array: np.ndarray, dtype: np.dtype, kind: str) -> Any:
    array = from_file(array, dtype)
    if kind == "number":
        return array[()]
    held = kind == "jax" and jax.dtypes.canonicalize_dtype(dtype) == dtype
    return jnp.asarray(array) if held else array


def _items(kind: Any) -> list[str]:
    return sorted(kind._name_to_item, key=lambda name: int(kind._name_to_item[name]._value))


def _item(kind: Any, items: list[str], value: Any) -> Any:
    """An item, or an array of them, by the names they had: their numbers may have changed."""
    now = np.asarray([getattr(kind, name)._value for name in items])
    values = now[np.asarray(value)]
    item = eqx.tree_at(lambda item: item._value, getattr(kind, items[0]), values)
    return item if isinstance(value, np.ndarray) else jax.tree.map(jnp.asarray, item)


def _instance(kind: Any, values: dict[str, Any]) -> Any:
    """An object with these fields.

    Its `__init__` has checked them once, and in a batch, where they have one axis more, would
    refuse them now.
    """
    if is_named_tuple(kind):
        return kind(**values)
    fields = _fields(kind)
    for name, field in fields.items():
        if field.default is not dataclasses.MISSING:
            values.setdefault(name, field.default)
    differing = sorted(fields.keys() ^ values.keys())
    check(not differing, f"is of another version of {kind.__name__}, by {', '.join(differing)}")
    instance = object.__new__(kind)
    for name, value in values.items():
        object.__setattr__(instance, name, value)
    return instance


def _fields(kind: Any) -> dict[str, dataclasses.Field]:
    """The fields that an object of this class stores: a subclass may compute others."""
    fields = {field.name: field for field in dataclasses.fields(kind)}
    return {
        name: field
        for name, field in fields.items()
        if not isinstance(getattr(kind, name, None), property)
    }
