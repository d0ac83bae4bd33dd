"""Standard errors against the closed form of a straight line, and flat directions."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnlif.fitting.jacobian import jacobian
from jaxnlif.fitting.uncertainty import estimate

X = np.linspace(0.0, 1.0, 11)
DESIGN = np.stack([np.ones_like(X), X], 1)


def line(residuals, absolute=False, design=DESIGN, size=(1.0, 2.0), names=("a", "b")):
    return estimate(design, residuals, np.array(size), names, absolute=absolute)


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
    found = line(np.zeros(11), design=design, size=(1.0, 1.0, 1.0), names=("a", "b", "c"))
    assert found.flat == ("0.71 a - 0.71 b",) or found.flat == ("0.71 b - 0.71 a",)
    assert list(np.isinf(found.std)) == [True, True, False]
    assert np.all(np.isfinite(found.covariance))


def test_a_direction_lost_in_noise_is_flat():
    design = DESIGN * [10.0, 1e-3]
    found = line(np.zeros(11), absolute=True, design=design)
    assert found.flat == ("1.00 b",)
    np.testing.assert_allclose(found.std, [1 / (10 * np.sqrt(11)), np.inf])


def test_what_the_data_leave_open_does_not_blur_the_rest():
    # The third column is 1e-7 of what the first two do together, and a little else.
    design = np.column_stack([DESIGN, 1e-7 * (DESIGN @ [1.0, 2.0]) + 1e-9 * X**3])
    design = 30 * design
    found = line(np.zeros(11), absolute=True, design=design, size=np.ones(3), names=("a", "b", "c"))
    assert len(found.flat) == 1
    assert found.flat[0].startswith("1.00 c")
    alone = np.sqrt(np.diag(np.linalg.inv(design[:, :2].T @ design[:, :2])))
    np.testing.assert_allclose(found.std, [*alone, np.inf], rtol=1e-5)
    # With c they would have errors as if c could be anything.
    whole = np.sqrt(np.diag(np.linalg.inv((design / [1, 1, 1e-7]).T @ (design / [1, 1, 1e-7]))))
    assert np.all(whole[:2] > 3 * alone)


def test_what_a_flat_direction_moves_is_unknown():
    design = np.stack([X, X + 1e-4 * X**2, 1 - X], 1)
    found = line(np.zeros(11), absolute=True, design=30 * design, size=np.ones(3), names="abc")
    assert list(np.isinf(found.std)) == [True, True, False]
    sum_known = np.array([1.0, 1.0, 0.0]) / 2
    assert sum_known @ found.covariance @ sum_known < 0.01  # their mean is known


@pytest.mark.parametrize("unit", [1e-12, 1.0, 1e12])
def test_units_do_not_matter(unit):
    residuals = 0.1 * np.random.default_rng(0).normal(size=11)
    found = line(residuals, design=DESIGN / [1.0, unit], size=(1.0, 2.0 * unit))
    np.testing.assert_allclose(found.std / [1.0, unit], line(residuals).std, rtol=1e-10)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_direction_spread_over_many_parameters(dtype):
    design = 1e3 * (np.eye(150) - 1 / 150).astype(dtype)
    names = [f"k[{i}]" for i in range(150)]
    found = line(np.zeros(150), absolute=True, design=design, size=np.ones(150), names=names)
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
        return jnp.stack([x[0] * x[1], jnp.sin(x[2]), x[0]]), 2 * x

    at = jnp.array([2.0, 3.0, 0.5])
    found, doubled = jax.jit(lambda at: jacobian(function, at))(at)
    expected = [[3.0, 2.0, 0.0], [0.0, 0.0, np.cos(0.5)], [1.0, 0.0, 0.0]]
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    np.testing.assert_allclose(doubled, [4.0, 6.0, 1.0])


@pytest.mark.parametrize("number", [1, 8, 9, 21])
def test_the_jacobian_of_any_number_of_parameters(number):
    found, _ = jax.jit(lambda x: jacobian(lambda x: (x**2, None), x))(jnp.arange(1.0, number + 1))
    np.testing.assert_allclose(found, 2 * np.diag(np.arange(1.0, number + 1)))


def test_the_jacobian_of_what_has_one_mode_alone():
    def forward(x):  # a loop of unknown length has no reverse mode
        return jax.lax.while_loop(lambda y: y[0] < 10, lambda y: 2 * y, x)[:2], None

    @jax.custom_vjp
    def reverse(x):
        return x**2

    reverse.defvjp(lambda x: (x**2, x), lambda x, slope: (2 * x * slope,))
    at = jnp.arange(1.0, 4.0)
    np.testing.assert_allclose(jacobian(forward, at)[0], 16 * np.eye(2, 3))
    np.testing.assert_allclose(jacobian(lambda x: (reverse(x), None), at)[0], np.diag(2 * at))
    with pytest.raises(ValueError, match="Reverse-mode differentiation does not work"):
        jacobian(lambda x: (reverse(forward(x)[0]), None), at)
