"""What functions and classes consist of, and what they read besides their arguments."""

from __future__ import annotations

import dis
import importlib
import inspect
import sys
import types
from collections.abc import Iterable, Iterator
from functools import cache
from importlib import metadata, util
from pathlib import Path
from typing import Any

_KNOWN = sys.stdlib_module_names | {"equinox", "jax", "jaxlib", "jaxnlif", "numpy", "optax"}
"""Packages told by their names: of jaxnlif and JAX the versions are known."""
_INSTALLED = {"site-packages", "dist-packages"}
_DATA = types.GetSetDescriptorType | types.MemberDescriptorType


def package(module: str | None) -> str | None:
    """What tells an installed package, to which a module belongs, from others; `None` for modules
    of the user's own, in which everything may change."""
    top = (module or "").partition(".")[0]
    return "" if top in _KNOWN else _installed(top)


@cache
def _installed(top: str) -> str | None:
    found = sys.modules.get(top)
    spec = util.find_spec(top) if found is None and top else None
    places = [getattr(found, "__file__", None), *getattr(found, "__path__", ())]
    places += [] if spec is None else [spec.origin, *(spec.submodule_search_locations or ())]
    if not any(place and _INSTALLED & set(Path(place).parts) for place in places):
        return None
    version = getattr(found, "__version__", None)
    if version is None:
        try:
            version = metadata.version(top)
        except metadata.PackageNotFoundError:
            version = "installed"
    return f" of {top} {version}"


def full_name(thing: Any) -> str:
    """The module and the name of a function or class, and the version of what is installed."""
    module = getattr(thing, "__module__", None)
    own = getattr(thing, "__qualname__", None) or getattr(thing, "__name__", "")
    return (f"{module}.{own}" if module else own) + (package(module) or "")


def is_installed(thing: Any) -> bool:
    """Whether this is what its name leads to in an installed package, so that it says all."""
    module = getattr(thing, "__module__", None)
    if not isinstance(module, str) or package(module) is None:
        return False
    found: Any = sys.modules.get(module)
    path = getattr(thing, "__qualname__", None) or getattr(thing, "__name__", None) or ""
    for part in path.split("."):
        found = getattr(found, part, None)
    return found is thing


def defined(kind: type) -> dict[str, Any]:
    """What is defined in the body of a class: functions of every kind, and values."""
    found = {}
    value: Any
    for key, value in vars(kind).items():
        value: Any = value.fget if isinstance(value, property) else value
        value = value.__func__ if isinstance(value, staticmethod | classmethod) else value
        special = key.startswith("__") and not hasattr(inspect.unwrap(value), "__code__")
        if not special and not isinstance(value, _DATA) and key != "_abc_impl":
            found[key] = value
    return found


def cells(function: types.FunctionType) -> list[Any]:
    """What a function closes over; `None` for what is not filled yet."""
    found = []
    for cell in function.__closure__ or ():
        try:
            found.append(cell.cell_contents)
        except ValueError:
            found.append(None)
    return found


def reads(function: types.FunctionType) -> dict[str, Any]:
    """What a function reads of modules when it is called, by module and name.

    Of a module that it reads itself, every attribute counts whose name the function has in it. What
    it finds by names that are made when it runs is not seen.
    """
    space = function.__globals__
    codes = list(_codes(function.__code__))
    names = {key for code in codes for key in code.co_names}
    found = {
        f"{space.get('__name__')}.{key}": space[key]
        for code in codes
        for key in _globals(code)
        if key in space
    }
    modules = [x for x in found.values() if isinstance(x, types.ModuleType)]
    modules += [x for code in codes for x in _imports(code, space.get("__package__"))]
    seen: set[str] = set()
    while modules:
        module = modules.pop()
        if module.__name__ in seen or package(module.__name__) is not None:
            continue
        seen.add(module.__name__)
        parts = {key: vars(module)[key] for key in sorted(names & vars(module).keys())}
        found |= {f"{module.__name__}.{key}": value for key, value in parts.items()}
        modules += [x for x in parts.values() if isinstance(x, types.ModuleType)]
    return found


def _codes(code: types.CodeType) -> Iterator[types.CodeType]:
    """A code and those of the functions in it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _codes(constant)


def _globals(code: types.CodeType) -> Iterable[str]:
    loads = ("LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS")
    return [x.argval for x in dis.get_instructions(code) if x.opname in loads]


def _imports(code: types.CodeType, parent: str | None) -> Iterator[types.ModuleType]:
    """The modules of the user's own that a code imports."""
    steps = list(dis.get_instructions(code))
    for place, step in enumerate(steps):
        if step.opname == "IMPORT_NAME":
            level, wanted = steps[place - 2].argval, step.argval
            try:
                if level:
                    wanted = util.resolve_name("." * level + wanted, parent)
                # What is installed is not imported for this.
                there = wanted in sys.modules or util.find_spec(wanted) is not None
                if there and package(wanted) is None:
                    yield importlib.import_module(wanted)
            except ImportError:
                continue  # as it will be when the function runs
