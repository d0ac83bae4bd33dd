"""Every public name stands on a page of the API, once, and nothing stands there that is not."""

from __future__ import annotations

import inspect
import pkgutil
import re
from collections import Counter
from pathlib import Path
from types import ModuleType

import pytest

import jaxnlif as jn

from .test_docstrings import NAMESPACES

PAGES = Path(__file__).parents[1] / "docs" / "api"
SHOWN = [
    name
    for page in sorted(PAGES.glob("*.md"))
    for name in re.findall(r"^::: (\S+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
]
NAMED = re.findall(r"`([A-Z_]+)`", (PAGES / "plot.md").read_text(encoding="utf-8"))
"""Constants of `plot`, which speak for themselves."""


def names(module: ModuleType) -> set[str]:
    """The public names of a namespace that are ours."""
    found = {name: getattr(module, name) for name in dir(module) if not name.startswith("_")}
    return {
        name
        for name, x in found.items()
        if not isinstance(x, ModuleType)
        and (
            x.__module__ == module.__name__
            or (hasattr(module, "__path__") and x.__module__.startswith("jaxnlif"))
            if inspect.isclass(x) or inspect.isroutine(x)
            else name.isupper()
        )
    }


@pytest.mark.parametrize("module", NAMESPACES.values(), ids=lambda x: x.__name__)
def test_every_name_is_shown(module):
    # Objects rather than their names: `jaxnlif.solve` names a package to what reads the sources.
    shown = [pkgutil.resolve_name(name) for name in SHOWN]
    assert names(module), "no names at all"
    for name in names(module):
        thing = getattr(module, name)
        assert (name in NAMED and module is jn.plot) or any(thing is one for one in shown), name


def test_every_directive_names_something_once():
    assert not [name for name, times in Counter(SHOWN).items() if times > 1]
    assert not [name for name in SHOWN if isinstance(pkgutil.resolve_name(name), ModuleType)]
