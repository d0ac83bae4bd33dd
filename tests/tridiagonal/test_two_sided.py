"""Elimination from both ends against dense matrices, for every row at which mass re-enters."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnlif.tridiagonal.two_sided import Chain, eliminate, eliminate_closed


def rates(num, dtype):
    up, down = np.random.default_rng(num).uniform(0.1, 3, (2, num, 2))
    return jnp.asarray(up, dtype), jnp.asarray(down, dtype)


def dense(up, down, kappa, source=None):
    matrix = np.diag(up + kappa) + np.diag(np.append(0, down[:-1]))
    matrix -= np.diag(up[:-1], -1) + np.diag(down[:-1], 1)
    if source is not None:
        matrix[source, -1] -= up[-1]
    return matrix


@partial(jax.jit, static_argnames="source")
def solved(up, down, kappa, rhs, source):
    chain = partial(Chain.table, up, down)
    if source is None:
        found = eliminate(chain, up[-1], kappa, rhs)
    else:
        found = eliminate_closed(chain, up[-1], kappa, rhs, source)
    solution = found.solution()
    return solution.rows(), (found.last(), solution.last()), solution.total()


@pytest.mark.parametrize(
    ("num", "source"),
    [(2, 0), (2, 1), (3, 2), (6, 1), (6, 4), (7, 0), (2, None), (7, None)],
)
def test_solution_is_that_of_the_dense_matrix(num, source, dtype):
    up, down = rates(num, dtype)
    rhs = jnp.asarray(np.random.default_rng(0).uniform(0, 1, (num, 2)), dtype)
    kappa = jnp.asarray([0.3, 2.0], dtype)
    rows, lasts, total = solved(up, down, kappa, rhs, source)
    tolerance = 50 * np.finfo(dtype).eps
    for j in range(2):
        matrix = dense(*(np.asarray(x[:, j], float) for x in (up, down)), float(kappa[j]), source)
        expected = np.linalg.solve(matrix, np.asarray(rhs[:, j], float))
        np.testing.assert_allclose(rows[:, j], expected, rtol=tolerance)
        for last in lasts:
            np.testing.assert_allclose(last[j], expected[-1], rtol=tolerance)
        np.testing.assert_allclose(total[j], expected.sum(), rtol=tolerance)
    assert rows.dtype == dtype


def test_nothing_is_lost_where_hardly_anything_leaves(dtype):
    up, down = rates(6, dtype)
    rhs, kappa = jnp.ones((6, 2), dtype), jnp.full(1, 1e-18, dtype)
    rows, _, total = solved(up, down, kappa, rhs, 4)
    np.testing.assert_allclose(kappa * total, jnp.sum(rhs, 0), rtol=50 * np.finfo(dtype).eps)
    assert np.all(rows > 0)
