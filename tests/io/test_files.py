"""Every solution comes back equal; damaged, foreign and newer files are refused in one line."""

import dataclasses
import os
from pathlib import Path
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxnlif as jn
from jaxnlif.io.classes import own
from jaxnlif.store import files
from jaxnlif.store.tree import flatten, unflatten

from . import _solutions as solutions


def assert_equal(one, other):
    leaves, structure = jax.tree.flatten(one)
    others, restored = jax.tree.flatten(other)
    assert structure == restored
    for mine, theirs in zip(leaves, others, strict=True):
        assert type(mine) is type(theirs)
        if isinstance(mine, jax.Array | np.ndarray | np.generic):
            assert mine.dtype == theirs.dtype
            if jax.dtypes.issubdtype(mine.dtype, jax.dtypes.prng_key):
                mine, theirs = jax.random.key_data(mine), jax.random.key_data(theirs)
            np.testing.assert_array_equal(np.asarray(mine), np.asarray(theirs))
        else:
            assert mine == theirs


@pytest.fixture(scope="module", params=solutions.CASES, ids=lambda name: name.replace(" ", "-"))
def case(request):
    return solutions.solution(request.param)


@pytest.mark.parametrize("suffix", [".npz", ".nc"])
def test_a_solution_comes_back_equal(case, suffix, tmp_path):
    path = tmp_path / f"run{suffix}"
    jn.io.save(path, case)
    assert os.listdir(tmp_path) == [path.name]
    back = jn.io.load(path, types=solutions.TYPES)
    assert_equal(case, back)
    assert type(back) is jn.Solution
    assert back.solver == case.solver


def test_a_run_goes_on_from_what_was_read(tmp_path):
    sol = solutions.solution("structured")
    jn.io.save(tmp_path / "run.npz", sol)
    back = jn.io.load(tmp_path / "run.npz")
    times = {"t1": 0.2, "dt": 0.02, "saveat": jn.SaveAt(num=6)}
    more = [jn.solve(s.model, s.solver, y0=s.density(-1), **times).density(-1) for s in (sol, back)]
    np.testing.assert_array_equal(*more)
    assert jn.Result[back.result] == "completed"


def test_other_arrays_and_static_values_come_back(tmp_path):
    sol = solutions.solution("nothing")
    file = np.memmap(tmp_path / "saved", np.float32, "w+", shape=(6, 2))
    file[:] = np.arange(12).reshape(6, 2)
    odd = {
        "mapped": {1: file},
        "complex": np.ones(2) * 1j,
        "empty": np.zeros((0, 3)),
        "number": np.float32(0.1),
        "key": jax.random.split(jax.random.key(1, impl="rbg"), 3),
        "static": (True, None, 1.5, float("inf"), "Prüfung", np.dtype("int8"), [3]),
    }
    sol = dataclasses.replace(sol, saved=odd)
    jn.io.save(tmp_path / "run.npz", sol)
    back = jn.io.load(tmp_path / "run.npz")
    odd["mapped"][1] = np.asarray(file)
    assert_equal(back.saved, odd)
    with pytest.raises(ValueError, match="NetCDF knows no complex numbers"):
        jn.io.save(tmp_path / "run.nc", sol)


def test_what_this_precision_cannot_hold_stays_with_numpy():
    with jax.enable_x64(True):
        description, arrays = flatten({"wide": jnp.linspace(0, 1, 3, dtype=jnp.float64)})
    with jax.enable_x64(False):
        back = unflatten(description, arrays, {})
    assert type(back["wide"]) is np.ndarray
    assert back["wide"].dtype == np.float64


def test_results_are_known_by_name():
    description, arrays = flatten(jn.Result.non_finite)
    description["items"] = ["completed", "later", *description["items"][1:]]
    with pytest.raises(AttributeError):
        unflatten(description, arrays, own())
    description["items"] = ["non_finite", "completed"]
    arrays = {name: np.asarray(0, np.int32) for name in arrays}
    assert unflatten(description, arrays, own()) == jn.Result.non_finite


# ---- bad input ----------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=[".npz", ".nc"])
def written(request, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("written") / f"run{request.param}"
    jn.io.save(path, solutions.solution("unstructured"))
    return path


def test_truncated_files_are_refused(written, tmp_path):
    content = written.read_bytes()
    path = tmp_path / written.name
    for part in (0, 0.02, 0.5, 0.95):
        path.write_bytes(content[: int(part * len(content))])
        with pytest.raises(ValueError, match=r"run\.(npz|nc): must be a .*jaxnlif"):
            jn.io.load(path)


def test_bit_flips_are_refused(written, tmp_path):
    original = written.read_bytes()
    whole = jn.io.load(written)
    path = tmp_path / written.name
    for place in np.linspace(0, len(original) - 1, 60).astype(int):
        content = bytearray(original)
        content[place] ^= 0x10
        path.write_bytes(content)
        try:
            back = jn.io.load(path)
        except ValueError:
            continue
        # It hit what holds no numbers, as the time at which a part of an archive was written.
        assert written.suffix == ".npz"
        assert_equal(back, whole)


def test_foreign_files_are_refused(tmp_path):
    import xarray

    xarray.Dataset({"rate": ("time", np.zeros(3))}).to_netcdf(tmp_path / "a.nc", engine="h5netcdf")
    with pytest.raises(ValueError, match=r"a\.nc: must be a NetCDF file written by jaxnlif"):
        jn.io.load(tmp_path / "a.nc")
    files.write_arrays(tmp_path / "a.npz", {}, {"kind": "training"})
    with pytest.raises(ValueError, match=r"holds no solution, but another result \(training\)"):
        jn.io.load(tmp_path / "a.npz")
    for suffix in ("npz", "nc"):
        with pytest.raises(FileNotFoundError):
            jn.io.load(tmp_path / f"none.{suffix}")


def test_what_named_runs_leave_is_read(tmp_path):
    files.write_arrays(tmp_path / "run.npz", {"rate": np.arange(3.0)}, {"experiment": "learning"})
    found = jn.io.load(tmp_path / "run.npz")
    np.testing.assert_array_equal(found.arrays["rate"], np.arange(3.0))
    assert found.metadata == {"experiment": "learning"}
    (tmp_path / "config.toml").write_text('experiment = "fit"\nsteps = 3\n', encoding="utf-8")
    assert jn.io.load(tmp_path / "config.toml") == {"experiment": "fit", "steps": 3}
    (tmp_path / "fit.json").write_text('{"loss": 0.5}', encoding="utf-8")
    assert jn.io.load(str(tmp_path / "fit.json")) == {"loss": 0.5}


def test_of_other_files_it_says_what_reads_them(tmp_path):
    files.write_arrays(tmp_path / "part-0000.npz", {}, {"kind": "part of a sweep"})
    files.write_arrays(tmp_path / "sweep.npz", {}, {"kind": "sweep"})
    header = {"version": "1", "machine": "x", "content": {}}
    files.write_arrays(tmp_path / "state-1.npz", {}, header)
    (tmp_path / "bad.json").write_text("{", encoding="utf-8")
    (tmp_path / "list.json").write_text("[1]", encoding="utf-8")
    (tmp_path / "bad.toml").write_bytes(b"\xff")
    for name, rule in {
        "part-0000.npz": "belongs to a sweep; jn.sweep",
        "sweep.npz": "belongs to a sweep; jn.sweep",
        "state-1.npz": "belongs to a checkpoint",
        "saved.bin": "belongs to a checkpoint",
        "rates.csv": "jn.io.read_signal reads it",
        "fit.png": "is a figure",
        "bad.json": "must be a JSON file that jaxnlif wrote",
        "list.json": "must be a JSON file that jaxnlif wrote",
        "bad.toml": "must be a TOML file that jaxnlif wrote",
        "run.pkl": r"must end in \.npz, \.nc, \.json or \.toml",
        ".": "is a directory",
    }.items():
        with pytest.raises(ValueError, match=rule) as caught:
            jn.io.load(tmp_path / name)
        assert "\n" not in str(caught.value)


def test_newer_files_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(jn.io.files, "FORMAT", jn.io.files.FORMAT + 1)
    for name in ("run.npz", "run.nc"):
        jn.io.save(tmp_path / name, solutions.solution("unstructured"))
    monkeypatch.undo()
    for name in ("run.npz", "run.nc"):
        with pytest.raises(ValueError, match="solution format 2 is newer than 1"):
            jn.io.load(tmp_path / name)


def test_classes_and_functions_of_the_user_must_be_given(tmp_path):
    path = tmp_path / "run.npz"
    jn.io.save(path, solutions.solution("own drive"))
    with pytest.raises(ValueError, match=r"needs types=\[Wave, sin\]"):
        jn.io.load(path)
    with pytest.raises(ValueError, match="types: two are named Network"):
        jn.io.load(path, types=[type("Network", (), {})])
    with pytest.raises(ValueError, match="types: 3: must be a class or a function"):
        jn.io.load(path, types=[3])

    @dataclasses.dataclass
    class Wave:
        height: float
        speed: float

    with pytest.raises(ValueError, match="another version of Wave, by label, shape, speed"):
        jn.io.load(path, types=[Wave, jnp.sin])


def test_what_is_named_like_a_class_of_jaxnlif_is_refused(tmp_path):
    class Constant(jn.AbstractDrive):
        value: jax.Array

        def __call__(self, t, w):
            return -self.value

    def Loops():
        pass

    class Grid(NamedTuple):
        width: float

    sol = solutions.solution("unstructured")
    for saved, name in (
        (Constant(jnp.ones(2)), "Constant"),
        (Loops, "Loops"),
        (Constant, "Constant"),
        (Grid(1.0), "Grid"),
        (eqx.Enumeration.__class__("Result", (eqx.Enumeration,), {"a": "b"}).a, "Result"),
    ):
        sol = dataclasses.replace(sol, saved={"x": saved})
        rule = rf"saved\.x: {name} is also the name of a class of jaxnlif.*; give yours another"
        for suffix in ("npz", "nc"):
            with pytest.raises(ValueError, match=rule):
                jn.io.save(tmp_path / f"run.{suffix}", sol)
    assert os.listdir(tmp_path) == []
    model = jn.Network(weight=-0.5, drive=Constant(jnp.asarray(1.0)))
    driven = dataclasses.replace(solutions.solution("unstructured"), model=model)
    assert "Constant" in jn.io.to_xarray(driven).attrs["model"]
    jn.io.save(tmp_path / "run.npz", dataclasses.replace(sol, saved=jn.Constant(1.0)))


def test_what_cannot_be_written_is_refused_before_anything_is(tmp_path):
    sol = solutions.solution("unstructured")
    with pytest.raises(ValueError, match=r"saved\.x = .*: cannot be written to a file"):
        jn.io.save(tmp_path / "run.npz", dataclasses.replace(sol, saved={"x": object()}))
    with pytest.raises(ValueError, match=r"must end in \.npz or \.nc"):
        jn.io.save(tmp_path / "run.pkl", sol)
    with pytest.raises(ValueError, match="must be a Solution"):
        jn.io.save(tmp_path / "run.npz", sol.rate)
    assert os.listdir(tmp_path) == []


def test_a_failed_write_leaves_what_was_there(written, tmp_path, monkeypatch):
    path = tmp_path / written.name
    path.write_text("old")

    def full(descriptor):
        raise OSError("No space left on device")

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        jn.io.save(path, solutions.solution("unstructured"))
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == [path.name]
