"""The Bernoulli function against its definition at thirty digits."""

import jax
import jax.numpy as jnp
import mpmath as mp
import numpy as np
import pytest

from jaxnlif.density.bernoulli import EVEN_LIMIT, bernoulli, bernoulli_even

SIZES = [0.0, 1e-30, 1e-8, 1e-4, 0.0299, 0.03, 0.0301, 0.3, 1.0, 5.0, 30.0, 80.0]
POINTS = np.array([*SIZES, *(-x for x in SIZES)])


def exact(x):
    with mp.workdps(30):
        return float(x / mp.expm1(x)) if x else 1.0


def test_values(dtype):
    x = POINTS.astype(dtype)
    expected = [exact(mp.mpf(float(value))) for value in x]
    # The largest |x| magnifies the rounding of its exponential the most.
    np.testing.assert_allclose(bernoulli(jnp.asarray(x)), expected, rtol=40 * np.finfo(dtype).eps)


def test_slopes_and_curvatures(dtype):
    x = POINTS.astype(dtype)
    with mp.workdps(40):
        expected = [
            float(mp.diff(lambda y: y / mp.expm1(y), mp.mpf(float(v))))
            if abs(v) > 1e-6
            else float(v) / 6 - 0.5
            for v in x
        ]
    eps = np.finfo(dtype).eps
    # Just outside the series 1 - B(-x) keeps the digits that |x| = 0.03 leaves it.
    slopes = jax.vmap(jax.grad(bernoulli))(jnp.asarray(x))
    np.testing.assert_allclose(slopes, expected, rtol=200 * eps)
    curvature = jax.grad(jax.grad(bernoulli))(jnp.zeros((), dtype))
    np.testing.assert_allclose(curvature, 1 / 6, rtol=4 * eps)


@pytest.mark.parametrize("sign", [1, -1])
def test_extreme_arguments_stay_finite_and_not_negative(dtype, sign):
    x = sign * jnp.asarray([np.finfo(dtype).tiny, 100.0, 1e3, 1e10, 1e30], dtype)
    values, slopes = bernoulli(x), jax.vmap(jax.grad(bernoulli))(x)
    assert np.all(np.isfinite(values))
    assert np.all(values >= 0)
    assert np.all(np.isfinite(slopes))
    if sign < 0:
        np.testing.assert_allclose(values, np.maximum(np.asarray(-x), 1))


def test_not_a_number_stays_not_a_number():
    # A NaN that turned into 1 here would let a run with a NaN drive end as completed.
    assert np.isnan(bernoulli(jnp.asarray(jnp.nan)))


def test_even_part_gives_both_signs(dtype):
    x = jnp.linspace(-EVEN_LIMIT, EVEN_LIMIT, 201, dtype=dtype)
    even = bernoulli_even(x)
    assert even.dtype == dtype
    # At the limit the first neglected term of the series is 4 roundings in float64.
    np.testing.assert_allclose(even - x / 2, bernoulli(x), rtol=12 * np.finfo(dtype).eps)
    np.testing.assert_allclose(even + x / 2, bernoulli(-x), rtol=12 * np.finfo(dtype).eps)
