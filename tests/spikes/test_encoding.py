"""Images as spikes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnlif.spikes import flip, time_to_first_spike
from jaxnlif.spikes.encoding import bin_times, pixel_bins


def test_one_bin_tells_bright_from_dark():
    inputs = time_to_first_spike(np.array([255, 128, 127, 0], np.uint8), bins=1, duration=2.0)
    assert inputs.which.tolist() == [0, 0, 1, 1]
    assert float(inputs.times[0]) == pytest.approx(2 * np.log(1 / 0.99), rel=1e-5)


@pytest.mark.parametrize("bins", [1, 2, 3, 10, 99])
def test_bins_are_ordered_and_the_last_is_silent(bins):
    which = np.asarray(pixel_bins(np.arange(256, dtype=np.uint8), bins))
    assert which[255] == 0
    assert which[0] == bins
    assert np.all(np.diff(which) <= 0)
    times = np.asarray(bin_times(bins, 2.0))
    assert times.shape == (bins,)
    assert np.all(np.diff(times) > 0)
    assert np.all(np.isfinite(times))


@pytest.mark.parametrize("bins", [1, 3, 99])
def test_bins_spike_as_neurons_with_their_currents(bins):
    # T log(I / (I - 0.01 n)) for the currents n, …, 1; that of the brightest is always the same.
    currents = np.arange(bins, 0, -1)
    expected = 2 * np.log(currents / (currents - 0.01 * bins))
    np.testing.assert_allclose(bin_times(bins, 2.0), expected, rtol=1e-6)


def test_flipped_pixels_are_negatives():
    inputs = time_to_first_spike(np.zeros((50, 40), np.uint8), bins=2)
    flipped = flip(inputs, 0.1, key=jax.random.key(0))
    assert set(np.unique(flipped.which)) == {0, 2}
    assert float(jnp.mean(flipped.which == 0)) == pytest.approx(0.1, abs=0.03)
    assert jnp.array_equal(flip(inputs, 0.0, key=jax.random.key(0)).which, inputs.which)


@pytest.mark.parametrize("bins", [0, 100])
def test_wrong_numbers_of_bins(bins):
    with pytest.raises(ValueError, match="bins = "):
        time_to_first_spike(np.zeros(4, np.uint8), bins=bins)


@pytest.mark.parametrize("bins", [2, 5, 255])
def test_bins_are_equally_spaced_between_given_times(bins, dtype):
    images = np.array([255, 0], np.uint8)
    inputs = time_to_first_spike(images, bins=bins, duration=2.0, first=0.1, last=1.5)
    assert inputs.times.dtype == dtype
    np.testing.assert_allclose(inputs.times, np.linspace(0.1, 1.5, bins), rtol=1e-6)
    assert inputs.which.tolist() == [0, bins]


def test_one_bin_at_a_given_time():
    inputs = time_to_first_spike(np.array([255, 0], np.uint8), duration=2.0, first=0.5)
    assert inputs.times.tolist() == [0.5]


def test_times_of_bins_may_be_traced():
    def last(first):
        images = np.array([255, 0], np.uint8)
        return time_to_first_spike(images, bins=3, first=first, last=1.5).times[1]

    assert float(jax.jit(jax.grad(last))(0.5)) == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"first": 0.1}, "^last: must be given too, the time of the last of 3 bins$"),
        ({"last": 1.0}, "^last = 1: needs first too, the time of the first bin$"),
        ({"bins": 1, "first": 0.1, "last": 1.0}, "^last: one bin has the time first; must be None"),
        ({"first": 1.0, "last": 1.0}, "^first = 1: must be less than last = 1$"),
        ({"first": -0.1, "last": 1.0}, "^first = -0.1: must not be negative$"),
        ({"first": 0.0, "last": np.nan}, "^last = nan: must be finite$"),
        ({"first": 0.0, "last": 2.0}, "^last = 2: must be less than duration = 2$"),
        ({"bins": 1, "first": 2.5}, "^first = 2.5: must be less than duration = 2$"),
        ({"bins": 256, "first": 0.0, "last": 1.0}, "^bins = 256: must be at most 255"),
        ({"first": np.ones(2), "last": 1.0}, "^first = .*: must be a single number$"),
    ],
)
def test_times_of_bins_that_contradict(arguments, message):
    with pytest.raises(ValueError, match=message):
        time_to_first_spike(np.zeros(4, np.uint8), **{"bins": 3, "duration": 2.0} | arguments)
