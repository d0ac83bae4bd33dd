"""Generated spikes whose classes differ in the order of time only."""

import numpy as np
import pytest
from sklearn.linear_model import RidgeClassifier

from jaxnlif.spikes.data import binned, load_events, moving_tones, save_events


def features(events, bins, channels):
    """Numbers of spikes of each sample, by bin and channel."""
    counts = binned(events, bins=bins, duration=1.0, channels=channels, dtype=np.uint16).counts
    return counts.reshape(len(counts), -1).astype(float)


@pytest.fixture(scope="module")
def train():
    return moving_tones(600, seed=0, classes=8)


def test_equal_seeds_make_equal_samples():
    one, same = (moving_tones(3, seed=4) for _ in range(2))
    for x, y in zip(one, same, strict=True):
        np.testing.assert_array_equal(x, y)
    other, task = moving_tones(3, seed=5), moving_tones(3, seed=4, task=1)
    assert other.num_spikes.tolist() != one.num_spikes.tolist()
    assert task.num_spikes.tolist() == one.num_spikes.tolist()
    assert np.mean(task.units == one.units) < 0.5


def test_samples_have_the_shape_of_spoken_digits(train):
    assert (train.channels, train.classes) == (700, 8)
    assert train.times.dtype == np.float32
    assert np.all((train.times >= 0) & (train.times < 1))
    assert train.units.max() < 700
    assert set(train.labels) == set(range(8))
    for k in range(0, 600, 100):
        assert np.all(np.diff(train.times[train.offsets[k] : train.offsets[k + 1]]) >= 0)
    # 2000 (1 - d) + 300 spikes with d uniform from 0 to ½: in the mean 1800 ± 293
    assert abs(train.num_spikes.mean() - 1800) < 4 * 293 / np.sqrt(600)


def test_counts_of_a_group_have_one_distribution_and_those_of_groups_differ(train):
    counts = features(train, 1, 20)

    def difference(one, other):
        """Largest difference of the means of two classes, in standard errors."""
        ours, theirs = counts[train.labels == one], counts[train.labels == other]
        error = np.sqrt(ours.var(0) / len(ours) + theirs.var(0) / len(theirs))
        return np.max(np.abs(ours.mean(0) - theirs.mean(0)) / error)

    for group in ((0, 1, 2, 3), (4, 5, 6, 7)):
        assert max(difference(group[0], other) for other in group[1:]) < 4.5
    assert difference(0, 4) > 10


def test_time_tells_what_counts_do_not(train):
    test = moving_tones(300, seed=1, classes=8)

    def accuracy(bins, channels):
        fitted = RidgeClassifier(alpha=3e3).fit(features(train, bins, channels), train.labels)
        return fitted.score(features(test, bins, channels), test.labels)

    error = np.sqrt(0.25 * 0.75 / 300)
    assert accuracy(1, 70) < 0.25 + 3 * error
    assert 0.6 < accuracy(10, 35) < 0.95


def test_written_and_read_again(tmp_path):
    events = moving_tones(5, seed=0, channels=40, classes=3)
    save_events(tmp_path / "tones.h5", events)
    read = load_events(tmp_path / "tones.h5", channels=40, classes=3)
    for one, other in zip(read, events, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num": 0}, "^num = 0: must be at least 1$"),
        ({"seed": -1}, "^seed = -1: must be at least 0$"),
        ({"task": -1}, "^task = -1: must be at least 0$"),
        ({"channels": 0}, "^channels = 0: must be at least 1$"),
        ({"classes": 0}, "^classes = 0: must be at least 1$"),
    ],
)
def test_what_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        moving_tones(**{"num": 2, "seed": 0} | arguments)
