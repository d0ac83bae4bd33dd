"""Losses: residuals by hand, and data that cannot be right."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest

import jaxnlif as jn

LINE = jn.Grid(v=jn.VoltageGrid(-4.0, 2.0, reset=1.0, num=24))
GRID = jn.Grid(v=LINE.v, w=jn.WeightGrid(0.0, 1.0, num=4))


@pytest.fixture(scope="module")
def sol():
    y0 = jn.gaussian(LINE, v=(0.0, 0.5))
    saveat = jn.SaveAt(num=6, fn=None)
    return jn.solve(
        jn.Network(weight=0.0), jn.FluxShift(LINE), y0=y0, t1=1.0, dt=0.05, saveat=saveat
    )


@pytest.fixture(scope="module")
def structured():
    y0 = jn.gaussian(GRID, v=(0.0, 0.5), w=(0.5, 0.1))
    saveat = jn.SaveAt(num=3, fn=None)
    return jn.solve(jn.Network(), jn.FluxShift(GRID), y0=y0, t1=1.0, dt=0.05, saveat=saveat)


def test_rates_at_saved_times_and_halfway(sol):
    ts = np.array([0.2, 0.3, 0.4])
    exact = np.array([sol.rate[1], 0.5 * (sol.rate[1] + sol.rate[2]), sol.rate[2]])
    residuals = jn.losses.Rate(ts, exact + 0.1, std=0.5)(sol)
    np.testing.assert_allclose(residuals, -0.2, rtol=1e-5)


def test_mean_rates_are_spikes_over_time(sol):
    edges = np.array([0.0, 0.4, 1.0])
    spikes = np.array([sol.spikes[2], sol.spikes[5] - sol.spikes[2]])
    residuals = jn.losses.MeanRate(edges, spikes / np.diff(edges), std=[1.0, 2.0])(sol)
    np.testing.assert_allclose(residuals, 0, atol=1e-6)


def test_responses_and_weights(structured):
    rates = 0.5 * (structured.rates[1] + structured.rates[2])
    loss = jn.losses.Rates([0.75], np.asarray(rates)[None], std=0.1)
    np.testing.assert_allclose(loss(structured), 0, atol=1e-5)
    weights = np.asarray(structured.weights)
    np.testing.assert_allclose(jn.losses.Weights(weights[-1])(structured), 0, atol=1e-6)
    halfway = jn.losses.Weights(weights[1] + 0.3, t=0.5, std=0.3)
    np.testing.assert_allclose(halfway(structured), -1, rtol=1e-4)


def test_intervals_compare_the_square_roots_of_counts():
    y0 = jn.at_reset(LINE)
    model = jn.Network(weight=0.0, drive=2.0, refractory=jn.Never())
    saveat = jn.SaveAt(num=11, fn=None)
    sol = jn.solve(model, jn.FluxShift(LINE), y0=y0, t1=5.0, dt=0.02, saveat=saveat)
    assert float(sol.stats["mass_drift"]) < 1e-5
    assert np.all(np.diff(sol.spikes) > 0)
    assert 0.9 < float(sol.spikes[-1]) < 1
    edges = np.array([0.0, 1.0, 5.0])
    expected = 1000 * np.diff([0.0, sol.spikes[2], sol.spikes[-1]])
    loss = jn.losses.Intervals(edges, np.round(expected), total=1000)
    np.testing.assert_allclose(loss(sol), 0, atol=0.05)
    more = jn.losses.Intervals(edges, np.round(expected) - 100, total=1000)(sol)
    by_hand = 2 * np.sqrt(expected + 3 / 8) - 2 * np.sqrt(np.round(expected) - 100 + 3 / 8)
    np.testing.assert_allclose(more, by_hand, rtol=1e-3)


def test_losses_are_pytrees_of_data(sol):
    loss = jn.losses.Rate([0.2, 0.4], [1.0, 2.0])
    doubled = eqx.tree_at(lambda loss: loss.rate, loss, np.array([2.0, 4.0]))
    np.testing.assert_allclose(doubled(sol) - loss(sol), [-1.0, -2.0], rtol=1e-5)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: jn.losses.Rate([], []), "ts: must be a non-empty row"),
        (lambda: jn.losses.Rate([0.0, 0.0], [1.0, 1.0]), "ts: must be strictly increasing"),
        (lambda: jn.losses.Rate([0.0, 1.0], [1.0]), r"rate: shape \(1,\) must be \(2\)"),
        (lambda: jn.losses.Rate([0.0, 1.0], [1.0, np.nan]), "rate = nan at .1.: must be finite"),
        (lambda: jn.losses.Rate([0.0, 1.0], [1.0, -2.0]), "rate = -2: must not be negative"),
        (lambda: jn.losses.Rate([0.0], [1.0], std=0.0), "std = 0: must be positive"),
        (lambda: jn.losses.Rate([0.0], [1.0], std=[1.0, 2.0]), r"std: shape \(2,\)"),
        (lambda: jn.losses.Rate(["a"], [1.0]), "ts = .*must be a number"),
        (lambda: jn.losses.MeanRate([0.0], []), "edges: must be at least two times"),
        (lambda: jn.losses.Weights([]), "weights: must not be empty"),
        (lambda: jn.losses.Weights([[1.0]]), "weights: shape"),
        (lambda: jn.losses.Rates([0.0], [1.0]), "rates: shape"),
        (lambda: jn.losses.Intervals([0.0, 1.0], [5], total=4), "total = 4: there are 5 counts"),
    ],
)
def test_wrong_data(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_data_that_do_not_match_the_run(sol, structured):
    with pytest.raises(ValueError, match=r"ts = 0 … 2: must lie within the saved times"):
        jn.losses.Rate([0.0, 2.0], [1.0, 1.0])(sol)
    with pytest.raises(ValueError, match="rates: has 3 weights, the grid of the run has 4"):
        jn.losses.Rates([0.5], jnp.ones((1, 3)))(structured)
    with pytest.raises(ValueError, match="weights: has 3 weights"):
        jn.losses.Weights([1.0, 1.0, 1.0])(structured)
    with pytest.raises(ValueError, match="t = 3 … 3: must lie within"):
        jn.losses.Weights(np.ones(4), t=3.0)(structured)
