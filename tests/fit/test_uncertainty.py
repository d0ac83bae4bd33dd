"""Standard errors against the closed form of a straight line, and flat directions."""

import jax.numpy as jnp
import numpy as np
import pytest

from jaxnlif.fit.uncertainty import estimate, jacobian

X = np.linspace(0.0, 1.0, 11)
DESIGN = np.stack([np.ones_like(X), X], 1)


def line(residuals, absolute=False, design=DESIGN, values=(1.0, 2.0), names=("a", "b")):
    return estimate(design, residuals, np.array(values), names, absolute=absolute)


def test_standard_errors_of_a_straight_line():
    rng = np.random.default_rng(0)
    residuals = 0.1 * rng.normal(size=11)
    found = line(residuals)
    variance = residuals @ residuals / 9
    expected = variance * np.linalg.inv(DESIGN.T @ DESIGN)
    np.testing.assert_allclose(found.covariance, expected, rtol=1e-10)
    np.testing.assert_allclose(found.std, np.sqrt(np.diag(expected)), rtol=1e-10)
    assert found.flat == ()
    assert found.noise == pytest.approx(np.sqrt(variance))


def test_residuals_in_units_of_the_noise():
    found = line(np.zeros(11), absolute=True, design=100 * DESIGN)
    np.testing.assert_allclose(found.covariance, np.linalg.inv(1e4 * DESIGN.T @ DESIGN))


def test_a_direction_that_changes_nothing_is_named():
    design = np.stack([X, X, np.ones_like(X)], 1)
    found = line(np.zeros(11), design=design, values=(1.0, 1.0, 1.0), names=("a", "b", "c"))
    assert found.flat == ("0.71 a - 0.71 b",) or found.flat == ("0.71 b - 0.71 a",)
    assert list(np.isinf(found.std)) == [True, True, False]
    assert np.all(np.isfinite(found.covariance))


def test_a_direction_lost_in_noise_is_flat():
    design = DESIGN * [10.0, 1e-3]
    found = line(np.zeros(11), absolute=True, design=design)
    assert found.flat == ("1.00 b",)


def test_fewer_residuals_than_parameters():
    found = line(np.zeros(1), design=np.array([[1.0, 0.0]]))
    assert found.flat == ("1.00 b",)
    assert found.singular_values.shape == (2,)


def test_the_jacobian_by_forward_mode():
    def function(x):
        return jnp.stack([x[0] * x[1], jnp.sin(x[2]), x[0]])

    at = jnp.array([2.0, 3.0, 0.5])
    expected = [[3.0, 2.0, 0.0], [0.0, 0.0, np.cos(0.5)], [1.0, 0.0, 0.0]]
    np.testing.assert_allclose(jacobian(function, at), expected, rtol=1e-6)
