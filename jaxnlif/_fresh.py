"""Nothing is run that was compiled with another value of what it reads."""

from __future__ import annotations

import dataclasses
import functools
import types
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import chain
from typing import Any
from weakref import WeakKeyDictionary

import jax
import numpy as np
from jax.core import Tracer

from . import _once
from .store.code import cells, package
from .store.identity import summarise

_MOST = 50_000
"""Of more parts than these, the first are looked at."""

_MOST_BARE = 1000

_bare: set[Any] = set()
"""Structures of trees that hold nothing of the user's own."""

_seen: WeakKeyDictionary[Any, dict[str, Any]] = WeakKeyDictionary()


def has_own(*trees: Any) -> bool:
    """Whether these trees hold a function, class or object of the user's own, or hide something
    else from JAX. Without, there is nothing to `forget`, to `remember` or to open."""
    leaves, tree = jax.tree.flatten(trees)
    structure = tree, tuple(map(type, leaves))
    try:
        if structure in _bare:
            return False
    except TypeError:  # something in it cannot be hashed
        return True
    if any(hidden for _, hidden in _parts(trees)) or any(True for _ in _own(trees)):
        return True
    if len(_bare) >= _MOST_BARE:
        _bare.clear()
    _bare.add(structure)
    return False


def holds_traced(*trees: Any) -> bool:
    """Whether a function or object in these trees that is no pytree holds a traced value."""
    return any(hidden and isinstance(x, Tracer) for x, hidden in _parts(trees))


def forget_if_changed(*trees: Any) -> None:
    """Has everything checked and compiled anew if a function or class of the user's own in these
    trees reads another value of a module, or closes over another, than when it was last remembered.

    JAX compiles a function with the values that it then reads, and asks for them never again.
    """
    before = dict(_seen)
    remember(*trees)
    if any(before[thing] != _seen[thing] for thing in before.keys() & _seen.keys()):
        jax.clear_caches()
        _once.forget()


def remember(*trees: Any) -> None:
    """Remembers what they read; after a run too, as a function may count how often it is traced."""
    for thing in _own(trees):
        with suppress(ValueError, TypeError):  # too large to compare, or not hashable
            _seen[thing] = summarise(thing)


def _own(trees: Any) -> Iterator[Any]:
    """The functions and objects in pytrees that are the user's own, and the classes of these."""
    for part, _ in _parts(trees):
        if isinstance(part, types.FunctionType):
            if _is_own(part.__globals__.get("__name__")):
                yield part
        elif _is_own(type(part).__module__):
            yield type(part)
            if not dataclasses.is_dataclass(part):
                yield part


def _parts(trees: Any) -> Iterator[tuple[Any, bool]]:
    """What these trees consist of, but for plain values, and whether it is hidden in no pytree."""
    seen, left = set(), [(trees, False)]
    while left and len(seen) < _MOST:
        part, hidden = left.pop()
        if id(part) in seen or _is_plain(type(part)):
            continue
        seen.add(id(part))
        yield part, hidden
        inner, hides = _inner(part)
        left += [(x, hidden or hides) for x in inner]


def _inner(part: Any) -> tuple[Iterable[Any], bool]:
    """What something consists of, and whether JAX cannot see into it."""
    if isinstance(part, types.FunctionType):
        own = _is_own(part.__globals__.get("__name__"))
        bound = (part.__defaults__ or (), (part.__kwdefaults__ or {}).values())
        return (chain(cells(part), *bound), True) if own else ((), True)
    if isinstance(part, tuple | list):
        return part, False
    if isinstance(part, dict):
        return part.values(), False
    if isinstance(part, functools.partial):
        seen = isinstance(part, jax.tree_util.Partial)
        return (part.func, part.args, part.keywords), not seen
    if isinstance(part, types.MethodType):
        return (part.__func__, part.__self__), True
    if isinstance(part, type | types.ModuleType | jax.Array | np.ndarray):
        return (), False
    attributes = getattr(part, "__dict__", {})
    if dataclasses.is_dataclass(part):
        return attributes.values(), False
    if hasattr(part, "__wrapped__"):
        return (part.__wrapped__,), True
    return (attributes.values(), True) if _is_own(type(part).__module__) else ((), True)


@functools.lru_cache(maxsize=256)
def _is_plain(kind: type) -> bool:
    """Whether all there is to an object of this type is a value, which is not traced."""
    if kind in (type(None), bool, int, float, complex, str, bytes, np.ndarray):
        return True
    if issubclass(kind, np.generic | np.dtype):
        return not _is_own(kind.__module__)
    return issubclass(kind, jax.Array) and not issubclass(kind, Tracer)


def _is_own(module: str | None) -> bool:
    return package(module) is None
