"""Stationary rates and densities against independent ones."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import mpmath as mp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
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
