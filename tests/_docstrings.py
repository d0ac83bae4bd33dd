"""Public names with what their code says of them: parameters, results and errors.

Everything is read from the source, in which annotations are as they were written.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from types import ModuleType
from typing import Any

_CALLED = ("__call__", "__getitem__")
_CONVERTERS = ("as_leaf", "leaf")
"""Of arguments to arrays: that they refuse what is no number goes without saying."""

_Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Public:
    """A function, a class or a member of one.

    - `parameters`: the annotation of each argument; for classes, of each field that is set.
    - `result`: the annotation of what is returned.
    - `raises`: the errors that the code raises, itself or in functions of the package it calls.
    - `owner`: for a method or property, the docstrings of its class and of those it derives from.
    """

    namespace: str
    name: str
    doc: str
    parameters: dict[str, str]
    result: str
    raises: frozenset[str]
    owner: str | None = None


def public_names(namespace: str, module: ModuleType) -> Iterator[Public]:
    """The functions and classes of a namespace, and the members of the classes.

    Those of a package are what it imports from ours; those of a module are its own.
    """
    for name in sorted(dir(module)):
        thing = getattr(module, name)
        home = getattr(thing, "__module__", None) or ""
        ours = (
            home.startswith("jaxnlif") if hasattr(module, "__path__") else home == module.__name__
        )
        if ours and not name.startswith("_") and hasattr(thing, "__qualname__"):
            yield from public(namespace, name, thing)


def public(namespace: str, name: str, thing: Any) -> Iterator[Public]:
    """A function, or a class and its members."""
    if inspect.isclass(thing):
        yield _class(namespace, name, thing)
        yield from _members(namespace, name, thing)
    else:
        home = thing.__module__
        node = _definitions(home)[thing.__qualname__]
        yield _function(namespace, name, node, _raised(node, home, None))


def _function(
    namespace: str, name: str, node: _Function, raises: frozenset[str], owner: str | None = None
) -> Public:
    doc = ast.get_docstring(node) or ""
    result = "" if node.returns is None else ast.unparse(node.returns)
    return Public(namespace, name, doc, _arguments(node), result, raises, owner)


def _class(namespace: str, name: str, kind: type) -> Public:
    fields: dict[str, str] = {}
    for one in reversed(_ours(kind)):
        fields |= _fields(_node(one))
    made = next(
        (found["__init__"] for one in _ours(kind) if "__init__" in (found := _methods(one))), None
    )
    parameters = fields
    if made is not None:
        arguments = _arguments(made)
        parameters = {name: fields.get(name, arguments[name]) for name in arguments}
    doc = ast.get_docstring(_node(kind)) or ""
    return Public(namespace, name, doc, parameters, "", _raised_by(kind))


def _members(namespace: str, name: str, kind: type) -> Iterator[Public]:
    """Methods and properties; one without docstring has that of the class that it overrides."""
    found: dict[str, list[tuple[type, _Function]]] = {}
    for one in _ours(kind):
        for member, node in _methods(one).items():
            if not member.startswith("_") or member in _CALLED:
                found.setdefault(member, []).append((one, node))
    for member, nodes in found.items():
        home, used = nodes[0]
        owner, said = next((pair for pair in nodes if ast.get_docstring(pair[1])), nodes[0])
        raises = _raised(used, home.__module__, kind)
        told = "\n\n".join(ast.get_docstring(_node(one)) or "" for one in _ours(owner))
        yield _function(namespace, f"{name}.{member}", said, raises, told)


# ---- the source --------------------------------------------------------------------------------


@cache
def _definitions(module: str) -> dict[str, Any]:
    """Classes and functions of a module, by their qualified names."""
    source = inspect.getsource(import_module(module))
    found: dict[str, Any] = {}

    def visit(body: list[ast.stmt], prefix: str) -> None:
        for node in body:
            if isinstance(node, (ast.ClassDef, *_Function.__args__)):
                found[prefix + node.name] = node
                if isinstance(node, ast.ClassDef):
                    visit(node.body, f"{prefix}{node.name}.")

    visit(ast.parse(source).body, "")
    return found


def _ours(kind: type) -> list[type]:
    return [one for one in kind.__mro__ if one.__module__.startswith("jaxnlif")]


def _node(kind: type) -> ast.ClassDef:
    return _definitions(kind.__module__)[kind.__qualname__]


def _methods(kind: type) -> dict[str, _Function]:
    return {node.name: node for node in _node(kind).body if isinstance(node, _Function)}


def _fields(node: ast.ClassDef) -> dict[str, str]:
    """Annotated names of a class that are set when one is made."""
    found = {
        statement.target.id: ast.unparse(statement.annotation)
        for statement in node.body
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name)
    }
    return {
        name: annotation
        for name, annotation in found.items()
        if not name.startswith("_")
        and "ClassVar" not in annotation
        and "AbstractVar" not in annotation
    }


def _arguments(node: _Function) -> dict[str, str]:
    given = node.args
    every = [*given.posonlyargs, *given.args, *given.kwonlyargs]
    return {
        one.arg: "" if one.annotation is None else ast.unparse(one.annotation)
        for one in every
        if one.arg not in ("self", "cls")
    }


def _raised_by(kind: type) -> frozenset[str]:
    """The errors of making an object of a class."""
    found: frozenset[str] = frozenset()
    for one in _ours(kind):
        for name, node in _methods(one).items():
            if name in ("__init__", "__check_init__"):
                found |= _raised(node, one.__module__, kind)
    return found


def _raised(
    node: ast.AST, module: str, kind: type | None, seen: tuple[ast.AST, ...] = ()
) -> frozenset[str]:
    """The errors that a function raises, and the functions that it calls."""
    if node in seen:
        return frozenset()
    found: frozenset[str] = frozenset()
    for part in ast.walk(node):
        if isinstance(part, ast.Raise) and isinstance(part.exc, ast.Call):
            found |= {ast.unparse(part.exc.func)}
        elif isinstance(part, ast.Call):
            for called, home, owner in _called(part.func, module, kind):
                found |= _raised(called, home, owner, (*seen, node))
    return found


def _called(
    function: ast.expr, module: str, kind: type | None
) -> Iterator[tuple[ast.AST, str, type | None]]:
    """What a call runs, where that can be read from the source."""
    names = vars(import_module(module))
    if isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name):
        if function.value.id == "self" and kind is not None:
            for one in _ours(kind):
                if function.attr in _methods(one):
                    yield _methods(one)[function.attr], one.__module__, kind
                    return
        of_module = names.get(function.value.id)
        thing = getattr(of_module, function.attr, None) if inspect.ismodule(of_module) else None
    else:
        thing = names.get(function.id) if isinstance(function, ast.Name) else None
    if thing is not None and getattr(thing, "__name__", "") not in _CONVERTERS:
        home = getattr(thing, "__module__", None) or ""
        if not home.startswith("jaxnlif"):
            return
        if inspect.isclass(thing):
            for one in _ours(thing):
                for name in ("__init__", "__check_init__"):
                    if name in _methods(one):
                        yield _methods(one)[name], one.__module__, thing
        elif node := _definitions(home).get(getattr(thing, "__qualname__", "")):
            yield node, home, None
