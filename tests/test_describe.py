import collections
import copy
import fractions
import json
import math
import os
import pathlib
import re
import subprocess
import sys
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxnlif as jn
from jaxnlif.store.identity import differences, summarise


def problem(dtype=None, *, num=24, drive=None, **arguments) -> dict[str, Any]:
    v = jn.VoltageGrid(-4.0, 2.0, reset=1.0, num=num, dtype=dtype)
    grid = jn.Grid(v=v, w=jn.WeightGrid(0.0, 1.0, num=6))
    drive = jn.Bump(1.0, 3.0, 0.3, 0.1) if drive is None else drive
    model = jn.Network(drive=drive, learning=jn.Hebbian(0.3), **arguments)
    y0 = jn.gaussian(grid, v=(-1.0, 0.5), w=(0.3, 0.02))
    return {"model": model, "solver": jn.FluxShift(grid), "y0": y0, "key": jax.random.key(3)}


def told_apart(one, other) -> list[str]:
    return differences(summarise(one), summarise(other))


def test_leaves_and_static_fields_are_named_by_their_paths(dtype):
    summary = summarise(problem())
    assert json.loads(json.dumps(summary)) == summary
    assert summary["model"] == "jaxnlif.model.network.Network"
    assert summary["model.noise"] == {"dtype": dtype.name, "value": 1.0}
    assert summary["model.delay"] is None
    assert summary["solver.grid.v.num"] == 24
    assert summary["y0"]["shape"] == [24, 6]
    assert summarise(jn.Network())["class"] == "jaxnlif.model.network.Network"
    assert summarise({"x": [1, (2.5, float("nan"))], 3: {}}) == {
        "[3]": "{}",
        "x[0]": 1,
        "x[1][0]": 2.5,
        "x[1][1]": "nan",
    }


def test_equal_trees_have_equal_summaries():
    assert told_apart(problem(), problem()) == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"noise": 0.9}, "model.noise = 1.0, here 0.9"),
        ({"noise": 0.1}, "model.noise = 1.0, here 0.1"),
        ({"num": 30}, "solver.grid.v.num = 24, here 30"),
        ({"delay": 0.5}, "model.delay = None, here jaxnlif.model.delay.Delay"),
        ({"drive": 1.0}, "model.drive = jaxnlif.model.drive.Bump, here jaxnlif.model.drive.Const"),
    ],
)
def test_what_differs_is_named_with_both_values(change, message):
    found = told_apart(problem(), problem(**change))
    assert found[0].startswith(message)
    assert len(found) == (2 if "num" in change else 1)  # another grid has another y0


def test_fields_that_older_versions_had_not_are_what_they_computed_with():
    new, old = summarise(problem()), summarise(problem())
    assert old.pop("model.membrane").endswith(".Leaky")
    assert old.pop("solver.transport").endswith(".Upwind")
    assert differences(old, new) == []
    found = differences(old, summarise(problem(membrane=jn.Quadratic())))
    assert found == ["model.membrane = absent, here jaxnlif.model.membrane.Quadratic"]


def test_another_precision_is_named_once_and_first():
    single = problem(np.float32, noise=jnp.float32(1))
    assert told_apart(problem(), single) == ["precision = float64, here float32"]
    assert told_apart(problem(noise=0.1), problem(noise=jnp.float32(0.1)))[1:] == []
    found = told_apart(problem(), problem(np.float32, noise=jnp.float32(0.7)))
    assert found == ["precision = float64, here float32", "model.noise = 1.0, here 0.7"]


def test_keys_and_arrays_are_told_apart_by_what_they_hold():
    assert "key<fry> (2,)" in told_apart([jax.random.key(1)], [jax.random.key(2)])[0]
    assert told_apart([jax.random.key(1)], [jax.random.key(1)]) == []
    assert len(told_apart(np.arange(3), np.arange(3) + 1)) == 1


def test_functions_are_told_apart_by_their_code_and_what_they_close_over():
    def scaled(factor):
        return lambda t, w: factor * w

    assert told_apart(scaled(2), scaled(2)) == []
    assert len(told_apart(scaled(2), scaled(3))) == 1
    assert len(told_apart(lambda x: x + 1, lambda x: x + 2)) == 1
    assert summarise({"f": np.sin, "g": jax.jit(jnp.tanh)})["f"] == "numpy.sin"

    def recursive(n):
        return n and recursive(n - 1)

    assert "recursive" in summarise(recursive)[""]["function"]


def test_objects_of_any_class_are_named_by_it():
    class Other(eqx.Module):
        table: dict = eqx.field(static=True)

    class Plain:
        def __init__(self):
            self.gain = 3

    summary = summarise(Other({"a": Plain()}))
    assert summary["table.a"]["class"].endswith("Plain")
    assert summary["table.a.gain"] == 3


OWN = """
import abc, functools, math
import equinox as eqx, jax, jaxnlif as jn

class Base(eqx.Module):
    value: float
    factor = 2.0

    @abc.abstractmethod
    def inner(self, t): ...

class Own(Base):
    table: dict = eqx.field(default_factory=dict, static=True)

    def __call__(self, t):
        return self.inner(t) + self.shift + self.other(t) + math.sqrt(4.0)

    @eqx.filter_jit
    def inner(self, t):
        return self.value * t

    @property
    def shift(self):
        return {"a": 1, "b": 3}["b"] if self.factor in {1.0, 2.0} else super().shift

    @staticmethod
    def other(t):
        return 5 * t
"""


def space_of(source: str) -> dict[str, Any]:
    space: dict[str, Any] = {"__name__": "own"}
    exec(source, space)
    return space


def own(source=OWN):
    return space_of(source)["Own"](1.0)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("math.sqrt(4.0)", "math.sqrt(9.0)"),
        ("self.value * t", "self.value / t"),
        ('["b"]', '["a"]'),
        ("5 * t", "6 * t"),
        ("factor = 2.0", "factor = 1.0"),
    ],
)
def test_classes_of_the_user_are_told_apart_by_their_functions(old, new):
    assert told_apart(own(), own()) == []
    found = told_apart({"x": own()}, {"x": own(OWN.replace(old, new))})
    assert len(found) == 1
    assert re.fullmatch(
        r"x = own\.Own with SHA-256 \w+…, here own\.Own with SHA-256 \w+…", found[0]
    )


def test_summaries_are_the_same_in_every_process():
    """Also those of functions with sets of texts, whose order is another in every process."""
    function = "lambda x: x in {'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'}"
    things = f"things = [Own(1.0), jn.Hebbian(0.5), jn.SaveAt(num=3), {function}]"
    code = f"__name__ = 'own'{OWN}\n{things}\n"
    told = "import json; from jaxnlif.store.identity import summarise; "
    told += "print(json.dumps(summarise(things)))"
    environment = os.environ | {"JAX_ENABLE_X64": "1"}
    command = [sys.executable, "-c", code + told]
    found = subprocess.run(command, env=environment, capture_output=True, check=True).stdout
    assert json.loads(found) == summarise(space_of(code)["things"])


def test_a_class_that_its_functions_refer_to_is_described_once():
    class Own(eqx.Module):
        def again(self):
            return Own()

    assert told_apart(Own(), Own()) == []


def test_transformations_are_told_apart_by_their_options():
    assert told_apart(jax.vmap(jnp.sum, in_axes=0), jax.vmap(jnp.sum, in_axes=0)) == []
    assert told_apart(jax.vmap(jnp.sum, in_axes=0), jax.vmap(jnp.sum, in_axes=1)) != []


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (collections.deque([1]), collections.deque([2])),
        (fractions.Fraction(1, 2), fractions.Fraction(1, 3)),
        (pathlib.Path("a"), pathlib.Path("b")),
        (np.random.default_rng(1), np.random.default_rng(2)),
        (np.asarray([1, "a"], object), np.asarray([1, "b"], object)),
        ({(1, "a"): 2}, {(1, "b"): 2}),
    ],
)
def test_objects_without_attributes_are_told_apart_by_what_would_be_pickled(one, other):
    assert told_apart(one, copy.deepcopy(one)) == []
    assert told_apart(one, other) != []


def test_what_is_installed_is_told_by_its_name_and_version():
    import scipy.signal

    version = f" of scipy {scipy.__version__}"
    assert summarise({"f": scipy.signal})["f"] == f"scipy.signal{version}"
    assert summarise({"f": scipy.signal.hilbert})["f"].endswith(version)
    assert summarise({"f": math, "g": jnp}) == {"f": "math", "g": "jax.numpy"}
    assert told_apart(lambda: math.pi, lambda: math.pi) == []


def test_what_is_too_large_to_compare_is_refused(monkeypatch):
    monkeypatch.setattr("jaxnlif.store.identity._MOST", 1000)
    deep: list = []
    for _ in range(40):
        deep = [deep, deep]
    with pytest.raises(ValueError, match=r"x\[0\].*: refers to more than a checkpoint can compare"):
        summarise({"x": deep})
