"""When and what is saved."""

import jax.numpy as jnp
import numpy as np
import pytest

import jaxnlif as jn

GRID = jn.Grid(v=jn.VoltageGrid(-4.0, 2.0, reset=1.0, num=12))
NETWORK = jn.Network(weight=-0.5)


def run(saveat, **arguments):
    y0 = jn.gaussian(GRID, v=(-1.0, 0.5))
    arguments = {"t1": 1.0, "dt": 0.1} | arguments
    return jn.solve(NETWORK, jn.FluxShift(GRID), y0=y0, saveat=saveat, **arguments)


@pytest.mark.parametrize(
    ("saveat", "steps"),
    [
        (jn.SaveAt(num=2), [0, 10]),
        (jn.SaveAt(num=3), [0, 5, 10]),
        (jn.SaveAt(num=101), range(11)),  # no more than there are steps
        (jn.SaveAt(ts=[0.3]), [3]),
        (jn.SaveAt(ts=[0.0, 0.31, 0.34, 0.96]), [0, 3, 10]),  # each moved to the nearest step
    ],
)
def test_step_indices(saveat, steps):
    np.testing.assert_array_equal(saveat.steps(0.0, 1.0, 10), steps)


def test_times_that_were_saved(dtype):
    sol = run(jn.SaveAt(ts=[0.12, 0.5, 1.0]), t0=0.0)
    np.testing.assert_allclose(sol.ts, [0.1, 0.5, 1.0], rtol=4 * np.finfo(dtype).eps)
    assert sol.saved.shape == (3, 12, 1)
    assert sol.rates.shape == sol.weights.shape == (3, 1)


def test_default_is_the_density_at_101_times():
    sol = run(None, dt=0.01)
    assert sol.ts.shape == (101,)
    assert sol.density(-1).shape == GRID.shape


def test_late_start_and_no_end():
    whole = run(jn.SaveAt(num=11))
    part = run(jn.SaveAt(ts=[0.4, 0.6]))
    np.testing.assert_array_equal(part.saved, whole.saved[np.array([4, 6])])
    # The run goes on to t1 after the last save.
    assert float(part.t_end) == pytest.approx(1.0)
    np.testing.assert_array_equal(part.state.density, whole.density(-1))


def test_a_function_of_the_snapshot():
    whole = run(jn.SaveAt(num=11))
    sol = run(jn.SaveAt(num=11, fn=lambda s: {"peak": jnp.max(s.density), "rate": s.rate}))
    np.testing.assert_array_equal(sol.saved["peak"], np.max(whole.saved, axis=(1, 2)))
    np.testing.assert_array_equal(sol.saved["rate"], whole.rate)
    with pytest.raises(ValueError, match="density: not saved"):
        sol.density(-1)


def test_nothing_but_rates():
    sol = run(jn.SaveAt(num=3, fn=None))
    assert sol.saved is None
    assert sol.rate.shape == (3,)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: jn.SaveAt(), "ts, num: give exactly one"),
        (lambda: jn.SaveAt([0.0, 1.0], num=2), "ts, num: give exactly one"),
        (lambda: jn.SaveAt(num=1), "num = 1: must be at least 2"),
        (lambda: jn.SaveAt(ts=[1.0, 0.5]), "ts: must be strictly increasing"),
        (lambda: jn.SaveAt(ts=[0.5, 0.5]), "ts: must be strictly increasing"),
        (lambda: jn.SaveAt(ts=[]), "ts: must be a non-empty"),
        (lambda: jn.SaveAt(ts=[0.0, float("nan")]), r"ts = nan at \[1\]: must be finite"),
        (lambda: run(jn.SaveAt(ts=[0.0, 2.0])), r"saveat: ts = 2 lies outside t0 = 0 … t1 = 1"),
        (lambda: run(jn.SaveAt(ts=[-0.1, 1.0])), r"saveat: ts = -0.1 lies outside"),
    ],
)
def test_wrong_save_times_are_refused(make, message):
    with pytest.raises(ValueError, match=message) as caught:
        make()
    assert "\n" not in str(caught.value)
