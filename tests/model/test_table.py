"""Functions given by their values at knots."""

import jax.numpy as jnp
import numpy as np
import pytest

import jaxnlif as jn


def test_linear_between_knots_and_constant_beyond():
    table = jn.Table([0.0, 1.0, 3.0], [1.0, 3.0, -1.0])
    at = table(jnp.array([-5.0, 0.0, 0.5, 2.0, 3.0, 9.0]))
    np.testing.assert_allclose(at, [1.0, 1.0, 2.0, 1.0, -1.0, -1.0])


@pytest.mark.parametrize(
    ("knots", "values", "message"),
    [
        ([0.0, 1.0], [1.0], r"values: shape \(1,\) must equal the shape \(2,\) of knots"),
        ([0.0, 0.0], [1.0, 1.0], r"knots: must be strictly increasing, but entry 1 = 0 follows"),
        ([0.0, 2.0, 1.0], [1.0, 1.0, 1.0], r"entry 2 = 1 follows entry 1 = 2"),
        ([0.0], [1.0], r"knots: shape \(1,\) must be \(k,\) with k at least 2"),
        ([0.0, float("nan")], [1.0, 1.0], r"knots = nan at \[1\]: must be finite"),
        ([0.0, 1.0], [1.0, float("inf")], r"values = inf at \[1\]: must be finite"),
    ],
)
def test_wrong_tables_are_refused(knots, values, message):
    with pytest.raises(ValueError, match=message) as caught:
        jn.Table(knots, values)
    assert "\n" not in str(caught.value)
