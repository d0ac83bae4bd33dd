"""Self-consistent rates of networks, and the folds where they end."""

from __future__ import annotations

from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnlif.density import stationary

from .test_stationary import (
    DOUBLE,
    EPS,
    central_difference,
    check_gradient,
    derivatives,
)
from .test_stationary_rest import SCAN, rate_near


@pytest.mark.parametrize(
    ("weight", "expected"),
    [
        (-1.0, [0.10020219]),
        (0.0, [0.11997597]),
        (0.5, [0.13477508]),
        (1.5, [0.19236401, 2.28912571]),
        (2.0, [0.29258285, 0.68943384]),
        (3.0, []),
    ],
)
def test_rates_of_the_reference_network(weight, expected, dtype):
    rates = stationary.self_consistent_rates(weight, 0.0)
    assert rates.shape == (len(expected),)
    np.testing.assert_allclose(rates, expected, rtol=0 if dtype == np.float64 else 2e-5, atol=6e-9)


NETWORKS = [  # weight, drive, a0, a1, threshold, reset, number of rates
    (0.5, 0.0, 1.0, 0.0, 2.0, 1.0, 1),
    (1.5, 0.0, 1.0, 0.0, 2.0, 1.0, 2),
    (1.0, 0.0, 1.0, 0.0, 2.0, 1.0, 1),  # b = V_F - V_R: the upper rate is infinite
    (1.0, 1.5, 1.0, 0.0, 2.0, 1.0, 0),
    (1.001, 0.0, 1.0, 0.0, 2.0, 1.0, 2),  # the upper rate is 1499
    (1.02, 1.45, 0.01, 0.0, 2.0, 1.0, 2),
    (-1000.0, 50.0, 1.0, 0.0, 2.0, 1.0, 1),
    (-1e5, 2.5, 0.001, 0.0, 2.0, 1.0, 1),
    (0.5, 100.0, 1.0, 0.0, 2.0, 1.0, 1),
    (2.0, -5.0, 10.0, 0.0, 2.0, 1.0, 2),
    (0.5, 0.0, 1.0, 3.0, 2.0, 1.0, 1),
    (1.5, 0.0, 1.0, 0.5, 2.0, 1.0, 2),
    (3.0, 0.0, 1.0, 0.5, 2.0, 1.0, 0),
    (0.95, 1.6, 0.03, 0.0, 2.0, 1.0, 3),
]


@pytest.mark.parametrize("network", NETWORKS)
def test_rates_are_all_sign_changes_of_a_fine_scan(network, dtype):
    *arguments, count = network
    weight, drive, a0, a1, threshold, reset = arguments
    rates = np.asarray(stationary.self_consistent_rates(*arguments))
    assert rates.shape == (count,)
    assert (np.diff(rates) > 0).all()

    def residual(n):
        return stationary.log_firing_rate(
            drive + weight * n, a0 + a1 * n, threshold, reset
        ) - np.log(n)

    if dtype == np.float64:  # in float32 the residual of the highest rates is rounding
        assert np.count_nonzero(np.diff(np.sign(residual(SCAN)))) == count
    distance = (threshold - drive - weight * rates) / np.sqrt(a0 + a1 * rates)
    tolerance = (
        20 * np.finfo(dtype).eps * (10 + np.maximum(distance, 0) ** 2 + np.abs(np.log(rates)))
    )
    amplified = 1 + np.abs(weight) * rates * np.abs(distance) / np.sqrt(a0 + a1 * rates)
    assert (np.abs(residual(rates)) <= tolerance * amplified).all()

    for rate in rates:
        followed = stationary.self_consistent_rate(*arguments, guess=1.02 * rate)
        np.testing.assert_allclose(followed, rate, 1e-10 if dtype == np.float64 else 1e-3)


def test_rates_too_low_to_be_represented_are_zero():
    rates = stationary.self_consistent_rates(5.0, -30.0, 1e-3)
    assert rates[0] == 0
    np.testing.assert_allclose(rates[1], 7.8776121, 1e-5)


@pytest.mark.slow
@pytest.mark.parametrize(("branch", "guess"), [(0, 0.05), (1, 10.0)])
def test_rates_are_differentiable(branch, guess):
    network = (1.4, 0.1, 0.9, 0.3, 2.1, 0.9)

    def found(*network):
        return stationary.self_consistent_rates(*network)[branch]

    arguments = tuple(map(np.float64, (*network, 0.0, guess)))
    np.testing.assert_allclose(found(*network), rate_near(*arguments), 1e-12)
    check_gradient(rate_near, arguments, scales=np.array([1, 1, 1, 1, 1, 1, 0.1, 1]))

    def gradient(*x):
        return derivatives(rate_near, x, tuple(np.ones(8)))[1]

    slopes = jax.grad(found, tuple(range(6)))(*network)
    np.testing.assert_allclose(slopes, gradient(*arguments)[:6], 1e-9)
    np.testing.assert_allclose(
        curvature_near(*arguments),
        central_difference(lambda *x: gradient(*x)[0], arguments, 0),
        1e-6,
    )


curvature_near = jax.jit(jax.jacfwd(jax.grad(rate_near)))


def test_a_branch_is_followed_under_transformations():
    weights = jnp.asarray([-3.0, -1.0, 0.5, 2.0])

    def rate(weight):
        return stationary.self_consistent_rate(weight, 0.0, guess=0.1)

    many, slopes = jax.jit(jax.vmap(jax.value_and_grad(rate)))(weights)
    every = [stationary.self_consistent_rates(weight, 0.0)[0] for weight in weights]
    np.testing.assert_allclose(many, every, 1e5 * EPS)
    r, dr = jax.jit(jax.vmap(jax.value_and_grad(stationary.firing_rate)))(weights * many)
    np.testing.assert_allclose(slopes, many * dr / (1 - weights * dr), 1e6 * EPS)
    np.testing.assert_allclose(r, many, 1e5 * EPS)


def test_no_rate_is_an_error_or_nan():
    with pytest.raises(ValueError, match="no stationary rate near the guess"):
        stationary.self_consistent_rate(3.0, 0.0, guess=0.1)
    assert np.isnan(stationary.self_consistent_rate(3.0, 0.0, guess=0.1, throw=False))
    with pytest.raises(RuntimeError, match="no stationary rate near the guess"):
        jax.jit(lambda b: stationary.self_consistent_rate(b, 0.0, guess=0.1))(3.0)


def test_the_number_of_rates_must_be_known():
    for transformation, weight in ((jax.jit, 1.0), (jax.vmap, jnp.ones(2))):
        with pytest.raises(ValueError, match="use self_consistent_rate with a guess"):
            transformation(lambda b: stationary.self_consistent_rates(b, 0.0))(weight)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"noise": -1.0}, "noise = -1: must be positive"),
        ({"noise_slope": -0.5}, "noise_slope = -0.5: must not be negative"),
        ({"reset": 2.5}, "reset = 2.5: must be below threshold"),
        ({"drive": np.nan}, "drive = nan: must be finite"),
    ],
)
def test_wrong_networks_are_named(arguments, message):
    arguments = {"drive": 0.0, **arguments}
    with pytest.raises(ValueError, match=message):
        stationary.self_consistent_rates(1.0, **arguments)
    with pytest.raises(ValueError, match=message):
        stationary.self_consistent_rate(1.0, **arguments, guess=0.1)
    with pytest.raises(ValueError, match=message):
        stationary.fold(**arguments)


# ---------------------------------------------------------------------------------------- folds


FOLDS = [  # drive, noise and its slope
    (0.0, 1.0, 0.0),
    (-3.0, 1.0, 0.0),
    (1.0, 1.0, 0.0),
    (1.4, 1.0, 0.0),
    (1.45, 0.01, 0.0),
    (0.0, 100.0, 0.0),
    (0.0, 1.0, 0.5),
    (1.6, 1.0, 0.0),  # no fold
    (5.0, 1.0, 0.0),
]


@cache
def folds(dtype):
    return jax.jit(jax.vmap(stationary.fold))(*np.asarray(FOLDS, dtype).T)


def fold_of(network, dtype):
    return jax.tree.map(lambda x: x[FOLDS.index(network)], folds(dtype))


@pytest.mark.parametrize(("drive", "noise"), [network[:2] for network in FOLDS[:6]])
def test_fold_is_the_largest_coupling(drive, noise, dtype):
    fold = fold_of((drive, noise, 0.0), dtype)
    low, high = 1e-3, 1e5
    for _ in range(3):  # each time, around the largest value of the last
        rise = np.geomspace(low, high, 401)
        log_coupling = np.log(rise) - np.asarray(stationary.log_firing_rate(drive + rise, noise))
        low, high = rise[np.argmax(log_coupling) + np.asarray([-1, 1])]
    assert fold.attained
    np.testing.assert_allclose(
        fold.coupling, np.exp(log_coupling.max()), 1e-7 if dtype == np.float64 else 1e-4
    )
    n = stationary.firing_rate(float(drive + fold.coupling * fold.rate), noise)
    np.testing.assert_allclose(n, fold.rate, 1e-9 if dtype == np.float64 else 2e-3)


@pytest.mark.parametrize(("noise_slope", "spread"), [(0.0, 1.11605), (0.5, 1.47238)])
def test_two_rates_merge_at_the_fold(noise_slope, spread):
    fold = fold_of((0.0, 1.0, noise_slope), DOUBLE)
    for below in (1e-2, 1e-6, 1e-10):
        rates = stationary.self_consistent_rates(fold.coupling - below, 0.0, 1.0, noise_slope)
        assert rates.shape == (2,)
        assert rates[0] < fold.rate < rates[1]
        # They part like the square root of the distance to the fold.
        np.testing.assert_allclose((rates[1] - rates[0]) / below**0.5, spread, 1e-5 + 3 * below)
    for above in (1e-2, 1e-6, 1e-10):
        assert not stationary.self_consistent_rates(
            fold.coupling + above, 0.0, 1.0, noise_slope
        ).size


@pytest.mark.slow
def test_fold_is_differentiable():
    check_gradient(coupling_and_rate, (0.3, 0.8, 0.4, 2.1, 0.9), rtol=1e-6)


def coupling_and_rate(*network):
    fold = stationary.fold(*network)
    return fold.coupling + 2 * fold.rate


def test_without_a_fold_the_rate_is_unbounded():
    found = [fold_of((drive, 1.0, 0.0), DOUBLE) for drive in (0.0, 1.4, 1.6, 5.0)]
    assert [bool(fold.attained) for fold in found] == [True, True, False, False]
    for fold in found[2:]:
        assert fold.coupling == 1
        assert np.isinf(fold.rate)
    network = tuple(map(np.float64, (5.0, 1.0, 0.0, 2.0, 1.0)))
    _, slopes, _ = derivatives(coupling_and_rate, network, tuple(np.ones(5)))
    np.testing.assert_array_equal(slopes, [0, 0, 0, 1, -1])  # of the coupling, V_F - V_R
    assert stationary.self_consistent_rates(0.99, 5.0).size == 1
    assert stationary.self_consistent_rates(1.01, 5.0).size == 0
