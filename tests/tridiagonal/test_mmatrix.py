"""The subtraction-free solve against matrices written out and against exact fractions."""

from fractions import Fraction

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from jaxnlif.tridiagonal import loops, mmatrix
from jaxnlif.tridiagonal.exchange import Rates


def ups():
    return jnp.array([[1.0], [2.0], [0.5], [3.0]])


def downs():
    return jnp.array([[0.25], [1.0], [4.0], [7.0]])  # the last one leads nowhere and is not used


MATRIX = np.array(
    [[1.0, -0.25, 0, 0], [-1.0, 2.25, -1.0, 0], [0, -2.0, 1.5, -4.0], [0, 0, -0.5, 7.0]]
)

solve = jax.jit(mmatrix.solve)


def column(*values):
    return jnp.asarray(values)[:, None]


def test_product_with_the_matrix_written_out():
    x = column(1.0, 2.0, 3.0, 4.0)
    expected = MATRIX @ x[:, 0] + 0.5 * x[:, 0]
    np.testing.assert_allclose(
        mmatrix.apply(jnp.array([0.5]), ups(), downs(), x)[:, 0], expected, rtol=1e-6
    )


def test_elimination_computed_by_hand():
    rates = Rates.table(ups(), downs())
    _, excess = loops.sweep_up(rates, jnp.ones(1), jnp.zeros_like(ups()))
    # e_1 = 1 + 1/4 · 1/2,  e_2 = 1 + 1 · e_1/(e_1 + 2),  e_3 = 1 + 4 · e_2/(e_2 + 1/2)
    expected = [Fraction(1)]
    for up, down in ((1, Fraction(1, 4)), (2, 1), (Fraction(1, 2), 4)):
        expected.append(1 + down * expected[-1] / (expected[-1] + up))
    assert expected[1] == Fraction(9, 8)
    np.testing.assert_allclose(excess[:, 0], [float(e) for e in expected], rtol=1e-6)


@pytest.mark.parametrize("kappa", [1e-3, 1.0, 1e3])
def test_solution_equals_that_of_the_dense_matrix(kappa, dtype):
    rhs = column(1.0, 0.0, 2.0, 0.5)
    x = solve(jnp.array([kappa]), ups(), downs(), rhs)
    expected = np.linalg.solve(MATRIX + kappa * np.eye(4), np.asarray(rhs, float))
    np.testing.assert_allclose(x, expected, rtol=20 * np.finfo(dtype).eps)


def test_columns_with_their_own_matrices_are_independent(dtype):
    rng = np.random.default_rng(0)
    up, down, rhs = (jnp.asarray(rng.uniform(0, 2, (6, 3)), dtype) for _ in range(3))
    kappa = jnp.asarray([0.1, 1.0, 10.0], dtype)
    together = solve(kappa, up, down, rhs)
    for j in range(3):
        alone = solve(*(x[..., j : j + 1] for x in (kappa, up, down, rhs)))
        np.testing.assert_allclose(together[:, j : j + 1], alone, rtol=4 * np.finfo(dtype).eps)


def test_one_matrix_serves_many_right_sides(dtype):
    rhs = jnp.asarray(np.random.default_rng(1).uniform(0, 1, (4, 5)), dtype)
    x = solve(jnp.ones(1), ups(), downs(), rhs)
    expected = np.linalg.solve(MATRIX + np.eye(4), np.asarray(rhs, float))
    np.testing.assert_allclose(x, expected, rtol=20 * np.finfo(dtype).eps)


@pytest.mark.parametrize("exponent", range(-14, 1))
def test_every_digit_holds_however_small_the_excess(exponent, dtype):
    # No exit: the matrix is singular but for κ, which a solve by subtraction would lose.
    n, rng = 60, np.random.default_rng(2)
    up, down, rhs = (rng.uniform(0.1, 10, n).astype(dtype) for _ in range(3))
    up[-1] = 0
    kappa = dtype.type(10.0**exponent)
    x = solve(*(jnp.asarray(a)[..., None] for a in (kappa, up, down, rhs)))
    expected = exact_solution(kappa, up, down, rhs)
    # Rounding of n pivots and two sweeps; independent of κ.
    np.testing.assert_allclose(x[:, 0], expected, rtol=2 * n * np.finfo(dtype).eps)


def exact_solution(kappa, up, down, rhs):
    """Thomas' algorithm in rational numbers."""
    kappa, *_ = (Fraction(float(kappa)),)
    up, down, rhs = ([Fraction(float(v)) for v in a] for a in (up, down, rhs))
    n = len(up)
    diagonal = [kappa + up[j] + (down[j - 1] if j else 0) for j in range(n)]
    for j in range(1, n):
        factor = up[j - 1] / diagonal[j - 1]
        diagonal[j] -= factor * down[j - 1]
        rhs[j] += factor * rhs[j - 1]
    x = [rhs[-1] / diagonal[-1]]
    for j in range(n - 2, -1, -1):
        x.append((rhs[j] + down[j] * x[-1]) / diagonal[j])
    return [float(value) for value in reversed(x)]


def test_solution_is_positive_over_the_whole_range_of_rates(dtype):
    rng = np.random.default_rng(3)
    up, down = (jnp.asarray(10.0 ** rng.uniform(-12, 12, (50, 20)), dtype) for _ in range(2))
    rhs = jnp.zeros((50, 20), dtype).at[25].set(1)
    x = solve(jnp.full(20, 1e-10, dtype), up, down, rhs)
    assert np.all(np.isfinite(x))
    assert np.all(x >= 0)


@jax.jit
def shifted(kappa, up, down, rhs, mass):
    def product(x):
        return mmatrix.apply(kappa, up, down, x)

    def rates_of(_, columns):
        up, down, kappa = columns
        return Rates.table(up, down), kappa

    system, pin = (rates_of, (), (up, down, kappa)), jnp.full(len(kappa), 1)
    return mmatrix.solve_shifted(*system, 2, rhs, mass, pin=pin, matvec=product)


@pytest.mark.parametrize("kappa", [0.0, 0.3])
def test_a_given_mass_with_what_is_missing_coming_in_at_one_row(kappa, dtype):
    rhs, mass = column(1.0, 0.0, 2.0, 0.5), jnp.array([3.0])
    x = shifted(jnp.array([kappa]), ups(), downs(), rhs, mass)
    left = (MATRIX + kappa * np.eye(4)) @ np.asarray(x, float) - np.asarray(rhs, float)
    np.testing.assert_allclose(jnp.sum(x), 3, rtol=20 * np.finfo(dtype).eps)
    np.testing.assert_allclose(left[[0, 1, 3]], 0, atol=100 * np.finfo(dtype).eps)


@pytest.mark.parametrize("kappa", [0.0, 0.3])
def test_derivatives_with_a_given_mass(kappa):
    rng = np.random.default_rng(5)
    up, down, rhs = (jnp.asarray(rng.uniform(0.1, 2, (5, 2))) for _ in range(3))
    arguments = jnp.full(2, kappa), up, down, rhs, jnp.ones(2)
    check_grads(shifted, arguments, order=2, modes=("fwd", "rev"), rtol=1e-6)


def test_derivatives_in_both_modes():
    rng = np.random.default_rng(4)
    up, down, rhs = (jnp.asarray(rng.uniform(0.1, 2, (5, 2))) for _ in range(3))
    arguments = jnp.array([0.3, 0.7]), up, down, rhs
    check_grads(solve, arguments, order=2, modes=("fwd", "rev"), rtol=1e-6)
