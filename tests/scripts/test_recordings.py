"""The checks of recordings, at a small size."""

from checks.trust import recordings


def test_the_rate_of_bursting_neurons_is_fitted():
    rows = recordings.counted_rate((2.0,), seeds=2, trains=(recordings.bursting,), duration=20.0)
    _, percent = (measured.value for measured in rows)
    assert percent < 1.5
