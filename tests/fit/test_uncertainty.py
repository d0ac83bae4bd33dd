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


def test_a_parameter_that_may_be_zero_is_no_flat_direction():
    # Its error is larger than itself, and the other's is correlated with it.
    residuals = 0.1 * np.random.default_rng(0).normal(size=11)
    found = line(residuals, values=(1.0, 1e-4))
    expected = residuals @ residuals / 9 * np.linalg.inv(DESIGN.T @ DESIGN)
    assert found.flat == ()
    np.testing.assert_allclose(found.covariance, expected, rtol=1e-10)
    np.testing.assert_allclose(found.std, np.sqrt(np.diag(expected)), rtol=1e-10)


@pytest.mark.parametrize("unit", [1e-12, 1.0, 1e12])
def test_units_do_not_matter(unit):
    residuals = 0.1 * np.random.default_rng(0).normal(size=11)
    found = line(residuals, design=DESIGN / [1.0, unit], values=(1.0, 2.0 * unit))
    np.testing.assert_allclose(found.std / [1.0, unit], line(residuals).std, rtol=1e-10)


def test_what_is_loose_is_named_and_has_its_standard_error():
    # Told apart by a thousandth of what they do together.
    design = np.stack([np.ones_like(X), 1 + 1e-3 * X], 1)
    found = line(np.zeros(11), absolute=True, design=design)
    expected = np.sqrt(np.diag(np.linalg.inv(design.T @ design)))
    np.testing.assert_allclose(found.std, expected, rtol=1e-6)
    assert len(found.flat) == 1


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_direction_spread_over_many_parameters(dtype):
    design = 1e3 * (np.eye(150) - 1 / 150).astype(dtype)
    names = [f"k[{i}]" for i in range(150)]
    found = line(np.zeros(150), absolute=True, design=design, values=np.ones(150), names=names)
    (flat,) = found.flat
    assert flat.count("0.08 k[") == 4
    assert flat.endswith(" and 146 more")
    assert np.all(np.isinf(found.std))


def test_fewer_residuals_than_parameters():
    found = line(np.zeros(1), design=np.array([[1.0, 0.0]]))
    assert found.flat == ("1.00 b",)
    assert found.singular_values.shape == (2,)


@pytest.mark.parametrize("residuals", [np.zeros(2), np.array([0.1, -0.2])])
def test_as_many_residuals_as_parameters_leave_the_noise_unknown(residuals):
    found = line(residuals, design=DESIGN[[0, -1]])
    assert found.noise == np.inf
    assert np.all(np.isinf(found.std))
    assert np.all(np.isinf(found.covariance))
    assert found.flat == ()
    told = line(residuals, design=DESIGN[[0, -1]], absolute=True)
    np.testing.assert_allclose(told.std, [1.0, np.sqrt(2)])


def test_the_jacobian_by_forward_mode():
    def function(x):
        return jnp.stack([x[0] * x[1], jnp.sin(x[2]), x[0]])

    at = jnp.array([2.0, 3.0, 0.5])
    expected = [[3.0, 2.0, 0.0], [0.0, 0.0, np.cos(0.5)], [1.0, 0.0, 0.0]]
    np.testing.assert_allclose(jacobian(function, at), expected, rtol=1e-6)
