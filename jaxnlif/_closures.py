"""Functions that close over traced values, as pytrees with these as leaves."""

from __future__ import annotations

import functools
import types
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
from jax.core import Tracer

from ._check import check
from ._fresh import holds_traced
from .store.code import cells


def opened(name: str, tree: Any) -> Any:
    """The same tree, with functions that close over traced values, or have them as defaults, as
    pytrees: whatever is compiled or differentiated then knows of these values.

    **Raises:** `ValueError` if something else that is no pytree holds traced values.
    """
    if not holds_traced(tree):
        return tree
    tree = jax.tree.map(_open, tree)
    for part in jax.tree.leaves(tree):
        check(
            not holds_traced(part),
            f"{name}: an object of {type(part).__qualname__} holds a traced value; "
            "make its class an equinox.Module",
        )
    return tree


class _Opened(eqx.Module):
    """A function, the traced values that it closes over, by the places of their cells, and its
    defaults."""

    function: types.FunctionType = eqx.field(static=True)
    bound: dict[int, Any]
    defaults: tuple[Any, ...]
    keywords: dict[str, Any]

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        f: Any = self.function  # a static field, not a method
        bound = tuple(
            types.CellType(self.bound[k]) if k in self.bound else cell
            for k, cell in enumerate(f.__closure__ or ())
        )
        same = types.FunctionType(f.__code__, f.__globals__, f.__name__, self.defaults, bound)
        same.__kwdefaults__ = self.keywords
        return same(*arguments, **keywords)


class _Bound(eqx.Module):
    """A function with its first arguments, as `functools.partial`."""

    function: Callable[..., Any]
    arguments: tuple[Any, ...]
    keywords: dict[str, Any]

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        return self.function(*self.arguments, *arguments, **{**self.keywords, **keywords})


def _open(part: Any) -> Any:
    if not holds_traced(part):
        return part
    if isinstance(part, types.FunctionType):
        bound = {k: x for k, x in enumerate(cells(part)) if _is_traced(x)}
        bound = {k: jax.tree.map(_open, x) for k, x in bound.items()}
        defaults = part.__defaults__ or (), part.__kwdefaults__ or {}
        return _Opened(part, bound, *jax.tree.map(_open, defaults))
    if isinstance(part, types.MethodType):
        return _Bound(*jax.tree.map(_open, (part.__func__, (part.__self__,), {})))
    if isinstance(part, functools.partial):
        return _Bound(*jax.tree.map(_open, (part.func, part.args, part.keywords)))
    return part


def _is_traced(thing: Any) -> bool:
    leaves = jax.tree.leaves(thing)
    return any(isinstance(x, Tracer) for x in leaves) or holds_traced(thing)
