"""Sweeps in a directory: interrupted, damaged, and taken up again."""

import os

import jax.numpy as jnp
import numpy as np
import pytest

import jaxnlif as jn

from ._progress import Counter, Recording
from .test_sweep import NOISES, TRACES, WEIGHTS, assert_identical, run, square


def test_an_interrupted_sweep_goes_on_with_identical_numbers(tmp_path):
    parameters = {"weight": WEIGHTS, "noise": NOISES}
    whole = jn.sweep(run, parameters, chunk=5)
    with pytest.raises(KeyboardInterrupt):
        jn.sweep(
            run, parameters, chunk=5, directory=tmp_path, progress=Recording(Counter(limit=10))
        )
    before = {name: os.stat(tmp_path / name).st_mtime_ns for name in os.listdir(tmp_path)}
    assert set(before) == {"sweep.npz", "part-0000.npz"}
    resumed = jn.sweep(run, parameters, directory=tmp_path)  # the chunks are those of the first
    assert all(os.stat(tmp_path / name).st_mtime_ns == time for name, time in before.items())
    assert_identical(whole.values, resumed.values)
    assert_identical(whole.result, resumed.result)
    again = jn.sweep(run, parameters, directory=tmp_path)
    assert_identical(whole.values, again.values)


def test_nothing_is_compiled_for_a_sweep_that_is_there(tmp_path):
    jn.sweep(square, {"x": [1.0, 2.0]}, directory=tmp_path)
    TRACES.clear()
    jn.sweep(square, {"x": [1.0, 2.0]}, directory=tmp_path)
    assert len(TRACES) == 1


@pytest.mark.parametrize("damage", ["truncated", "flipped", "of another"])
def test_damaged_parts_are_computed_again(tmp_path, damage):
    parameters = {"x": WEIGHTS, "y": NOISES}
    first = jn.sweep(square, parameters, chunk=5, directory=tmp_path / "a")
    whole = first.values
    part = tmp_path / "a" / "part-0001.npz"
    content = bytearray(part.read_bytes())
    if damage == "truncated":
        content = content[: len(content) // 2]
    elif damage == "flipped":
        content[len(content) // 2] ^= 1
    else:
        jn.sweep(square, {"x": WEIGHTS + 1, "y": NOISES}, chunk=5, directory=tmp_path / "b")
        content = (tmp_path / "b" / "part-0001.npz").read_bytes()
    part.write_bytes(content)
    with pytest.warns(UserWarning, match=r"part-0001\.npz.* computed again"):
        second = jn.sweep(square, parameters, directory=tmp_path / "a")
    assert_identical(whole, second.values)


def test_parts_that_have_changed_places_are_computed_again(tmp_path):
    parameters = {"x": [1.0, 2.0, 3.0]}
    whole = jn.sweep(square, parameters, chunk=1, directory=tmp_path).values
    first, second = (tmp_path / f"part-000{k}.npz" for k in (0, 1))
    first.rename(tmp_path / "aside.npz")
    second.rename(first)
    (tmp_path / "aside.npz").rename(second)
    with pytest.warns(
        UserWarning, match=r"out of place: it is part \d; it is computed again"
    ) as seen:
        assert_identical(jn.sweep(square, parameters, directory=tmp_path).values, whole)
    assert len(seen) == 2


def test_a_damaged_beginning_may_be_removed(tmp_path):
    def again(parameters):
        return jn.sweep(square, parameters, chunk=1, directory=tmp_path)

    first, part = {"x": [1.0, 2.0, 3.0]}, tmp_path / "part-0001.npz"
    whole = again(first)
    (tmp_path / "sweep.npz").write_text("garbage")
    with pytest.raises(ValueError, match=r"sweep\.npz: .*; if it is damaged, remove it: "):
        again(first)
    (tmp_path / "sweep.npz").unlink()
    with pytest.raises(ValueError, match="holds parts of another sweep"):
        again({"x": [1.0, 2.0, 4.0]})
    part.write_text("garbage")
    intact = [tmp_path / f"part-{k:04d}.npz" for k in (0, 2)]
    before = [path.stat().st_mtime_ns for path in intact]
    with pytest.warns(UserWarning, match=r"part-0001\.npz.* computed again"):
        assert_identical(again(first).values, whole.values)
    assert [path.stat().st_mtime_ns for path in intact] == before
    assert_identical(again(first).values, whole.values)


def test_files_of_others_are_not_taken_for_parts(tmp_path):
    np.savez(tmp_path / "part-0000.npz", x=1)
    with pytest.raises(ValueError, match="must be empty, or hold a sweep"):
        jn.sweep(square, {"x": [1.0]}, directory=tmp_path)


def test_a_directory_of_another_sweep_is_refused(tmp_path):
    jn.sweep(square, {"x": [1.0, 2.0]}, directory=tmp_path)
    for arguments, difference in (
        ({"parameters": {"x": [1.0, 3.0]}}, r"parameters\.x = "),
        ({"parameters": {"x": [1.0, 2.0], "y": [0.0]}}, r"parameters\.y = absent, here"),
        ({"parameters": {"x": [1.0, 2.0], "y": [0.0, 1.0]}}, "order = x, here x, y"),
        ({"product": False}, "product = True, here False"),
        ({"chunk": 1}, "chunk = 2, here 1"),
        ({"run": lambda x: square(x + 1)}, "computation of run = "),
        ({"run": lambda x: x}, "output"),
    ):
        whole = {"run": square, "parameters": {"x": [1.0, 2.0]}, "directory": tmp_path}
        with pytest.raises(ValueError, match=f"holds another sweep: .*{difference}"):
            jn.sweep(**(whole | arguments))
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "data.csv").touch()
    with pytest.raises(ValueError, match="must be empty, or hold a sweep"):
        jn.sweep(square, {"x": [1.0]}, directory=tmp_path / "other")
    with pytest.raises(ValueError, match="must be a directory"):
        jn.sweep(square, {"x": [1.0]}, directory=tmp_path / "other" / "data.csv")


def test_another_order_of_the_parameters_is_another_sweep(tmp_path):
    x, y = [1.0, 2.0], [3.0, 5.0]
    jn.sweep(square, {"x": x, "y": y}, directory=tmp_path)
    with pytest.raises(ValueError, match="holds another sweep: order = x, y, here y, x"):
        jn.sweep(square, {"y": y, "x": x}, directory=tmp_path)


def test_numbers_that_files_do_not_know_come_back(tmp_path):
    def narrow(x):
        return x.astype(jnp.bfloat16), x > 1, x.astype(jnp.float8_e4m3fn)

    here = jn.sweep(narrow, {"x": [1.0, 2.0]})
    there = jn.sweep(narrow, {"x": [1.0, 2.0]}, directory=tmp_path)
    assert_identical(here.values, there.values)
    assert_identical(here[1], there[1])
    assert there[1][0].dtype == jnp.bfloat16


def test_results_that_are_gone_are_missed(tmp_path):
    found = jn.sweep(square, {"x": [1.0, 2.0]}, directory=tmp_path)
    os.remove(tmp_path / "part-0000.npz")
    with pytest.raises(ValueError, match="part 0: is no longer there"):
        found[0]
