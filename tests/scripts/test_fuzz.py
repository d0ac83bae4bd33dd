"""Wrong input of any kind ends in one line, or is accepted."""

from collections import Counter

from checks.trust.fuzz import tried


def test_wrong_input_is_refused_in_one_line(tmp_path):
    outcomes = list(tried(tmp_path, cases=300, runs=2, seed=162))
    assert [outcome for outcome in outcomes if outcome.startswith("wrong")] == []
    counts = Counter(outcomes)
    assert counts["ran"] == 2
    assert counts["accepted"] > 5
    assert counts["refused"] > 200
