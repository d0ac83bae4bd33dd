"""From recordings to what the runs of `jaxnlif run fit` are held against."""

import numpy as np
import pytest

from jaxnlif import losses
from jaxnlif.experiments.fit_data import Rates, Spikes

from .test_fit import observe


def test_rates_in_membrane_times():
    ts, rate = np.array([0.0, 20, 40]), np.array([0.0, 0.01, 0.02])
    observed = observe(Rates(ts, rate), membrane_time=20.0)
    np.testing.assert_allclose(observed.ts, [0, 1, 2])
    np.testing.assert_allclose(observed.rate, [0, 0.2, 0.4])
    assert observed.std is None
    assert observed.t1 == 2


def test_standard_errors_are_those_of_the_file():
    recording = Rates(np.array([0.0, 20, 40]), np.array([1.0, 4, 2]), np.array([0.1, 0.4, 0.2]))
    observed = observe(recording, membrane_time=20.0, time_unit="ms", rate_unit="Hz")
    np.testing.assert_allclose(observed.rate, [0.02, 0.08, 0.04])  # 1 Hz, 50 times slower
    np.testing.assert_allclose(observed.std, [0.002, 0.008, 0.004])
    np.testing.assert_allclose(observed.loss.std, observed.std)


def test_rates_between_begin_and_end():
    recording = Rates(np.arange(500.0, 600.0, 10.0), 1e-3 * np.arange(10.0))
    observed = observe(recording, membrane_time=20.0, begin=520.0, end=580.0)
    np.testing.assert_allclose(observed.ts, 0.5 * np.arange(7))
    np.testing.assert_allclose(observed.rate, 0.02 * np.arange(2, 9))


def test_spikes_are_binned():
    # Bins of 10 ms, half a membrane time; the last spike, at 31 ms, leaves a bin unfinished.
    spikes = Spikes(np.array([1.0, 2, 10, 29, 31]))
    observed = observe(spikes, membrane_time=20.0, bin=10.0, neurons=4)
    counts = np.array([2, 1, 1])
    np.testing.assert_allclose(observed.ts, [0.25, 0.75, 1.25])
    np.testing.assert_allclose(observed.rate, counts / (4 * 0.5))
    assert observed.std is not None
    np.testing.assert_allclose(observed.std, np.sqrt(counts) / (4 * 0.5))
    assert isinstance(observed.loss, losses.SpikeCounts)
    np.testing.assert_allclose(observed.loss.edges, [0, 0.5, 1, 1.5])
    np.testing.assert_allclose(observed.loss.counts, counts)
    assert observed.loss.number == 4
    assert observed.t1 == 1.5


def test_a_recording_ends_when_it_did():
    spikes = Spikes(np.array([500.0, 505, 517]), 2, 3)
    observed = observe(spikes, membrane_time=10.0, bin=10.0, begin=500.0, end=535.0)
    np.testing.assert_allclose(observed.loss.edges, [0, 1, 2, 3, 3.5])
    np.testing.assert_allclose(observed.loss.counts, [2, 1, 0, 0])
    assert observed.loss.number == 6
    np.testing.assert_allclose(observed.rate, [2 / 6, 1 / 6, 0, 0])
    assert "3 spikes of 2 neurons in 3 trials in 4 bins" in observed.what
    part = observe(spikes, membrane_time=10.0, bin=10.0, begin=503.0, end=513.0, trials=5)
    np.testing.assert_allclose(part.loss.counts, [1])
    assert part.loss.number == 10


def test_a_beginning_in_doubt_is_asked_for():
    """A recording from 500 ms on is none of half a second of silence."""
    late = 500 + np.arange(0.0, 1000.0, 2.0)
    for recording in (Spikes(late, 20), Rates(late, np.full(late.size, 0.06)), Spikes(late - 501)):
        with pytest.raises(ValueError, match="--begin: must be given, because the first time in"):
            observe(recording, membrane_time=10.0)
    rare = 400 + 300 * np.arange(9.0)  # as long as between any two
    assert observe(Spikes(rare, 20), membrane_time=10.0, bin=500.0).t1 == 250


def test_an_empty_bin_is_as_uncertain_as_one_spike():
    observed = observe(Spikes(np.array([0.1, 2.0]), 3), bin=1.0)
    np.testing.assert_allclose(observed.rate, [1 / 3, 0])
    assert observed.std is not None
    np.testing.assert_allclose(observed.std, [1 / 3, 1 / 3])


def test_a_spike_on_an_edge_belongs_to_the_bin_that_it_opens():
    observed = observe(Spikes(0.1 * np.arange(1, 31), 3), bin=1.0)
    assert observed.rate.size == 3
    assert 3 * observed.rate.sum() == pytest.approx(29)


def test_spikes_on_edges_of_decimal_width():
    observed = observe(Spikes(np.array([0.1, 0.2, 0.3, 0.4]), 1), bin=0.1)
    np.testing.assert_allclose(0.1 * observed.rate, [0, 1, 1, 1])
    # In milliseconds, with a membrane time that is no binary fraction either.
    edges = Spikes(np.round(0.3 * np.arange(1000), 1), 1)
    observed = observe(edges, membrane_time=0.7, bin=0.3)
    np.testing.assert_allclose(0.3 / 0.7 * observed.rate, 1)


def test_silent_neurons_count_if_they_are_told():
    spikes = Spikes(np.array([0.5, 1.5, 2.5]), 2)
    np.testing.assert_allclose(observe(spikes, bin=1.0).rate, 0.5)
    np.testing.assert_allclose(observe(spikes, bin=1.0, neurons=4).rate, 0.25)


RATES, NINE = Rates(np.arange(2.0), np.ones(2)), np.arange(9.0)


@pytest.mark.parametrize(
    ("recording", "options", "message"),
    [
        (RATES, {"bin": 1.0}, "--bin: is for spike times"),
        (RATES, {"neurons": 9}, "--neurons: is for spike times"),
        (RATES, {"trials": 9}, "--trials: is for spike times"),
        (RATES, {"membrane_time": 0.0}, "--membrane-time = 0: must"),
        (RATES, {"time_unit": "ms"}, "--membrane-time: must be given with --time-unit"),
        (RATES, {"membrane_time": 20.0, "time_unit": "s"}, "--membrane-time = 20 s: must be that"),
        (RATES, {"rate_unit": "Hz"}, "--time-unit: must be given with --rate-unit"),
        (RATES, {"begin": 0.5}, "--begin, --end: must leave at least 2 rates"),
        (RATES, {"begin": np.nan}, "--begin = nan: must be finite"),
        (RATES, {"membrane_time": 20.0}, "20 spikes per neuron and membrane time .* no neuron"),
        (Spikes(NINE, 3), {"rate_unit": "Hz"}, "--rate-unit: is for rates"),
        (
            Spikes(NINE, 3),
            {"membrane_time": 40.0},
            r"13\.33 spikes per neuron and membrane time .*--neurons",
        ),
        (Spikes(NINE), {}, "--neurons: must be given"),
        (Spikes(NINE), {"neurons": 0}, "--neurons = 0: must be at least 1"),
        (Spikes(NINE, 3), {"neurons": 2}, "--neurons = 2: must be at least 3"),
        (Spikes(NINE, 3, 2), {"trials": 1}, "--trials = 1: must be at least 2"),
        (Spikes(NINE, 3), {"bin": -1.0}, "--bin = -1: must be positive"),
        (Spikes(NINE, 3), {"bin": 5.0}, "--bin: the last spike, 8 membrane times"),
        (Spikes(NINE, 3), {"end": 8.0, "bin": 9.0}, "--bin: the end, 8 membrane times"),
        (Spikes(NINE, 3), {"begin": 3.0, "end": 2.0}, "--end = 2: must come after 3, the beg"),
        (Spikes(NINE, 3), {"begin": 20.0, "end": 30.0}, "--begin, --end, --bin: there must be a"),
        (Spikes(np.array([0, 1e9]), 3), {}, "--bin: the last spike, 1e.09 .* at most 100000 bins"),
        (Spikes(np.array([4.5]), 3), {"bin": 1.0}, "--bin: there must be a spike in a bin"),
    ],
)
def test_wrong_numbers_are_refused(recording, options, message):
    with pytest.raises(ValueError, match=message):
        observe(recording, **options)
