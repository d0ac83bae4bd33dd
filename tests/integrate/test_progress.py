"""Progress is shown from the host only, and reports every step once."""

import io
import time

import jax
import pytest

import jaxnlif as jn

from .._progress import Counter, Recording

GRID = jn.Grid(v=jn.VoltageGrid(-4.0, 2.0, reset=1.0, num=12))


def run(network, progress, **arguments):
    y0 = jn.gaussian(GRID, v=(-1.0, 0.5))
    arguments = {"t1": 1.0, "dt": 1e-3} | arguments
    solver = jn.FluxShift(GRID)
    return jn.solve(network, solver, y0=y0, progress=progress, **arguments)


def test_every_step_is_reported_once():
    counter = Counter()
    run(jn.Network(weight=-0.5), Recording(counter))
    assert counter.total == sum(counter.updates) == 1000
    assert counter.closed == 1


@pytest.mark.slow
def test_silent_under_transformations():
    counter = Counter()

    def rate(weight):
        return run(jn.Network(weight=weight), Recording(counter), dt=0.1).rate[-1]

    jax.jit(rate)(-0.5)
    jax.eval_shape(jax.grad(rate), -0.5)
    assert counter.total is None
    assert not counter.updates


def test_lines_go_into_files_and_pipes(capsys, monkeypatch):
    run(jn.Network(weight=-0.5), jn.ProgressBar("learning"))
    out, err = capsys.readouterr()
    assert err == "learning: compiling...\n"
    assert not out
    clock = iter([0.0, 600.0, 605.0, 611.0, 612.0, 660.0]).__next__
    monkeypatch.setattr("time.monotonic", clock)
    lines = jn.ProgressBar("learning").start(7000)
    for _ in range(5):
        lines.update(100)
    lines.close()
    # 11 s after the first update 200 of the 6900 steps that were left then are done.
    expected = ["learning: compiling...", "learning: 4%, 6:08 left", "learning: 7%, 16:15 left"]
    assert capsys.readouterr().err.splitlines() == expected


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_the_time_left_does_not_count_compilation(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    bar = jn.ProgressBar("learning", unit="run").start(1000)
    assert "learning: compiling..." in terminal.getvalue()
    assert "left" not in terminal.getvalue()
    time.sleep(0.3)
    bar.update(32)
    shown = bar._bar.format_dict
    assert (shown["n"], shown["initial"], shown["unit"]) == (32, 32, "run")
    assert shown["elapsed"] < 0.2
    bar.update(968)
    bar.close()
    assert "learning: " in terminal.getvalue().split("compiling...")[-1]


def test_without_a_stream_nothing_is_shown(monkeypatch):
    monkeypatch.setattr("sys.stderr", None)
    run(jn.Network(weight=-0.5), jn.ProgressBar("learning"))


def test_the_bar_closes_when_a_run_ends_early():
    counter = Counter()
    grid_start = jn.gaussian(GRID, v=(1.0, 0.1))
    sol = jn.solve(
        jn.Network(weight=30.0),
        jn.FluxShift(GRID),
        y0=grid_start,
        t1=5.0,
        dt=1e-3,
        progress=Recording(counter),
    )
    assert sol.result == jn.Result.blow_up
    assert sum(counter.updates) == int(sol.stats["steps"]) < 5000
    assert counter.closed == 1


def test_the_bar_closes_when_the_drive_raises():
    counter = Counter()

    def broken(t, w):
        if counter.total is not None:  # passes validation, fails in the run
            raise RuntimeError("no signal")
        return w

    with pytest.raises(RuntimeError, match="no signal"):
        run(jn.Network(weight=-0.5, drive=broken), Recording(counter))
    assert counter.closed == 1
