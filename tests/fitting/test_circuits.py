"""Losses of populations, by hand, and fits of circuits in time and in their stationary state."""

import jax.numpy as jnp
import numpy as np
import pytest

import jaxnlif as jn

NAMES = ("E", "I")
GRID = jn.Grid(jn.VoltageGrid(-4.0, 2.0, reset=1.0, num=30), populations=2)
WEIGHT = np.array([[0.4, -0.8], [0.6, -0.5]])
SOLVER, BEGIN = jn.FluxShift(GRID), jn.gaussian(GRID, v=(0.0, 0.5))


def network(weight=WEIGHT, **options):
    drive = options.pop("drive", (1.5, 1.0))
    return jn.Network(weight=weight, drive=drive, noise=0.6, delay=0.1, names=NAMES, **options)


def run(model, num=11):
    save = jn.SaveAt(num=num, fn=None)
    return jn.solve(model, SOLVER, y0=BEGIN, t1=1.0, dt=0.05, saveat=save, throw=False)


@pytest.fixture(scope="module")
def sol():
    return run(network())


def test_rates_of_populations_by_hand(sol):
    ts = np.array([0.2, 0.35])
    exact = np.stack([sol.rate[2], 0.5 * (sol.rate[3] + sol.rate[4])])
    found = jn.losses.Rate(ts, exact + np.array([0.1, 0.3]), std=[0.5, 0.1])(sol)
    np.testing.assert_allclose(found, [[-0.2, -3.0], [-0.2, -3.0]], rtol=1e-4)
    one = jn.losses.Rate([0.2], exact[0] + [0.1, 0.3])(sol)
    np.testing.assert_allclose(one, [[-0.1, -0.3]], rtol=1e-4)


def test_mean_rates_and_counts_of_populations_by_hand(sol):
    edges, spikes = np.array([0.0, 0.4, 1.0]), np.asarray(sol.spikes)[[0, 4, 10]]
    fired = np.diff(spikes, axis=0)
    mean = jn.losses.MeanRate(edges, fired / np.diff(edges)[:, None] + 0.1, std=[[1, 2], [4, 5]])
    np.testing.assert_allclose(mean(sol), [[-0.1, -0.05], [-0.025, -0.02]], rtol=1e-4)
    whole = jn.losses.MeanRate([0.0, 1.0], spikes[-1])(sol)
    np.testing.assert_allclose(whole, np.zeros((1, 2)), atol=1e-6)
    counts = jn.losses.SpikeCounts(edges, [[3, 1], [9, 2]], neurons=[40, 10], trials=2)
    np.testing.assert_allclose(counts.expected(sol), fired * [80, 20], rtol=1e-5)
    assert counts(sol).shape == counts.in_deviations(sol).shape == (2, 2)
    alike = jn.losses.SpikeCounts(edges, [[3, 1], [9, 2]], neurons=40)
    np.testing.assert_allclose(alike.expected(sol), fired * 40, rtol=1e-5)


def test_each_population_is_compared_as_if_it_were_alone(sol):
    edges, counts = np.array([0.0, 0.4, 1.0]), np.array([[3, 1], [9, 2]])
    both = jn.losses.SpikeCounts(edges, counts, neurons=[40, 10])(sol)
    for k, neurons in enumerate((40, 10)):
        e, c = neurons * np.diff(np.interp(edges, sol.ts, sol.spikes[:, k])), counts[:, k]
        roots = np.sign(e - c) * np.sqrt(2 * (e - c + c * np.log(c / e)))
        np.testing.assert_allclose(both[:, k], roots, rtol=1e-3)


def test_spike_times_of_populations_are_counted_apart():
    ts, which = [0.1, 0.3, 0.6, 0.7, 1.2], [0, 1, 1, 1, 0]
    found = jn.losses.SpikeCounts.from_times(ts, [4, 2], width=0.5, end=1.0, population=which)
    np.testing.assert_array_equal(found.counts, [[1, 1], [0, 2]])
    np.testing.assert_array_equal(found.sources, [4, 2])


def test_intervals_of_populations():
    resting = network(weight=np.zeros((2, 2)), refractory=jn.Never())
    save = jn.SaveAt(num=3, fn=None)
    fired = jn.solve(resting, SOLVER, y0=jn.at_reset(GRID), t1=1.0, dt=0.05, saveat=save)
    loss = jn.losses.Intervals([0.0, 0.5, 1.0], [[3, 2], [1, 2]], total=[10, 20])
    expected = np.diff(np.asarray(fired.spikes), axis=0) * [10, 20]
    np.testing.assert_allclose(loss.expected(fired), expected, rtol=1e-5)


TIMES = [0.5, 1.0]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: jn.losses.Rate(TIMES, [1.0, 1.0]),
            r"rate: shape \(2,\): must be \(2, 2\), a column for each population, E, I",
        ),
        (lambda: jn.losses.Rate(TIMES, np.ones((2, 3))), r"rate: shape \(2, 3\): must be \(2, 2\)"),
        (lambda: jn.losses.MeanRate([0.0, 1.0], np.ones(3)), r"rate: shape \(1, 3\): must be"),
        (lambda: jn.losses.SpikeCounts([0.0, 0.5, 1.0], [1, 2], 5), r"counts: shape \(2,\): must"),
        (lambda: jn.losses.Rates(TIMES, np.ones((2, 2))), "rates: are by weight, and populations"),
        (lambda: jn.losses.Weights([1.0, 1.0]), "weights: are by weight, and populations have"),
    ],
)
def test_data_of_other_populations_are_refused(sol, make, message):
    with pytest.raises(ValueError, match=message):
        make()(sol)


COUNTS = [[1, 2], [3, 4]]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: jn.losses.Rate(TIMES, np.ones((3, 2))),
            r"rate: shape \(3, 2\) must be \(2,\), or",
        ),
        (lambda: jn.losses.Rate(TIMES, [[1, np.nan], [1, 1]]), r"rate = nan at \[0, 1\]: must be"),
        (lambda: jn.losses.Rate(TIMES, np.ones((2, 2)), std=[1, 1, 1]), r"or \(2,\)$"),
        (
            lambda: jn.losses.SpikeCounts([0, 1, 2], COUNTS, [1, 2, 3]),
            r"neurons: shape \(3,\): must",
        ),
        (
            lambda: jn.losses.SpikeCounts([0, 1, 2], [1, 2], [1, 2]),
            r"neurons: shape \(2,\): must be",
        ),
        (
            lambda: jn.losses.SpikeCounts([0, 1, 2], COUNTS, [1, 0]),
            "neurons = 0: must be at least 1",
        ),
        (
            lambda: jn.losses.Intervals([0, 1, 2], COUNTS, total=9),
            r"total: shape \(\): must be \(2,",
        ),
        (lambda: jn.losses.Intervals([0, 1, 2], COUNTS, total=[9, 5]), "total = 5: there are 6"),
        (
            lambda: jn.losses.SpikeCounts.from_times([0.5], [1, 2], width=0.5, population=[2]),
            "population = 2: must be from 0 to 1",
        ),
        (
            lambda: jn.losses.SpikeCounts.from_times([0.5], [1, 2], width=0.5),
            "population: must be given",
        ),
        (
            lambda: jn.losses.SpikeCounts.from_times([0.5], 3, width=0.5, population=[0]),
            "neurons: must be those of each population",
        ),
    ],
)
def test_wrong_data_of_populations(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_weights_are_found_again_from_the_course_of_both_rates(sol):
    fitted = jn.fit(
        network(weight=np.array([[0.0, -0.3], [0.2, 0.0]])),
        run,
        jn.losses.Rate(sol.ts[1:], np.asarray(sol.rate[1:]), std=1e-3),
        where=lambda model: model.weight,
        optimiser=jn.LevenbergMarquardt(),
        absolute=True,
        steps=20,
    )
    np.testing.assert_allclose(fitted.values, WEIGHT, rtol=5e-3)
    assert fitted.names == ("weight[E, E]", "weight[E, I]", "weight[I, E]", "weight[I, I]")
    assert fitted.uncertainty.flat == ()


# ---- stationary states ---------------------------------------------------------------------------

RATE = np.array([0.3, 0.2])


def stationary(**options):
    return jn.losses.StationaryRate(RATE, std=[0.01, 0.02], threshold=2.0, reset=1.0, **options)


def same(model):
    return model


@pytest.fixture(scope="module")
def driven():
    fitted = jn.fit(
        network(),
        same,
        stationary(),
        where=lambda model: model.drive.value,
        optimiser=jn.LevenbergMarquardt(),
        absolute=True,
        steps=20,
    )
    return fitted


def test_drives_that_give_the_rates_and_their_errors(driven):
    found = jn.stationary.circuit_rate(driven.model, RATE, threshold=2.0, reset=1.0)
    np.testing.assert_allclose(found, RATE, rtol=1e-4)
    assert driven.names == ("drive.value[E]", "drive.value[I]")

    def inputs(rate, k):  # the drive at which population k fires so: its input without the others
        drives = jnp.linspace(-1.0, 3.0, 4001)
        answers = jn.stationary.firing_rate(drives, 0.6)
        return np.interp(rate[k], answers, drives) - WEIGHT[k] @ rate

    expected = [inputs(RATE, k) for k in range(2)]
    np.testing.assert_allclose(driven.values, expected, rtol=2e-3)
    std = np.array([0.01, 0.02])
    slopes = [(inputs(RATE + s, k) - inputs(RATE - s, k)) / 2 for s in np.diag(std) for k in (0, 1)]
    np.testing.assert_allclose(
        driven.uncertainty.std, np.linalg.norm(np.reshape(slopes, (2, 2)), axis=0), rtol=2e-2
    )


def test_two_rates_leave_two_of_four_weights_open_and_name_them():
    fitted = jn.fit(
        network(),
        same,
        stationary(),
        where=lambda model: model.weight,
        optimiser=jn.LevenbergMarquardt(),
        absolute=True,
        steps=20,
    )
    flat = fitted.uncertainty.flat
    assert len(flat) == 2
    for direction, name in zip(flat, NAMES, strict=True):
        # of a population: more of what E sends for less of what I sends
        assert f"weight[{name}, E]" in direction
        assert f"weight[{name}, I]" in direction
        assert "and" not in direction
    assert np.all(np.isinf(fitted.uncertainty.std))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: jn.losses.StationaryRate([0.3, 0.0]), r"rate = 0 at \[1\]: must be positive"),
        (lambda: jn.losses.StationaryRate([0.3, -0.1]), "rate = -0.1: must not be negative"),
        (lambda: jn.losses.StationaryRate([[0.3]]), r"rate: shape \(1, 1\) must be \(m\)"),
        (lambda: jn.losses.StationaryRate([0.3])(network()), "rate: shape .1,.: must be .2,., one"),
        (lambda: stationary()(2.0), "run: returns float: must be a Network"),
        (
            lambda: stationary()(network(refractory=[0.1, 5.0])),
            "rate = 0.2 of I: no state has it; must be less than a spike in each refractory",
        ),
    ],
)
def test_rates_that_no_state_has(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_a_fit_says_at_once_that_no_state_has_the_rates():
    with pytest.raises(ValueError, match=r"rate = 0\.3 of E: no state has it"):
        jn.fit(network(refractory=4.0), same, stationary(), where=lambda model: model.drive.value)


def test_rates_out_of_reach_leave_the_nearest_state():
    """Newton's method finds no state from so high a rate."""
    alone = jn.Network(weight=[[0.3]], noise=0.5, drive=1.0)
    far = jn.losses.StationaryRate([5.0], threshold=2.0, reset=1.0)
    state = jn.stationary.circuit_rate(alone, 0.2, threshold=2.0, reset=1.0)
    np.testing.assert_allclose(far(alone), state - 5.0)


def test_a_mapping_of_names_is_called_by_them():
    fitted = jn.fit(
        {"E": jnp.asarray(1.0, float), "I": jnp.asarray([1.0, 2.0], float)},
        lambda given: jnp.append(given["I"], given["E"]),
        lambda rates: rates - 3,
        where=lambda given: given,
        absolute=True,
    )
    assert fitted.names == ("E", "I[0]", "I[1]")
