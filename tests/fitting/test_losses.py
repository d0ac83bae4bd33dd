"""Losses: residuals by hand, and data that cannot be right."""

from functools import partial

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxnlif as jn
from jaxnlif import _deviance

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
def many():
    """A batch of networks of many weights."""
    y0, save = jn.gaussian(GRID, v=(0.0, 0.5), w=(0.5, 0.1)), jn.SaveAt(num=3, fn=None)

    def run(drive):
        network = jn.Network(drive=drive)
        return jn.solve(network, jn.FluxShift(GRID), y0=y0, t1=1.0, dt=0.05, saveat=save)

    return jax.vmap(run)(jnp.asarray([0.5, 2.0, 3.0]))


@pytest.fixture(scope="module")
def structured(many):
    return next(many.members())


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


# ---- counts ----------------------------------------------------------------------------------

COUNTS = np.array([0.0, 0, 1, 1, 1, 2, 5, 5, 100, 100, 3, 1e6])
EXPECTED = np.array([1e-9, 2, 1, 1 + 1e-6, 1e-9, 2.1, 7.5, 7.51, 100.01, 1e-6, 400, 1.1e6])


def test_residuals_are_roots_of_the_deviance(dtype):
    expected = EXPECTED.astype(dtype)
    residuals = partial(_deviance.residuals, counts=COUNTS)
    derivative = jax.jit(lambda e: jax.jvp(residuals, (e,), (jnp.ones_like(e),)))
    found, slope = derivative(expected)
    # In extended precision, from the expectations as they were rounded.
    e, c = np.asarray(expected).astype(np.longdouble), COUNTS.astype(np.longdouble)
    some = np.where(c > 0, c, 1)
    u = (e - some) / some
    root = np.sign(e - c) * np.sqrt(2 * np.where(c > 0, c * (u - np.log1p(u)), e))
    with np.errstate(invalid="ignore"):
        derivative = np.where(e == c, 1 / np.sqrt(some), (1 - c / e) / root)
    tolerance = 1e-6 if dtype == np.float32 else 1e-9
    np.testing.assert_allclose(found, root.astype(float), rtol=tolerance, atol=1e-12)
    np.testing.assert_allclose(slope, derivative.astype(float), rtol=tolerance)


def test_the_best_expectation_is_the_mean_of_the_counts(dtype):
    @jax.jit
    @jax.grad
    def slope(e, counts):
        return 0.5 * jnp.sum(_deviance.residuals(jnp.full(400, e), counts) ** 2)

    for mean in (0.05, 0.5, 2.0, 20.0):
        counts = np.random.default_rng(0).poisson(mean, 400).astype(dtype)
        found = slope(counts.mean(dtype=float).astype(dtype), counts)
        assert abs(float(found)) < 400 * 100 * np.finfo(dtype).eps, mean


def test_silence_leaves_residuals_and_slopes_finite(dtype):
    @jax.jit
    @jax.value_and_grad
    def loss(scale):
        cumulative = scale * jnp.asarray([0, 0, 1e-30, 1, 1], dtype)
        expected = _deviance.differences(cumulative, jnp.asarray(20.0, dtype))
        return 0.5 * jnp.sum(_deviance.residuals(expected, np.array([0.0, 2, 20, 3])) ** 2)

    for scale in (0.0, 1e-30, 1.0):
        value, slope = loss(dtype.type(scale))
        assert np.isfinite(value)
        assert np.isfinite(slope)


def test_what_rounding_hides_has_no_derivative(dtype):
    # Nothing fires in the first and the third bin, of which the third begins after a spike.
    def expected(scale):
        cumulative = scale * jnp.asarray([0, 0, 1, 1, 2], dtype)
        return _deviance.differences(cumulative, jnp.asarray(20.0, dtype))

    found, slope = jax.jit(lambda x: jax.jvp(expected, (x,), (x,)))(dtype.type(1))
    assert np.all(np.asarray(found) > 0)
    np.testing.assert_array_equal(slope, [0, 20, 0, 20])


def test_counts_are_those_of_all_neurons_and_trials(sol):
    edges = np.array([0.0, 0.4, 1.0])
    spikes = np.array([sol.spikes[2], sol.spikes[5] - sol.spikes[2]])
    loss = jn.losses.SpikeCounts(edges, [3, 40], 20, trials=5)
    np.testing.assert_allclose(loss.expected(sol), 100 * spikes, rtol=1e-5)
    exact = jn.losses.SpikeCounts(edges, 100 * spikes, 100)
    np.testing.assert_allclose(exact(sol), 0, atol=1e-3)
    np.testing.assert_allclose(loss.in_deviations(sol), 20 * np.sqrt(spikes), rtol=1e-5)
    # In a tenth of the learning time neurons fire ten times as often.
    fast = eqx.tree_at(lambda sol: sol.model.epsilon, sol, jnp.asarray(0.1))
    np.testing.assert_allclose(loss.expected(fast), 1000 * spikes, rtol=1e-5)
    still = eqx.tree_at(lambda sol: sol.model.epsilon, sol, jnp.asarray(0.0))
    with pytest.raises(ValueError, match="epsilon = 0: must be positive where spikes"):
        loss(still)


def test_spike_times_are_counted_from_begin_to_end():
    ts = [5.2, 5.0, 5.3, 5.9, 6.4, 7.0]
    loss = jn.losses.SpikeCounts.from_times(ts, 3, width=0.3, begin=5.0, end=6.5)
    np.testing.assert_allclose(loss.edges, [0, 0.3, 0.6, 0.9, 1.2, 1.5])
    np.testing.assert_allclose(loss.counts, [2, 1, 0, 1, 1])
    late = jn.losses.SpikeCounts.from_times(ts, 3, width=0.5, begin=5.1, end=8.0, trials=2)
    np.testing.assert_allclose(late.edges, [0, 0.5, 1, 1.5, 2, 2.5, 2.9])
    np.testing.assert_allclose(late.counts, [2, 1, 1, 1, 0, 0])
    assert late.number == 6
    # What comes after the last whole bin is not known.
    np.testing.assert_allclose(
        jn.losses.SpikeCounts.from_times(ts, 3, width=0.8, begin=5.0).counts, [3, 2]
    )


class Common(eqx.Module):
    """Counts of a common expectation."""

    counts: np.ndarray

    def __call__(self, expected):
        return _deviance.residuals(expected, self.counts)

    def in_deviations(self, expected):
        return 2 * jnp.sqrt(expected)


def test_standard_errors_of_few_counts_are_those_of_the_fisher_information():
    counts = np.random.default_rng(1).poisson(0.2, 200).astype(float)
    fitted = jn.fit(
        jn.Constant(1.0),
        lambda drive: drive.value * jnp.ones(200),
        Common(counts),
        where=lambda drive: drive.value,
        bounds=jn.Positive(),
        absolute=True,
    )
    assert float(fitted.values) == pytest.approx(counts.mean(), rel=1e-3)
    assert fitted.uncertainty.std[0] == pytest.approx(np.sqrt(counts.mean() / 200), rel=1e-3)


def test_intervals_are_compared_with_first_passage_times():
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
    fewer = np.round(expected) - 100
    found = jn.losses.Intervals(edges, fewer, total=1000)(sol)
    by_hand = np.sqrt(2 * (expected - fewer + fewer * np.log(fewer / expected)))
    np.testing.assert_allclose(found, by_hand, rtol=1e-3)


def test_losses_are_pytrees_of_data(sol):
    loss = jn.losses.Rate([0.2, 0.4], [1.0, 2.0])
    doubled = eqx.tree_at(lambda loss: loss.rate, loss, np.array([2.0, 4.0]))
    np.testing.assert_allclose(doubled(sol) - loss(sol), [-1.0, -2.0], rtol=1e-5)


def times(**options):
    return jn.losses.SpikeCounts.from_times([0.5, 1.0], 1, **options)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: jn.losses.Rate([], []), "ts: must be a non-empty row"),
        (lambda: jn.losses.Rate([0.0, 0.0], [1.0, 1.0]), "ts: must be strictly increasing"),
        (lambda: jn.losses.Rate([0.0, 1.0], [1.0]), r"rate: shape \(1,\) must be \(2,\)"),
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
        (lambda: jn.losses.SpikeCounts([0.0], [], 1), "edges: must be at least two times"),
        (lambda: jn.losses.SpikeCounts([0.0, 1.0], [-1], 1), "counts = -1: must not be negative"),
        (lambda: jn.losses.SpikeCounts([0.0, 1.0], [1], 0), "neurons = 0: must be at least 1"),
        (
            lambda: jn.losses.SpikeCounts([0.0, 1.0], [1], 1, trials=0),
            "trials = 0: must be at least",
        ),
        (lambda: times(width=0.0), "width = 0: must be positive"),
        (lambda: times(width=5.0), "width = 5: must be over when the last spike comes"),
        (lambda: times(width=1e-9), "width = 1e-09: ts: the last spike, must come after at most"),
        (lambda: times(width=0.1, begin=3.0), "the last spike must come after begin = 3"),
        (lambda: times(width=0.1, begin=3.0, end=2.0), "end = 2 must come after begin = 3"),
        (lambda: times(width=0.1, end=np.inf), "end = inf: must be finite"),
    ],
)
def test_wrong_data(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_data_that_do_not_match_the_run(sol, structured):
    with pytest.raises(ValueError, match=r"ts = 0 … 2: must lie within the saved times"):
        jn.losses.Rate([0.0, 2.0], [1.0, 1.0])(sol)
    with pytest.raises(ValueError, match=r"rate: shape \(2, 2\): the run has no populations; must"):
        jn.losses.Rate([0.0, 1.0], np.ones((2, 2)))(sol)
    with pytest.raises(ValueError, match="rates: has 3 weights, the grid of the run has 4"):
        jn.losses.Rates([0.5], jnp.ones((1, 3)))(structured)
    with pytest.raises(ValueError, match="weights: has 3 weights"):
        jn.losses.Weights([1.0, 1.0, 1.0])(structured)
    with pytest.raises(ValueError, match="t = 3 … 3: must lie within"):
        jn.losses.Weights(np.ones(4), t=3.0)(structured)


def test_bins_finer_than_what_was_saved_are_refused(sol):
    fine = np.linspace(0, 1, 11)
    for loss in (
        jn.losses.SpikeCounts(fine, np.ones(10), 5),
        jn.losses.MeanRate(fine, np.ones(10)),
    ):
        with pytest.raises(ValueError, match=r"edges = 0, 0.1: must be no finer than the saved"):
            loss(sol)
    shifted = np.linspace(0.05, 0.95, 5)  # one saved time in each bin
    assert np.all(np.isfinite(jn.losses.MeanRate(shifted, np.ones(4))(sol)))


# ---- many runs at once -----------------------------------------------------------------------


def test_every_member_of_a_batch_is_compared_with_the_data(many):
    losses = (
        jn.losses.Rate([0.2, 0.7], [0.1, 0.2]),
        jn.losses.MeanRate([0.0, 0.5, 1.0], [0.1, 0.2]),
        jn.losses.Rates([0.3], [[0.1, 0.2, 0.3, 0.4]]),
        jn.losses.Weights([1.0, 2.0, 0.5, 0.5], t=0.6),
        jn.losses.SpikeCounts([0.0, 0.5, 1.0], [1, 3], neurons=10),
        jn.losses.Intervals([0.0, 0.5, 1.0], [1, 3], total=10),
    )
    residuals = jax.jit(lambda sol: [loss(sol) for loss in losses])
    members = [residuals(member) for member in many.members()]
    for found, *each in zip(residuals(many), *members, strict=True):
        np.testing.assert_allclose(found, np.stack(each), rtol=1e-5, atol=1e-6)
    late = jn.losses.Rate([0.2, 1.7], [0.1, 0.2])
    with pytest.raises(ValueError, match="must lie within the saved times of the run, 0 … 1"):
        late(next(many.members()))
    with pytest.raises(Exception, match="must lie within the saved times of the run"):
        jax.block_until_ready(jax.jit(lambda sol: late(sol))(many))
    # What a fit makes of a batch: here of one whose rates are to be scaled back to themselves.
    scaled = eqx.tree_at(lambda sol: sol.rate, many, many.rate[:1] * jnp.ones((3, 1)))
    fitted = jn.fit(
        jnp.asarray(0.5, float),
        lambda scale: eqx.tree_at(lambda sol: sol.rate, scaled, scale * scaled.rate),
        jn.losses.Rate([0.5, 1.0], np.asarray(many.rate[0][1:]), std=0.01),
        where=lambda scale: scale,
    )
    assert float(fitted.model) == pytest.approx(1, rel=1e-3)
