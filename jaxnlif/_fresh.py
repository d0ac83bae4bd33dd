"""Nothing is run that was compiled with another value of what it reads."""

from __future__ import annotations

import dataclasses
import functools
import types
from collections.abc import Iterator
from contextlib import suppress
from typing import Any
from weakref import WeakKeyDictionary

import jax

from ._code import package
from ._describe import summarise

_seen: WeakKeyDictionary[Any, dict[str, Any]] = WeakKeyDictionary()


def forget_if_changed(*trees: Any) -> None:
    """Has everything compiled anew if a function or class of the user's own in these trees reads
    another value of a module, or closes over another, than when it was last remembered.

    JAX compiles a function with the values that it then reads, and asks for them never again.
    """
    before = dict(_seen)
    remember(*trees)
    if any(before[thing] != _seen[thing] for thing in before.keys() & _seen.keys()):
        jax.clear_caches()


def remember(*trees: Any) -> None:
    """Remembers what they read; after a run too, as a function may count how often it is traced."""
    for thing in _own(trees):
        with suppress(ValueError):  # too large to compare
            _seen[thing] = summarise(thing)


def _own(tree: Any) -> Iterator[Any]:
    """The functions in a pytree and the classes of its objects that are the user's own."""
    if isinstance(tree, types.FunctionType):
        if package(tree.__globals__.get("__name__")) is None:
            yield tree
        return
    if isinstance(tree, tuple | list):
        parts = tree
    elif isinstance(tree, dict):
        parts = tree.values()
    elif isinstance(tree, functools.partial):
        parts = (tree.func, tree.args, tree.keywords)
    elif isinstance(tree, types.MethodType):
        parts = (tree.__func__, tree.__self__)
    elif dataclasses.is_dataclass(tree) and not isinstance(tree, type):
        parts = getattr(tree, "__dict__", {}).values()
    else:
        parts = (tree.__wrapped__,) if hasattr(tree, "__wrapped__") else ()
    if package(type(tree).__module__) is None:
        yield type(tree)
    for part in parts:
        yield from _own(part)
