"""What all functions check of what they are given."""

import jax
import numpy as np
import pytest

import jaxnlif as jn
from jaxnlif.plot import _data


def test_what_is_no_solution_or_several_is_refused(learned):
    with pytest.raises(ValueError, match="sol = int: must be a Solution"):
        _data.grid_of(3)
    twice = jax.tree.map(lambda x: np.stack([x, x]) if hasattr(x, "shape") else x, learned)
    with pytest.raises(ValueError, match="holds a batch of runs"):
        jn.plot.rate(twice)


def test_cells_end_half_way_between_their_centres():
    np.testing.assert_allclose(_data.edges(np.array([0.0, 1.0, 3.0])), [-0.5, 0.5, 2.0, 4.0])
    np.testing.assert_allclose(_data.edges(np.array([2.0])), [1.5, 2.5])


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("text", r"x = 'text': must be numbers, shape \(k,\) or \(k, n\)"),
        (1.0, r"x: shape \(\): must be \(k,\) or \(k, n\)"),
        (np.zeros((2, 0)), r"x: shape \(2, 0\): must be"),
    ],
)
def test_numbers_name_their_rule(value, message):
    with pytest.raises(ValueError, match=message):
        _data.numbers("x", value, (None,), (None, None))
