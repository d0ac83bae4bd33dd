"""Learning rules."""

import jax.numpy as jnp
import numpy as np
import pytest

import jaxnlif as jn

W = jnp.array([0.0, 0.5, 1.0])


def test_one_gain_serves_all_weights():
    np.testing.assert_array_equal(jn.Hebbian(-2).strength(W), [-2.0, -2.0, -2.0])


def test_a_gain_per_cell():
    np.testing.assert_array_equal(jn.Hebbian([1, -2, 3]).strength(W), [1.0, -2.0, 3.0])


def test_a_gain_given_as_a_function_of_the_weight():
    gain = jn.Table([0.0, 1.0], [-1.0, 1.0])
    np.testing.assert_allclose(jn.Hebbian(gain).strength(W), [-1.0, 0.0, 1.0])


@pytest.mark.parametrize(
    ("gain", "message"),
    [
        (float("nan"), "gain = nan: must be finite"),
        ([1.0, float("inf")], r"gain = inf at \[1\]: must be finite"),
        ("strong", "'strong': must be a number"),
    ],
)
def test_wrong_gains_are_refused(gain, message):
    with pytest.raises(ValueError, match=message):
        jn.Hebbian(gain)


def test_a_gain_for_another_grid_does_not_broadcast():
    with pytest.raises(ValueError, match=r"shape|broadcast"):
        jn.Hebbian([1.0, 2.0]).strength(W)
