"""Progress is shown from the host only, and reports every step once."""

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
    jax.grad(rate)(-0.5)
    assert counter.total is None
    assert not counter.updates


def test_the_bar_shows_its_label(capsys):
    run(jn.Network(weight=-0.5), jn.ProgressBar("learning"))
    out, err = capsys.readouterr()
    assert "learning" in err
    assert not out


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
