"""Spikes in bins of time."""

import numpy as np
import pytest

from jaxnlif.spikes.data import EventData, binned, binning


@pytest.fixture
def events():
    """Three samples, one without spikes."""
    return EventData(
        times=np.array([0.0, 0.25, 0.49, 1.0, 0.5, 0.99, 0.99, 0.99], np.float32),
        units=np.array([0, 1, 1, 3, 4, 2, 2, 2], np.uint16),
        offsets=np.array([0, 4, 4, 8]),
        labels=np.array([0, 1, 0]),
        channels=5,
        classes=2,
    )


def test_each_spike_is_counted_once_or_late(events):
    found = binned(events, bins=4, duration=1.0)
    expected = np.zeros((3, 4, 5))
    expected[0, 0, 0] = expected[2, 2, 4] = 1
    expected[0, 1, 1] = 2
    expected[2, 3, 2] = 3
    np.testing.assert_array_equal(found.counts, expected)
    assert found.counts.dtype == np.uint8
    assert found.late.tolist() == [1, 0, 0]
    np.testing.assert_allclose(found.times, [0.125, 0.375, 0.625, 0.875])
    assert found.times.dtype == np.float32


@pytest.mark.parametrize("pools", [1, 2, 3])
def test_pooled_neighbours_are_sums(events, pools):
    whole = binned(events, bins=3, duration=2.0).counts
    first = {1: [0], 2: [0, 3], 3: [0, 2, 4]}[pools]
    pooled = binned(events, bins=3, duration=2.0, channels=pools).counts
    np.testing.assert_array_equal(pooled, np.add.reduceat(whole, first, axis=2))


def test_blocks_of_samples_make_no_difference(events, monkeypatch):
    whole = binned(events, bins=4, duration=0.9)
    monkeypatch.setattr(binning, "_CELLS", 1)
    for one, other in zip(binned(events, bins=4, duration=0.9), whole, strict=True):
        np.testing.assert_array_equal(one, other)


def test_times_just_before_the_end_are_in_the_last_bin(events):
    end = float(np.nextafter(np.float64(0.7), 1))
    just = events._replace(times=np.full(8, 0.7))
    for bins in range(1, 60):
        found = binned(just, bins=bins, duration=end)
        assert found.counts[:, -1].sum() == 8


def test_counts_that_need_more_bits(events):
    many = events._replace(times=np.zeros(300, np.float32), units=np.zeros(300, np.uint16))
    many = many._replace(offsets=np.array([0, 0, 300, 300]))
    with pytest.raises(ValueError, match=r"^dtype = uint8: a bin has 300 spikes; must be of more"):
        binned(many, bins=2, duration=1.0)
    assert binned(many, bins=2, duration=1.0, dtype=np.uint16).counts[1, 0, 0] == 300


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"bins": 0}, "^bins = 0: must be at least 1$"),
        ({"duration": 0.0}, "^duration = 0: must be positive$"),
        ({"channels": 6}, "^channels = 6: must be at most those of the events, 5$"),
        ({"dtype": np.int8}, "^dtype = int8: must be one of unsigned integers"),
    ],
)
def test_what_is_refused(events, arguments, message):
    with pytest.raises(ValueError, match=message):
        binned(events, **{"bins": 2, "duration": 1.0} | arguments)
