"""What functions and objects of a user read belongs to them."""

import re
import sys
import types
from typing import Any

import equinox as eqx
import jax
import pytest

from jaxnlif.store.identity import differences, summarise

READER = """
import functools, logging
import numpy as np, jax.numpy as jnp
import jaxnlif as jn
import own_constants, own_constants as alias

amplitude, gain, unread = 1.0, 2.0, 7
table = {"a": np.arange(12.0), ("b", 1): [1, 2]}
log = logging.getLogger("reader")

class Setting:
    __slots__ = ("value",)
    factor = {"of": 3}

    def scaled(self, x):
        return self.factor["of"] * self.value * x

setting = Setting()
setting.value = 4.0

def scaling(factor):
    def decorate(f):
        @functools.wraps(f)
        def scaled(*arguments):
            return factor * f(*arguments)
        return scaled
    return decorate

def deepest(x):
    return gain * x

def helper(x):
    log.debug("called")
    return [deepest(y) for y in (x,)][0] + table["a"].sum()

@scaling(5.0)
def decorated(x):
    return helper(x)

def local(x):
    from own_constants import inside
    return inside * x

def aliased(x):
    module = alias
    return module.outside * x

class Drive(jn.AbstractDrive):
    def __call__(self, t, w):
        return amplitude * jnp.ones_like(w)

partial = functools.partial(helper, 1.0)
"""


def reader(monkeypatch, old="", new="", **constants):
    """The names of a module of the user's, in which one text is another."""
    module = types.ModuleType("own_constants")
    vars(module).update({"inside": 1, "outside": 2} | constants)
    monkeypatch.setitem(sys.modules, "own_constants", module)
    space: dict[str, Any] = {"__name__": "reader", "__package__": ""}
    assert old in READER
    exec(READER.replace(old, new), space)
    return space


@pytest.mark.parametrize(
    ("thing", "old", "new", "message"),
    [
        ("Drive", "amplitude, gain, unread = 1.0", "amplitude, gain, unread = 3.0", "amplitude ="),
        ("helper", "= 1.0, 2.0", "= 1.0, 9.0", r"gain = 2\.0, here 9\.0"),
        ("helper", "np.arange(12.0)", "np.arange(12.0) + 1", "table.a = float64"),
        ("helper", "gain * x", "gain / x", "deepest = reader.deepest with"),
        ("partial", "gain * x", "gain / x", "deepest ="),
        ("decorated", "gain * x", "gain / x", "deepest ="),
        ("local", "", {"inside": 3}, "own_constants.inside = 1, here 3"),
        ("aliased", "", {"outside": 3}, "own_constants.outside = 2, here 3"),
    ],
)
def test_what_functions_read_of_modules_belongs_to_them(thing, old, new, message, monkeypatch):
    whole = summarise(reader(monkeypatch)[thing])
    assert differences(whole, summarise(reader(monkeypatch)[thing])) == []
    unread = reader(monkeypatch, "unread = 1.0, 2.0, 7", "unread = 1.0, 2.0, 8")
    assert differences(whole, summarise(unread[thing])) == []
    constants, new = (new, "") if isinstance(new, dict) else ({}, new)
    found = differences(whole, summarise(reader(monkeypatch, old, new, **constants)[thing]))
    assert len(found) == 1
    assert re.match(rf"global (reader\.)?{message}", found[0]), found


def closing_over(setting):
    return lambda x: setting.value * x


@pytest.mark.parametrize(
    ("read", "old", "new"),
    [
        (lambda space: space["decorated"], "scaling(5.0)", "scaling(6.0)"),
        (lambda space: jax.jit(space["deepest"]), "gain * x", "gain / x"),
        (lambda space: jax.vmap(space["deepest"]), "gain * x", "gain / x"),
        (lambda space: eqx.filter_grad(space["deepest"]), "gain * x", "gain / x"),
        (lambda space: space["setting"].scaled, "value = 4.0", "value = 5.0"),
        (lambda space: space["setting"].scaled, '{"of": 3}', '{"of": 4}'),
        (lambda space: closing_over(space["setting"]), "value = 4.0", "value = 5.0"),
        (lambda space: space["table"].get, "[1, 2]", "[1, 3]"),
    ],
)
def test_functions_of_every_kind_are_told_apart_by_what_they_hold(read, old, new, monkeypatch):
    whole = summarise(read(reader(monkeypatch)))
    assert differences(whole, summarise(read(reader(monkeypatch)))) == []
    assert differences(whole, summarise(read(reader(monkeypatch, old, new)))) != []
