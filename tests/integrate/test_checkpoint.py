"""Runs go on from their checkpoints bit for bit, and nothing else is taken for one."""

import itertools
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxnlif as jn
from jaxnlif.integrate import host
from jaxnlif.integrate.progress import AbstractProgress

GRID = jn.Grid(v=jn.VoltageGrid(-4.0, 2.0, reset=1.0, num=24), w=jn.WeightGrid(0.0, 1.0, num=6))
LINE = jn.Grid(v=jn.VoltageGrid(-4.0, 2.0, reset=1.0, num=90))
STEPS = 300


class Stopped(Exception):
    """What ends a run as if its process had died: nothing is written any more."""


class Bar:
    """Raises an error once so many steps were made."""

    def __init__(self, steps, error):
        self.left, self.error = steps, error

    def update(self, steps):
        self.left -= steps
        if self.left <= 0:
            raise self.error

    def close(self):
        pass


class Until(AbstractProgress):
    bar: Bar = eqx.field(static=True)

    def start(self, total):
        return self.bar


@pytest.fixture(autouse=True)
def _short_chunks(monkeypatch):
    """Of 32 steps, and each of one more than that before: by a clock that ticks when looked at."""
    clock = SimpleNamespace(perf_counter=itertools.count(0.0).__next__)
    monkeypatch.setattr(host, "time", clock)
    monkeypatch.setattr(host, "_SECONDS_PER_CHUNK", 1)


def learning(directory=None, *, num=24, noise=1.0, gain=0.3, dtype=None, every=0, keep=2, **given):
    grid = jn.Grid(
        v=jn.VoltageGrid(-4.0, 2.0, reset=1.0, num=num, dtype=dtype), w=jn.WeightGrid(0, 1, num=6)
    )
    model = jn.Network(
        noise=noise,
        drive=jn.Bump(1.0, 3.0, 0.3, 0.1),
        response=jn.Saturating(),
        learning=jn.Hebbian(gain),
        epsilon=1e-2,
    )
    y0 = jn.gaussian(grid, v=(-1.0, 0.5), w=(0.3, 0.02))
    return solved(model, jn.FluxShift(grid), y0, directory, every, keep, **given)


def unstructured(directory=None, *, weight=-0.5, drive=0.0, **given):
    model, y0 = jn.Network(weight=weight, drive=drive), jn.gaussian(LINE, v=(-1.0, 0.5))
    return solved(model, jn.FluxShift(LINE), y0, directory, **given)


def multi_scale(directory=None, **given):
    solver = jn.MultiScale(jn.FluxShift(LINE), jn.Particles(300, raster=5))
    y0, key = jn.gaussian(LINE, v=(0.5, 0.5)), jax.random.key(1)
    return solved(jn.Network(weight=3.0), solver, y0, directory, key=key, **given)


def adaptive(directory=None, **given):
    solver = jn.FluxShift(LINE, scheme=jn.BDF2(), step_size=jn.Adaptive(1e-3, 1e-5))
    model, y0 = (
        jn.Network(weight=0.5, drive=jn.Sinusoid(0.5, 1.0, 0.5)),
        jn.gaussian(LINE, v=(0.0, 0.3)),
    )
    return solved(model, solver, y0, directory, saveat=jn.SaveAt(num=38), **given)


def particles(directory=None, *, seed=2, **given):
    solver, key = jn.Particles(300, GRID, raster=5), jax.random.key(seed)
    y0 = jn.gaussian(GRID, v=(-1.0, 0.5), w=(0.3, 0.02))
    return solved(jn.Network(drive=2.0), solver, y0, directory, key=key, **given)


def solved(model, solver, y0, directory, every=0.0, keep=2, *, steps=STEPS, **given):
    given = {"saveat": jn.SaveAt(num=31)} | given
    if directory is not None:
        given["checkpoint"] = jn.Checkpoint(directory, every, keep)
    return jn.solve(model, solver, y0=y0, t1=steps * 1e-2, dt=1e-2, **given)


def stop(run, directory, *, after, error=Stopped, **given):
    """Ends a run once it has made so many steps, or a chunk more; returns the error."""
    with pytest.raises(error) as caught:
        run(directory, progress=Until(Bar(after, error)), **given)
    return caught.value


def assert_identical(one, other):
    for a, b in zip(numbers(one), numbers(other), strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)


def numbers(solution):
    """Everything in a solution, with random keys as numbers."""
    leaves = jax.tree.leaves(eqx.filter(solution, eqx.is_array_like))
    is_key = [jax.dtypes.issubdtype(jnp.result_type(x), jax.dtypes.prng_key) for x in leaves]
    return [
        np.asarray(jax.random.key_data(x) if key else x)
        for x, key in zip(leaves, is_key, strict=True)
    ]


def states(directory):
    return sorted(Path(directory).glob("state-*.npz"))


def step(path):
    return int(path.name.split("-")[1])


def content(directory):
    return {path.name: path.read_bytes() for path in sorted(Path(directory).iterdir())}


def flip(path, place):
    """Changes one bit of a file."""
    data = bytearray(path.read_bytes())
    data[place] ^= 4
    path.write_bytes(data)


@pytest.fixture(scope="module")
def whole():
    return learning()


# ---- going on ------------------------------------------------------------------------------------


@pytest.mark.parametrize("run", [learning, multi_scale, particles, adaptive])
def test_a_stopped_run_goes_on_bit_for_bit(run, tmp_path):
    expected = run()
    if run is multi_scale:
        assert len(expected.switches.time) >= 2
    for after in (40, 120, 250):
        stop(run, tmp_path, after=after)
        # Nothing is lost but what came after the last checkpoint.
        assert step(states(tmp_path)[-1]) >= after
    assert_identical(run(tmp_path), expected)
    assert isinstance(run(tmp_path).saved, np.memmap)


def test_a_run_that_was_over_returns_at_once(whole, tmp_path, monkeypatch):
    assert_identical(learning(tmp_path), whole)
    before = content(tmp_path)
    monkeypatch.setattr(host, "_advance", None)
    solution = learning(tmp_path)
    assert_identical(solution, whole)
    assert content(tmp_path) == before
    assert isinstance(solution.density(-1), jax.Array)


def test_a_run_that_ended_early_is_over_too(tmp_path):
    expected = unstructured(weight=10.0)
    assert expected.result == jn.Result.blow_up
    for _ in range(2):
        assert_identical(unstructured(tmp_path, weight=10.0), expected)


def test_a_checkpoint_is_written_every_so_often_and_at_the_end(tmp_path):
    stop(learning, tmp_path, after=200, every=1e6)
    assert not states(tmp_path)
    learning(tmp_path, every=1e6)
    assert [step(path) for path in states(tmp_path)] == [STEPS]


def test_ctrl_c_writes_a_checkpoint(whole, tmp_path):
    interrupted = stop(learning, tmp_path, after=100, error=KeyboardInterrupt, every=1e6)
    assert isinstance(interrupted, jn.Interrupted)
    part = interrupted.solution
    assert 10 <= len(part.ts) < 31
    np.testing.assert_array_equal(part.saved, whole.saved[: len(part.ts)])
    (path,) = states(tmp_path)
    assert step(path) == part.stats["steps"]
    assert_identical(learning(tmp_path), whole)


@pytest.mark.parametrize("keep", [1, 3])
def test_so_many_checkpoints_are_kept(keep, tmp_path):
    stop(learning, tmp_path, after=250, keep=keep)
    assert len(states(tmp_path)) == keep
    assert sorted(content(tmp_path)) == ["lock", "saved.bin", *(p.name for p in states(tmp_path))]


def test_what_a_killed_process_left_behind_is_removed(whole, tmp_path):
    stop(learning, tmp_path, after=100)
    (tmp_path / ".state-0000000099-half.npz").write_bytes(b"half")
    with open(tmp_path / "saved.bin", "ab") as file:
        file.write(b"half a record")
    assert_identical(learning(tmp_path), whole)
    assert not list(tmp_path.glob(".*"))


def test_nothing_but_statistics_may_be_saved(tmp_path):
    saveat = jn.SaveAt(num=31, fn=None)
    expected = unstructured(saveat=saveat)
    stop(unstructured, tmp_path, after=100, saveat=saveat)
    assert_identical(unstructured(tmp_path, saveat=saveat), expected)


def test_nothing_need_be_saved_before_a_checkpoint(tmp_path):
    saveat = jn.SaveAt(ts=[2.5], fn=lambda seen: {"twice": 2 * seen.rate})
    stop(unstructured, tmp_path, after=100, saveat=saveat)
    assert_identical(unstructured(tmp_path, saveat=saveat), unstructured(saveat=saveat))


# ---- damage --------------------------------------------------------------------------------------


@pytest.mark.parametrize("damage", ["truncated", "flipped", "empty"])
def test_a_damaged_checkpoint_gives_way_to_the_one_before(damage, whole, tmp_path):
    stop(learning, tmp_path, after=200)
    older, newest = states(tmp_path)
    if damage == "flipped":
        flip(newest, newest.stat().st_size // 2)
    else:
        newest.write_bytes(newest.read_bytes()[: 500 if damage == "truncated" else 0])
    with pytest.warns(UserWarning, match=f"{newest.name} is damaged"):
        stop(learning, tmp_path, after=1)
    assert older in states(tmp_path)
    assert newest not in states(tmp_path)
    assert_identical(learning(tmp_path), whole)


def test_without_an_intact_checkpoint_the_run_begins(whole, tmp_path):
    stop(learning, tmp_path, after=200)
    for path in states(tmp_path):
        flip(path, 100)
    with pytest.warns(UserWarning, match="is damaged") as caught:
        assert_identical(learning(tmp_path), whole)
    assert len(caught) == 2


def test_damage_to_what_was_saved_costs_what_came_after_it(whole, tmp_path):
    stop(learning, tmp_path, after=200)
    flip(tmp_path / "saved.bin", (tmp_path / "saved.bin").stat().st_size - 1)
    newest = states(tmp_path)[-1].name
    with pytest.warns(UserWarning, match=rf"saved\.bin is damaged within what {newest} needs"):
        assert_identical(learning(tmp_path), whole)
    assert_identical(learning(tmp_path), whole)


def test_damage_to_the_first_of_what_was_saved_costs_the_run(whole, tmp_path):
    stop(learning, tmp_path, after=200)
    (tmp_path / "saved.bin").write_bytes(b"")
    with pytest.warns(UserWarning, match=r"saved\.bin is damaged"):
        assert_identical(learning(tmp_path), whole)


def test_a_renamed_checkpoint_gives_way_to_the_one_before(whole, tmp_path):
    stop(learning, tmp_path, after=200)
    older, newest = states(tmp_path)
    newest.rename(tmp_path / newest.name.replace("state-0000", "state-1000"))
    with pytest.warns(UserWarning, match=rf"is out of place: it is number {step(newest)};"):
        stop(learning, tmp_path, after=1)
    assert older in states(tmp_path)
    assert not list(tmp_path.glob("state-1000*"))
    assert_identical(learning(tmp_path), whole)


# ---- wrong arguments ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"every": -1}, "every = -1: must not be negative"),
        ({"keep": 0}, "keep = 0: must be at least 1"),
    ],
)
def test_wrong_arguments(arguments, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        jn.Checkpoint(tmp_path, **arguments)


def test_a_checkpoint_is_for_runs_from_the_host(tmp_path):
    with pytest.raises(ValueError, match="checkpoint: none is written under jit, grad and vmap"):
        jax.grad(lambda noise: learning(tmp_path, noise=noise).rate[-1])(1.0)
    assert not list(tmp_path.iterdir())


# ---- kill -9 ------------------------------------------------------------------------------------


KILLED = """
import os, signal, sys
from tests.integrate.test_checkpoint import learning

def kill(partial, path):
    if int(os.path.basename(path).split("-")[1]) > 150:
        os.kill(os.getpid(), signal.SIGKILL)
    replace(partial, path)

replace, os.replace = os.replace, kill
learning(sys.argv[1])
"""


@pytest.mark.slow
def test_a_killed_run_goes_on_bit_for_bit(whole, tmp_path):
    """Taken up by a process that is killed while it writes a checkpoint of its own."""
    stop(learning, tmp_path, after=80)
    before = states(tmp_path)[-1]
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        "JAX_ENABLE_X64": "1",
    }
    done = subprocess.run([sys.executable, "-c", KILLED, tmp_path], env=environment)
    assert done.returncode == -signal.SIGKILL
    assert step(before) < step(states(tmp_path)[-1])
    assert len(list(tmp_path.glob(".state-*.npz"))) == 1
    assert_identical(learning(tmp_path), whole)
    assert not list(tmp_path.glob(".*"))
