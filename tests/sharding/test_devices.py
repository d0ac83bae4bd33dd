"""Runs over many devices and processes equal those on one, and keep what those keep."""

import pytest
from references.devices import RUNS, compare, gradient

TOLERANCE = 1e-12  # relative to the largest value of a field
# `rough` has the programs of `lagged`, `resumed` those of `by_levels` and the coupling of
# `implicit`, and `wide` the delays of `resting`.
IN_PROCESSES = ("lagged", "rough", "particles")
CASES = [*sorted(RUNS.keys() - {"implicit", "resting", *IN_PROCESSES}), gradient.__name__]


@pytest.fixture(scope="module")
def in_one_process():
    """Four virtual devices."""
    return compare(CASES, devices=4, optimised=False)[0]


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_four_devices_equal_one(in_one_process, case):
    _assert_equal(in_one_process, case)


@pytest.mark.slow
def test_two_processes_equal_one_device_and_both_know_the_result():
    processes = compare(IN_PROCESSES, devices=2, processes=2, optimised=False)
    assert processes[0] == processes[1]
    for case in IN_PROCESSES:
        _assert_equal(processes[0], case)


def _assert_equal(measured, case):
    assert measured[f"{case}/difference"] <= TOLERANCE
    if case in RUNS:
        assert measured[f"{case}/mass_drift"] <= TOLERANCE
        assert measured[f"{case}/minimum"] >= 0
