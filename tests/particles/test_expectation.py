"""How many spikes are expected: the last number, or, under inhibition, a consistent one."""

import jax
import numpy as np
import pytest

from jaxnlif.particles.expectation import expected_fraction

NUM = 10_000


expected = jax.jit(expected_fraction)


def margins(dtype):
    # Uniform on (-0.8, 0.2): without any kicks 20 % fire.
    return np.linspace(-0.8, 0.2, NUM, dtype=dtype)


@pytest.mark.parametrize("slope", [0.0, 0.1, 1.0])
def test_excitation_keeps_the_last(slope, dtype):
    last = np.asarray(0.05, dtype)
    assert expected(margins(dtype), np.asarray(slope, dtype), last) == last


@pytest.mark.parametrize("slope", [-0.1, -1.0, -30.0])
@pytest.mark.parametrize("last", [0.0, 0.01, 0.5])
def test_inhibition_makes_it_consistent(slope, last, dtype):
    out = expected(margins(dtype), np.asarray(slope, dtype), np.asarray(last, dtype))
    # The fraction above -slope x of a uniform density is 0.2 + slope x.
    np.testing.assert_allclose(out, 0.2 / (1 - slope), rtol=0.03)


def test_individual_weights(dtype):
    slope = np.where(np.arange(NUM) % 2 == 0, 0.5, -3.0).astype(dtype)
    out = np.asarray(expected(margins(dtype), slope, np.asarray(0.01, dtype)))
    fires = margins(dtype) + slope * out > 0
    assert abs(fires.mean() - out) <= 0.02 * out
