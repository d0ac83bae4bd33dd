"""The checks of recordings, at a small size."""

import pytest
from checks.trust import recordings

from ..conftest import needs_double


@needs_double
def test_the_rate_of_bursting_neurons_is_fitted():
    rows = recordings.counted_rate((2.0,), seeds=3, trains=(recordings.bursting,), duration=20.0)
    deviation, percent = (measured.value for measured in rows)
    assert deviation < 4
    assert percent < 1.5


@needs_double
@pytest.mark.slow
def test_the_rate_of_recordings_that_begin_late_is_fitted():
    for measured in recordings.recorded_rate(seed=1):
        assert measured.value < 3.5
