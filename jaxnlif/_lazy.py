"""Public names that are imported when they are first used.

The stub of the package, `__init__.pyi`, says where they are: type checkers, the documentation and
this module read it.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any


def attach(package: str) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    """The `__getattr__`, `__dir__` and `__all__` of a package."""
    module = sys.modules[package]
    homes = _homes(module)

    def __getattr__(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = _imported(package, homes[name], name)
        setattr(module, name, value)
        return value

    def __dir__() -> list[str]:
        return sorted({*vars(module), *homes})

    return __getattr__, __dir__, sorted(homes)


def _homes(module: ModuleType) -> dict[str, str]:
    """The module of each name, relative to the package; empty for a module of the package."""
    stub = Path(str(module.__file__)).with_suffix(".pyi").read_text(encoding="utf-8")
    imports = [node for node in ast.parse(stub).body if isinstance(node, ast.ImportFrom)]
    return {name.name: node.module or "" for node in imports for name in node.names}


def _imported(package: str, home: str, name: str) -> Any:
    """What `from .home import name` imports."""
    if not home:
        return import_module(f"{package}.{name}")
    found = __import__(home, {"__package__": package}, fromlist=[name], level=1)
    return getattr(found, name)
