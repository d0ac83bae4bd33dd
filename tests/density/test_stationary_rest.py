"""Rates of neurons that rest, the derivatives of rates, and wrong arguments."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import brentq
from scipy.special import erfcx

from jaxnlif.density import stationary

from .test_stationary import EPS, EVERY, NEURONS, central_difference, check_gradient


@jax.jit
def without_and_with_rest(drive, rest):
    """Rates and densities at one potential."""
    v = jnp.asarray(0.5, drive.dtype)
    rates = stationary.firing_rate(drive), stationary.firing_rate(drive, refractory=rest)
    return rates, (stationary.density(v, drive), stationary.density(v, drive, refractory=rest))


def test_resting_neurons_lengthen_every_interval(dtype):
    drive, rest = np.array([-30.0, 0.0, 3.0, 100.0], dtype), dtype.type(0.4)
    (free, resting), (whole, rested) = without_and_with_rest(drive, rest)
    assert resting.dtype == dtype
    free = np.asarray(free, float)
    expected = free / (1 + 0.4 * free)
    np.testing.assert_allclose(resting, expected, rtol=1e-13 if dtype == np.float64 else 1e-6)
    # the mass of those that do not rest
    np.testing.assert_allclose(
        rested,
        np.asarray(whole) * (1 - 0.4 * expected),
        rtol=1e-13 if dtype == np.float64 else 1e-5,
    )
    (_, fastest), _ = without_and_with_rest(np.full(4, 1e30, dtype), rest)
    np.testing.assert_allclose(fastest, 2.5, rtol=1e-6)


@pytest.mark.parametrize("rest", [0.0, 0.3])
@pytest.mark.parametrize("drive", [-3.0, 1.0, 40.0])
def test_rates_are_differentiable_by_the_refractory_period(drive, rest):
    rate, slope = jax.value_and_grad(lambda rest: stationary.firing_rate(drive, refractory=rest))(
        rest
    )
    np.testing.assert_allclose(slope, -(rate**2), rtol=1e-12)


def siegert_of_brunel():
    """Mean, noise, its slope and weight (mV) of Brunel's network with g = 5 and twice threshold."""
    jump, synapses, g, external, time = 0.1, 1000, 5.0, 20.0, 0.02
    outside = jump * synapses * external * time
    inside = synapses * jump * (1 - g / 4) * time
    return outside, jump * outside, inside, jump**2 * synapses * (1 + g**2 / 4) * time


def test_the_rate_of_brunels_network_with_a_refractory_period(dtype):
    """Against Siegert's formula in mV and ms, with 2 ms of rest, and a root of scipy."""
    mean, variance, weight, slope = siegert_of_brunel()

    def excess(rate):
        center, width = mean + weight * rate, np.sqrt(variance + slope * rate)
        low, high = (10 - center) / width, (20 - center) / width
        return 1 / rate - 2e-3 - 0.02 * np.sqrt(np.pi) * quad(lambda u: erfcx(-u), low, high)[0]

    expected = brentq(excess, 1, 200)
    np.testing.assert_allclose(expected, 37.9497, rtol=1e-6)
    numbers = {
        "weight": weight / 0.02 / 10,
        "drive": mean / 10,
        "noise": variance / 200,
        "noise_slope": slope / 0.02 / 200,
    }
    rest = 0.1
    (rate,) = stationary.self_consistent_rates(**numbers, refractory=rest)
    np.testing.assert_allclose(rate / 0.02, expected, rtol=1e-9 if dtype == np.float64 else 1e-5)
    followed = stationary.self_consistent_rate(**numbers, refractory=rest, guess=1.0)
    np.testing.assert_allclose(followed, rate, rtol=1e-10 if dtype == np.float64 else 1e-5)


SCAN = np.geomspace(1e-14, 1e5, 1001)


@pytest.mark.parametrize(
    ("network", "count"),
    [
        ((3.0, 0.0, 1.0, 0.0, 2.0, 1.0, 0.1), 1),
        ((3.0, -1.0, 0.2, 0.0, 2.0, 1.0, 0.01), 3),
        ((1.0, 0.0, 1.0, 0.0, 2.0, 1.0, 0.5), 1),
        ((20.0, 1.0, 1.0, 0.5, 2.0, 1.0, 1e-3), 1),
        ((-30.0, 20.0, 1.0, 0.0, 2.0, 1.0, 0.2), 1),
    ],
)
def test_rates_with_rest_are_all_sign_changes_of_a_fine_scan(network, count):
    weight, drive, a0, a1, threshold, reset, rest = network
    rates = np.asarray(stationary.self_consistent_rates(*network), float)
    log_r = stationary.log_firing_rate(drive + weight * SCAN, a0 + a1 * SCAN, threshold, reset)
    excess = -np.logaddexp(np.log(rest), -np.asarray(log_r, float)) - np.log(SCAN)
    (before,) = np.nonzero(np.diff(np.sign(excess)))
    assert len(before) == count
    share = excess[before] / (excess[before] - excess[before + 1])
    ends = SCAN[before] * (SCAN[before + 1] / SCAN[before]) ** share
    np.testing.assert_allclose(rates, ends, rtol=2e-3)


def rate_near(weight, drive, noise, slope, threshold, reset, rest, guess):
    return stationary.self_consistent_rate(
        weight, drive, noise, slope, threshold, reset, rest, guess=guess
    )


def test_rates_with_rest_are_differentiable():
    check_gradient(rate_near, (1.4, 0.1, 0.9, 0.3, 2.1, 0.9, 0.2, 0.3))


def log_rate_of_gap(drive, noise, threshold, gap):
    return stationary.log_firing_rate(drive, noise, threshold, threshold - gap)


@pytest.mark.parametrize("neuron", NEURONS)
def test_rate_is_differentiable(neuron):
    drive, noise, threshold, reset = neuron

    # Steps relative to the scale on which log r changes by one.
    distance = 1 + abs(threshold - drive) / np.sqrt(noise)
    scales = np.array([np.sqrt(noise), noise / distance, np.sqrt(noise), 0]) / distance
    gap = scales[3] = threshold - reset
    rounding = 1e-10 + 10 * EPS * (distance**2 + threshold / gap) / 1e-5
    check_gradient(log_rate_of_gap, (drive, noise, threshold, gap), scales, 1e-6, rounding)


@pytest.mark.parametrize(
    "neuron", [(0.3, 0.8, 2.0, 1.0), (2.0, 1.0, 2.0, 1.0), (9.0, 3.0, 2.0, -7.0)]
)
def test_rate_has_second_derivatives(neuron):
    neuron = tuple(map(np.float64, neuron))
    _, hessian = gradient_and_hessian(*neuron)
    expected = [
        central_difference(lambda *x: gradient_and_hessian(*x)[0], neuron, k) for k in EVERY
    ]
    np.testing.assert_allclose(hessian, np.array(expected), 1e-6, 1e-8)


@jax.jit
def gradient_and_hessian(*neuron):
    gradient = jax.grad(stationary.firing_rate, EVERY)
    hessian = jax.hessian(stationary.firing_rate, EVERY)
    return jnp.stack(gradient(*neuron)), jnp.array(hessian(*neuron))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0.0, 0.0), "noise = 0: must be positive"),
        ((0.0, [1.0, -2.0]), "noise = -2: must be positive"),
        ((0.0, np.nan), "noise = nan: must be positive"),
        ((np.inf,), "drive = inf: must be finite"),
        ((0.0, 1.0, 2.0, 2.0), "reset = 2: must be below threshold"),
        ((0.0, 1.0, 2.0, 1.0, -0.1), "refractory = -0.1: must not be negative"),
        ((np.zeros(2), np.ones(3)), r"shapes must broadcast .*: drive \(2,\), noise \(3,\)"),
        ((0.0, 1.0, np.nan), "reset = 1: must be below threshold"),
    ],
)
def test_wrong_arguments_are_named(arguments, message):
    arguments = [np.asarray(x) for x in arguments]
    for function in (stationary.firing_rate, jax.grad(lambda *x: stationary.firing_rate(*x).sum())):
        with pytest.raises(ValueError, match=message):
            function(*arguments)
