import json
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
from jaxnlif._describe import differences, summarise

from .conftest import needs_double


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


def test_equal_trees_have_equal_summaries_in_every_process():
    code = (
        "import json, jaxnlif as jn; from jaxnlif._describe import summarise;"
        "print(json.dumps(summarise([jn.Hebbian(0.5), jn.SaveAt(num=3), lambda x: x in {'a', 'b'}]"
        ")))"
    )
    found = [
        subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout
        for _ in range(2)
    ]
    assert found[0] == found[1]
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


@needs_double
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


def own(source=OWN):
    space: dict[str, Any] = {"__name__": "own"}
    exec(source, space)
    return space["Own"](1.0)


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


def test_a_class_of_the_user_has_the_same_summary_in_every_process():
    code = OWN + "import json; from jaxnlif._describe import summarise\n"
    code = f"__name__ = 'own'{code}print(json.dumps(summarise(Own(1.0))))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout
    assert json.loads(found) == summarise(own())


def test_a_class_that_its_functions_refer_to_is_described_once():
    class Own(eqx.Module):
        def again(self):
            return Own()

    assert told_apart(Own(), Own()) == []


def test_modules_that_a_function_refers_to_are_named():
    import math

    assert told_apart(lambda: math.pi, lambda: math.pi) == []
    assert summarise({"x": math}) == {"x": "math"}
