"""Bounds: maps onto the allowed values and back."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxnlif as jn


@pytest.mark.parametrize(
    ("bounds", "inside", "outside"),
    [
        (jn.Free(), [-3.0, 0.0, 5.0], [np.inf, np.nan]),
        (jn.Positive(), [1e-3, 1.0, 50.0], [0.0, -1.0, np.nan]),
        (jn.Between(-1.0, 2.0), [-0.9, 0.5, 1.9], [-1.0, 2.0, 3.0, np.nan]),
    ],
)
def test_values_go_there_and_back(bounds, inside, outside, dtype):
    @jax.jit
    @jax.vmap
    def there_and_back(value):
        return jax.value_and_grad(bounds.value)(bounds.free(value))

    values = np.asarray(inside, dtype)
    found, slope = there_and_back(values)
    np.testing.assert_allclose(found, values, rtol=1e-5, atol=1e-7)
    assert np.all(np.asarray(slope) > 0)
    assert np.all(bounds.contains(values))
    assert not np.any(bounds.contains(np.array(outside)))


def test_what_has_come_to_a_bound():
    assert list(jn.Between(0.0, 1.0).near(np.array([1e-4, 0.5, 0.9999]))) == [True, False, True]
    assert list(jn.Positive().near(np.array([1e-9, 1.0]))) == [True, False]
    assert not np.any(jn.Free().near(np.array([0.0, 1e9])))


def test_half_as_far_from_a_bound():
    np.testing.assert_allclose(jn.Between(1.0, 3.0).nearer(jnp.array([1.5, 2.8])), [1.25, 2.9])
    np.testing.assert_allclose(jn.Positive().nearer(jnp.array([2e-7])), [1e-7])
    np.testing.assert_allclose(jn.Free().nearer(jnp.array([0.7])), [0.7])


def test_bounds_out_of_order():
    with pytest.raises(ValueError, match=r"low = 2.0: must be below high = 1.0"):
        jn.Between(2.0, 1.0)
    with pytest.raises(ValueError, match="high = nan: must be finite"):
        jn.Between(2.0, np.nan)
