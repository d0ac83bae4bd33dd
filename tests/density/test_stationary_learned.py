"""Stationary states of networks that learn, against SciPy and their own equations."""

from __future__ import annotations

from functools import cache

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import brentq

from jaxnlif.density import stationary

from .test_stationary import DOUBLE, EPS, derivatives, scipy_rate


class Bump(eqx.Module):
    """I(w) = base + height exp(-(w - center)²/(2 width²))."""

    base: jax.Array | float = 1.0
    height: jax.Array | float = 3.0
    center: jax.Array | float = 0.3
    width: jax.Array | float = 0.1

    def __call__(self, w):
        return self.base + self.height * jnp.exp(-((w - self.center) ** 2) / (2 * self.width**2))


def saturating(rate):
    return rate / (1 + rate)


def linear_gain(w):
    return 0.2 + 0.3 * w


def scipy_learned_support(gain, drive_fn, response_fn):
    """A from ∫ H = 1 with adaptive quadrature and Siegert's rate."""

    def mass(support):
        rate = np.sqrt(quad(lambda w: w / gain(w), 0, support)[0])
        response = response_fn(rate)
        return quad(
            lambda w: w / (gain(w) * rate * scipy_rate(drive_fn(w) + w * response)),
            0,
            support,
            points=[0.3],
            epsabs=0,
            epsrel=1e-9,
            limit=200,
        )[0]

    return brentq(lambda support: mass(support) - 1, 0.2, 2, xtol=1e-12)


@cache
def learned(dtype, gain, drive):
    return stationary.learned_state(gain, drive, saturating)


@eqx.filter_jit
def densities(state, w, drive, noise):
    """Those of weights and of rates at `w`, and the rates of neurons with this input."""
    return state.weights(w), state.rates(w), stationary.firing_rate(drive, noise)


def bump(w):
    return 1 + 3 * np.exp(-50 * (w - 0.3) ** 2)


@pytest.mark.parametrize(
    ("gain", "drive", "reference"),
    [(0.3, Bump(), bump), (linear_gain, jnp.ones_like, np.ones_like)],
)
def test_learned_state_solves_its_equations(gain, drive, reference, dtype):
    state = learned(dtype, gain, drive)
    gain_at = gain if callable(gain) else lambda w: gain
    expected = scipy_learned_support(gain_at, reference, saturating)
    np.testing.assert_allclose(state.support, expected, 1e-8 if dtype == np.float64 else 1e-5)
    if not callable(gain):
        np.testing.assert_allclose(
            state.rate, state.support / np.sqrt(2 * gain), 100 * np.finfo(dtype).eps
        )

    w = np.linspace(0, float(state.support), 4001)
    drives = reference(w) + w * saturating(float(state.rate))
    outside = np.array([-0.1, float(state.support) + 0.1])
    weights, rates, answers = map(
        np.asarray, densities(state, np.append(w, outside), np.append(drives, outside), np.ones(()))
    )
    assert not np.any(rates[-2:])
    assert not np.any(weights[-2:])
    weights, rates, answers = weights[:-2], rates[:-2], answers[:-2]
    np.testing.assert_allclose(np.trapezoid(weights, w), 1, 1e-6)
    np.testing.assert_allclose(np.trapezoid(rates, w), state.rate, 1e-6)
    rtol = 1e-4 if dtype == np.float32 else 1e-12
    np.testing.assert_allclose(weights * answers, rates, rtol)


def test_learned_state_of_neurons_that_rest_with_noise_that_grows_with_the_rate():
    noise, slope, rest = 0.8, 0.5, 0.4
    state = stationary.learned_state(0.5, Bump(), saturating, noise, slope, refractory=rest)
    rate = float(state.rate)
    w = np.linspace(0, float(state.support), 4003)
    drives = bump(w) + w * saturating(rate)
    weights, _, answers = densities(state, w, drives, np.asarray(noise + slope * rate))
    expected = w / (0.5 * rate) * (1 / np.asarray(answers) + rest)
    np.testing.assert_allclose(weights, expected, rtol=1e-12)
    np.testing.assert_allclose(np.trapezoid(expected, w), 1, rtol=1e-6)


def test_learned_state_with_another_rate():
    """If all fire at the rate 0.3 / a, then that is the rate of the network."""
    state = stationary.learned_state(
        0.5,
        jnp.zeros_like,
        saturating,
        noise=0.6,
        rate_fn=lambda drive, noise: jnp.full_like(drive, 0.3) / noise,
    )
    np.testing.assert_allclose([state.rate, state.support], 0.5, 100 * EPS)


@pytest.mark.slow
def test_learned_state_is_differentiable():
    def rate(gain, noise, slope, threshold, reset, base, height, center, width, saturation):
        drive = Bump(base, height, center, width)
        state = stationary.learned_state(
            gain, drive, lambda x: x / (saturation + x), noise, slope, threshold, reset
        )
        return state.rate + state.weights(0.25) + state.rates(0.5)

    at = np.asarray([0.3, 0.9, 0.1, 2.1, 0.9, 1.0, 3.0, 0.3, 0.1, 1.2])
    # Of every argument in a share of its own: no two errors cancel in both.
    for along in np.random.default_rng(0).uniform(0.1, 1, (2, len(at))) * np.abs(at):
        (low, *_), (_, gradient, slope), (high, *_) = (
            derivatives(rate, tuple(at + size * along), tuple(along)) for size in (-1e-5, 0, 1e-5)
        )
        np.testing.assert_allclose(np.asarray(gradient) @ along, (high - low) / 2e-5, 1e-6)
        np.testing.assert_allclose(slope, np.asarray(gradient) @ along, 1e-10)


def test_learned_state_under_transformations():
    def support(gain):
        return stationary.learned_state(gain, Bump(), saturating).support

    found = jax.jit(jax.vmap(support))(jnp.asarray([0.3, 1.0]))
    np.testing.assert_allclose(found[0], learned(DOUBLE, 0.3, Bump()).support, 100 * EPS)
    expected = scipy_learned_support(np.ones_like, bump, saturating)
    np.testing.assert_allclose(found[1], expected, 1e-8)


def test_learned_state_near_its_largest_gain():
    """The mass as a function of the support passes one only just before it falls again."""
    largest = 3.7012518504861873
    assert np.isfinite(stationary.learned_state(largest - 1e-4, Bump(), saturating).support)
    for none in (largest + 1e-4, 100.0):
        with pytest.raises(ValueError, match="does not rise through 1"):
            stationary.learned_state(none, Bump(), saturating)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"gain": -1.0}, "gain = -1: must be positive"),
        ({"noise": 0.0}, "noise = 0: must be positive"),
        ({"noise_slope": -1.0}, "noise_slope = -1: must not be negative"),
        ({"bracket": (0.0, 1.0)}, r"bracket\[0\] = 0: must be positive"),
        ({"bracket": (2.0, 1.0)}, r"bracket\[0\] = 2: must be below bracket\[1\]"),
    ],
)
def test_wrong_learning_is_named(arguments, message):
    arguments = {"gain": 0.3, "drive_fn": Bump(), "response_fn": saturating, **arguments}
    with pytest.raises(ValueError, match=message):
        stationary.learned_state(**arguments)
