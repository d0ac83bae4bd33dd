"""The checks of recordings, at a small size."""

from functools import partial

from checks.trust import recordings

import jaxnlif as jn


def test_the_rate_of_bursting_neurons_is_fitted(monkeypatch):
    # Standard errors are not looked at, and would take as long again.
    monkeypatch.setattr(recordings.jn, "fit", partial(jn.fit, uncertainty=False))
    rows = recordings.counted_rate((2.0,), seeds=2, trains=(recordings.bursting,), duration=20.0)
    _, percent = (measured.value for measured in rows)
    assert percent < 1.5
