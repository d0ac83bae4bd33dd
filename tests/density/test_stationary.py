"""Rates, densities, self-consistent rates, folds and learned states against independent ones."""

from __future__ import annotations

from functools import cache, partial

import equinox as eqx
import jax
import jax.numpy as jnp
import mpmath as mp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.optimize import brentq
from scipy.special import erfcx

from jaxnlif.density import stationary

DOUBLE = np.dtype(float)
EPS = float(np.finfo(DOUBLE).eps)
EVERY = (0, 1, 2, 3)  # arguments of a rate


def reference_log_rate(drive, noise, threshold, reset):
    """Equation (1) as Siegert's single integral of Mills ratios, at 30 digits."""
    with mp.workdps(30):
        drive, noise, threshold, reset = map(mp.mpf, map(float, (drive, noise, threshold, reset)))
        top, bottom = ((v - drive) / mp.sqrt(noise) for v in (threshold, reset))
        cuts = {bottom, top}
        for size in (mp.mpf(2) ** k for k in range(-4, 14)):
            cuts |= {top - size, bottom + size, size, -size}
        cuts = sorted(cut for cut in cuts if bottom <= cut <= top)
        shift = max(top, mp.mpf(0)) ** 2 / 2
        mills = mp.quad(
            lambda u: mp.exp(u**2 / 2 - shift) * mp.erfc(-u / mp.sqrt(2)) * mp.sqrt(mp.pi / 2),
            cuts,
            method="gauss-legendre",
        )
        return -(shift + mp.log(mills))


def scipy_rate(drive, noise=1.0, threshold=2.0, reset=1.0):
    """The same in double precision, for moderate arguments."""
    top, bottom = ((v - drive) / np.sqrt(noise) for v in (threshold, reset))
    integral = quad(lambda u: erfcx(-u / np.sqrt(2)), bottom, top, epsabs=0, epsrel=1e-13)[0]
    return 1 / (np.sqrt(np.pi / 2) * integral)


def central_difference(function, arguments, k, scale=1.0):
    """Derivative of `function(*arguments)` in argument `k`, of second order."""
    size = 1e-5 * scale
    up, down = (
        function(*arguments[:k], arguments[k] + sign * size, *arguments[k + 1 :])
        for sign in (1, -1)
    )
    return (up - down) / (2 * size)


@partial(jax.jit, static_argnums=0)
def derivatives(function, x, dx):
    """Value, gradient, and directional derivative of a function of numbers."""
    value, forward = jax.linearize(function, *x)
    return value, jax.linear_transpose(forward, *x)(jnp.ones_like(value)), forward(*dx)


def check_gradient(function, arguments, scales=None, rtol=1e-7, atol=1e-9):
    """Compares reverse and forward derivatives with central differences in every argument."""
    arguments = tuple(map(np.float64, arguments))
    scales = np.ones(len(arguments)) if scales is None else scales
    _, gradient, along = derivatives(function, arguments, tuple(scales))
    gradient = np.array(gradient) * scales
    for k, scale in enumerate(scales):
        expected = scale * central_difference(
            lambda *x: derivatives(function, x, tuple(scales))[0], arguments, k, scale
        )
        np.testing.assert_allclose(gradient[k], expected, rtol, atol, err_msg=f"argument {k}")

    rounding = 1e-13 * np.abs(gradient).sum()
    np.testing.assert_allclose(along, gradient.sum(), 1e-10, rounding)


# ---------------------------------------------------------------------------------------- rates


NEURONS = [
    (0.0, 1.0, 2.0, 1.0),
    (2.0, 1.0, 2.0, 1.0),
    (-30.0, 1.0, 2.0, 1.0),
    (-6.7, 1.0, 2.0, 1.0),  # the peak of the integrand just leaves the origin
    (-6.6, 1.0, 2.0, 1.0),
    (1.2, 1.0, 2.0, 1.0),
    (3.0, 1.0, 2.0, 1.0),
    (20.0, 1.0, 2.0, 1.0),
    (100.0, 1.0, 2.0, 1.0),
    (0.0, 1e-3, 2.0, 1.0),
    (-30.0, 1e-3, 2.0, 1.0),
    (1.97, 1e-3, 2.0, 1.0),
    (100.0, 1e-3, 2.0, 1.0),
    (0.0, 10.0, 2.0, 1.0),
    (100.0, 10.0, 2.0, 1.0),
    (0.5, 1.0, 2.0, 2.0 - 2.0**-20),
    (50.0, 1.0, 2.0, 2.0 - 2.0**-20),
    (0.5, 1.0, 2.0, -100.0),
    (1.9, 1e-3, 2.0, -20.0),
    (30.0, 0.1, 2.0, -100.0),
]


@pytest.mark.parametrize("neuron", NEURONS)
def test_rate_solves_equation_one(neuron, dtype):
    neuron = [dtype.type(x) for x in neuron]
    expected = reference_log_rate(*neuron)
    result = stationary.log_firing_rate(*neuron)
    assert result.dtype == dtype
    # log r = -A²/2 + ..., so rounding of A by eps moves it by A² eps.
    drive, noise, threshold, _ = neuron
    amplified = np.finfo(dtype).eps * max(threshold - drive, 0) ** 2 / noise
    assert (
        abs(mp.mpf(float(result)) - expected)
        <= (1e-13 if dtype == np.float64 else 1e-6) + 4 * amplified
    )


def test_published_rate_of_the_unstructured_network(dtype):
    np.testing.assert_allclose(
        stationary.firing_rate(0.0), 0.11997597, rtol=0, atol=5e-9 + np.finfo(dtype).eps
    )


def test_strong_drive_without_noise_is_a_clock():
    drive = np.array([2.5, 4.0, 30.0])
    expected = 1 / np.log((drive - 1) / (drive - 2))
    # The period is shorter by a/2 ((μ-V_F)⁻² - (μ-V_R)⁻²) to first order in the noise.
    np.testing.assert_allclose(stationary.firing_rate(drive, 1e-6), expected, 1e-5)


def test_arguments_broadcast_and_keep_their_dtype():
    drive, noise = np.linspace(-3, 3, 4, dtype=np.float32), np.float32([[0.5], [1], [2]])
    result = stationary.log_firing_rate(drive, noise, 2.0, 1)
    assert result.shape == (3, 4)
    assert result.dtype == np.float32
    single = [[stationary.log_firing_rate(mu, a[0]) for mu in drive] for a in noise]
    np.testing.assert_allclose(result, np.array(single), 1e-6)
    np.testing.assert_allclose(
        result,
        jax.vmap(stationary.log_firing_rate)(
            jnp.broadcast_to(drive, (3, 4)), jnp.broadcast_to(noise, (3, 4))
        ),
        1e-6,
    )


@jax.jit
def value_and_derivatives(*neuron):
    """log r, its gradient and its second derivatives in all arguments."""
    function = stationary.log_firing_rate
    return (
        function(*neuron),
        jnp.stack(jax.grad(function, EVERY)(*neuron)),
        jnp.array(jax.hessian(function, EVERY)(*neuron)),
    )


@settings(max_examples=200, deadline=None)
@given(
    st.floats(-30, 100, width=32),
    st.floats(-3, 1, width=32),
    st.floats(-3, 2, width=32),
)
def test_nothing_overflows(dtype, drive, log_noise, log_gap):
    neuron = [jnp.asarray(x, float) for x in (drive, 10**log_noise, 2.0, 2.0 - 10**log_gap)]
    log_rate, gradient, hessian = value_and_derivatives(*neuron)
    assert np.isfinite(log_rate)
    assert np.isfinite(gradient).all()
    assert np.isfinite(hessian).all()
    assert gradient[0] > 0
    assert gradient[3] > -10 * np.finfo(dtype).eps / 10**log_gap


POWERS = {"float64": (8, 100, 155, 300), "float32": (8, 10, 20, 30)}


@pytest.mark.parametrize("which", range(4))
def test_drives_whose_square_overflows(which, dtype):
    """Noise no longer matters: the rate is that of a clock, and p = r/(μ - v)."""
    drive, threshold, reset = float(f"1e{POWERS[dtype.name][which]}"), 15.0, 0.0
    neuron = [jnp.asarray(x, float) for x in (drive, 1.0, threshold, reset)]
    rate, slopes = rate_and_slopes(*neuron)
    clock = -1 / np.log1p(-threshold / drive)
    rtol = 1e-11 if dtype == np.float64 else 2e-5
    np.testing.assert_allclose(float(rate) / clock, 1, rtol=rtol)
    np.testing.assert_allclose(slopes[0], 1 / 15, rtol=rtol + 8 / drive)
    np.testing.assert_allclose(float(slopes[2]) / -(clock / 15), 1, rtol=rtol + 8 / drive)
    np.testing.assert_allclose(float(slopes[3]) / (clock / 15), 1, rtol=rtol + 8 / drive)
    assert abs(float(slopes[1])) < 100 * np.finfo(dtype).eps * clock + 1e-4
    inside, below = (density_and_gradient(jnp.asarray(v, float), *neuron) for v in (5.0, -2.0))
    np.testing.assert_allclose(inside[0], 1 / 15, rtol=2e-4)
    assert below[0] < 1e-8
    assert np.isfinite(inside[1]).all()
    assert np.isfinite(below[1]).all()
    (found,) = stationary.self_consistent_rates(-1.0, drive, 1.0, 0.0, threshold, reset)
    np.testing.assert_allclose(float(found) / (drive / 16), 1, rtol=1e-5)


@pytest.mark.parametrize("which", range(3))
def test_thresholds_out_of_reach(which, dtype):
    """No neuron fires, and potentials are those of free neurons, with all their derivatives."""
    drive = -float(f"1e{(2, *POWERS[dtype.name][1:])[which]}")
    neuron = [jnp.asarray(x, float) for x in (drive, 1.0, 15.0, 0.0)]
    rate, slopes = rate_and_slopes(*neuron)
    assert rate == 0
    assert (np.asarray(slopes) == 0).all()
    p, gradient = density_and_gradient(neuron[0], *neuron)
    np.testing.assert_allclose(p, (2 * np.pi) ** -0.5, rtol=1e-6)
    np.testing.assert_allclose(gradient, [0, 0, -0.5 * p, 0, 0], rtol=1e-6, atol=1e-12)
    np.testing.assert_array_equal(stationary.self_consistent_rates(0.5, drive), [0])


@jax.jit
def rate_and_slopes(*neuron):
    slopes = jax.grad(stationary.firing_rate, EVERY)(*neuron)
    curvature = jax.hessian(stationary.firing_rate)(*neuron)
    return stationary.firing_rate(*neuron), jnp.stack(slopes) + 0 * curvature


@pytest.mark.parametrize("distance", [1e6, 5e7, 9e7, 1e9])
def test_the_limit_of_rare_spikes(distance):
    """log r = log(A/√2π) - A²/2, which changes its formula on the way."""
    result = stationary.log_firing_rate(2.0 - distance)
    expected = np.log(distance / np.sqrt(2 * np.pi)) - 0.5 * distance**2
    np.testing.assert_allclose(result, expected, rtol=1e-15)
    slope = jax.grad(stationary.log_firing_rate)(2.0 - distance)
    np.testing.assert_allclose(slope, distance, rtol=1e-9)


# ---------------------------------------------------------------------------- refractory periods


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


# ------------------------------------------------------------------------------------ densities


@pytest.mark.parametrize("neuron", [*NEURONS[:9], *NEURONS[11:15], NEURONS[17]])
def test_density_carries_the_flux(neuron, dtype):
    """Flux r between reset and threshold, none below, p(V_F) = 0: with mass one, this is p."""
    drive, noise, threshold, reset = neuron
    rate = stationary.firing_rate(*neuron)
    below = reset - np.geomspace(1e-3, 5, 20)
    above = threshold - (threshold - reset) * np.append(np.geomspace(1e-4, 0.999, 20), 0)
    v, flux = np.append(below, above), np.repeat([0.0, rate], (20, 21))
    p, slope = density_and_slope(jnp.asarray(v), *(jnp.asarray(x, float) for x in neuron))
    transported, diffused = (drive - v) * p, noise * slope
    size = np.abs(transported) + np.abs(diffused) + flux
    # exp(-x²/2) amplifies the rounding of x.
    rounding = 20 * np.finfo(dtype).eps * (10 + ((v - drive) ** 2 + drive**2) / noise)
    assert (np.abs(transported - diffused - flux) <= rounding * size)[:-1].all()
    np.testing.assert_allclose(-diffused[-1], rate, 1e-12 if dtype == np.float64 else 1e-4)


@jax.jit
@partial(jax.vmap, in_axes=(0, None, None, None, None))
def density_and_slope(v, *neuron):
    return jax.value_and_grad(stationary.density)(v, *neuron)


@pytest.mark.parametrize("neuron", NEURONS)
def test_density_has_mass_one(neuron, dtype):
    drive, noise, threshold, reset = neuron
    scale = np.sqrt(noise)
    edges = [threshold, reset, drive, *(drive + scale * np.arange(-9, 10))]
    for end in (threshold, reset):
        for k in range(-24, 8):
            edges += [end - 2.0**k, end + 2.0**k]
    edges = np.sort(np.minimum(edges, threshold))  # those above leave panels without width
    nodes, weights = np.polynomial.legendre.leggauss(12)
    half = 0.5 * np.diff(edges)[:, None]
    v = edges[:-1, None] + half * (1 + nodes)
    mass = np.sum(half * weights * np.asarray(stationary.density(v, *neuron), np.float64))
    largest = max(threshold - drive, 0) ** 2 / noise
    np.testing.assert_allclose(
        mass, 1, rtol=(1e-11 if dtype == np.float64 else 5e-5) + 8 * np.finfo(dtype).eps * largest
    )


@settings(max_examples=100, deadline=None)
@given(
    st.floats(-40, 3, width=32),
    st.floats(-30, 100, width=32),
    st.floats(-3, 1, width=32),
    st.floats(-3, 2, width=32),
)
def test_density_is_never_negative_nor_infinite(dtype, v, drive, log_noise, log_gap):
    arguments = [jnp.asarray(x, float) for x in (v, drive, 10**log_noise, 2.0, 2.0 - 10**log_gap)]
    p, gradient = density_and_gradient(*arguments)
    assert 0 <= p < np.inf
    assert np.isfinite(gradient).all()
    assert v < 2 or p == 0


@jax.jit
def density_and_gradient(*arguments):
    p, gradient = jax.value_and_grad(stationary.density, tuple(range(5)))(*arguments)
    return p, jnp.stack(gradient)


@pytest.mark.parametrize("v", [-3.0, 0.7, 1.5, 1.99])
@pytest.mark.parametrize(
    "neuron", [(0.0, 1.0, 2.0, 1.0), (6.0, 0.3, 2.0, 1.0), (-4.0, 2.0, 2.0, -1.0)]
)
def test_density_is_differentiable(v, neuron):
    check_gradient(stationary.density, (v, *neuron))


# ------------------------------------------------------------------------------------- networks


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


# ------------------------------------------------------------------------------- learned states


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
