"""The Yin-Yang points."""

import numpy as np
import pytest

from jaxnlif.spikes.data import yin_yang


def test_classes_are_balanced_and_where_they_belong():
    points, labels = yin_yang(3000, seed=0)
    np.testing.assert_allclose(points[:, 2:], 1 - points[:, :2])
    x, y = points[:, :2].T
    assert np.all(np.hypot(x - 0.5, y - 0.5) <= 0.5)
    np.testing.assert_allclose(np.bincount(labels) / 3000, 1 / 3, atol=0.03)
    dots = np.minimum(np.hypot(x - 0.25, y - 0.5), np.hypot(x - 0.75, y - 0.5)) < 0.1
    np.testing.assert_array_equal(labels == 2, dots)
    # the right lobe is yang, the left one yin, but for the dots
    assert np.all(labels[(np.hypot(x - 0.75, y - 0.5) < 0.25) & ~dots] == 1)
    assert np.all(labels[(np.hypot(x - 0.25, y - 0.5) < 0.25) & ~dots] == 0)


def test_seeds_repeat():
    np.testing.assert_array_equal(yin_yang(10, seed=3)[0], yin_yang(10, seed=3)[0])


def test_wrong_number():
    with pytest.raises(ValueError, match="num = 0: must be at least 1"):
        yin_yang(0, seed=0)
