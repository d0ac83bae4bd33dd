"""Spectra and autocorrelations against scipy, sums written out, and what is known of neurons."""

import math
from functools import partial

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
import scipy.signal

import jaxnlif as jn
from jaxnlif.statistics import autocorrelation, power_spectrum, remove_line, remove_mean

LINE = jn.Grid(v=jn.VoltageGrid(-4.0, 2.0, reset=1.0, num=60))


spectrum = jax.jit(power_spectrum, static_argnames=("segment", "window", "detrend"))


def noise(dtype, *shape, seed=0):
    return np.random.default_rng(seed).normal(1.0, 0.5, shape).astype(dtype)


def times(dtype, k):
    return np.linspace(3.0, 3.0 + 0.05 * (k - 1), k, dtype=dtype)


@pytest.mark.parametrize(("k", "segment"), [(1000, 256), (999, 101), (64, 500), (2, 2)])
def test_the_spectrum_is_that_of_scipy(k, segment, dtype):
    rate = noise(dtype, 3, k)
    frequency, power = spectrum(times(dtype, k), rate, segment=segment)
    expected = scipy.signal.welch(rate.astype(float), fs=20.0, nperseg=min(segment, k))
    tolerance = 1e-10 if dtype == np.float64 else 2e-4
    np.testing.assert_allclose(frequency, expected[0], rtol=tolerance)
    peak = expected[1].max()
    np.testing.assert_allclose(power, expected[1], rtol=tolerance, atol=tolerance * peak)
    assert power.dtype == dtype


NOISE = np.random.default_rng(0).normal(size=500) + np.linspace(0, 2, 500)
TS = 3 + 0.25 * np.arange(500)
DETREND = {"constant": remove_mean, "linear": remove_line, False: None}


@pytest.mark.parametrize("detrend", DETREND)
@pytest.mark.parametrize(("window", "name"), [(jn.statistics.hann, "hann"), (jnp.ones, "boxcar")])
@pytest.mark.parametrize("segment", [2, 99, 256, 500])
def test_spectra_are_those_of_scipy(segment, window, name, detrend):
    ts, rate = jnp.asarray(TS), jnp.asarray(NOISE)
    found = power_spectrum(ts, rate, segment=segment, window=window, detrend=DETREND[detrend])
    options = {"window": name, "nperseg": segment, "detrend": detrend}
    frequency, power = scipy.signal.welch(NOISE, fs=4.0, **options)
    np.testing.assert_allclose(found[0], frequency, rtol=1e-12)
    np.testing.assert_allclose(found[1], power, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("num", [199, 200])
def test_the_integral_over_frequencies_is_the_variance(num):
    rate = NOISE[:num]
    found = spectrum(TS[:num], rate, segment=num, window=jnp.ones)
    frequency, power = map(np.asarray, found)
    np.testing.assert_allclose(np.sum(power) * frequency[1], np.var(rate), rtol=1e-12)


def test_white_noise_has_the_power_of_its_variance(dtype):
    rate = noise(dtype, 20_000)
    frequency, power = map(np.asarray, spectrum(times(dtype, 20_000), rate))
    np.testing.assert_allclose(np.mean(power[1:]), 2 * 0.25 * 0.05, rtol=0.03)
    np.testing.assert_allclose(np.sum(power) * frequency[1], np.var(rate), rtol=0.03)


def test_the_autocorrelation_is_the_sum_over_pairs(dtype):
    rate = noise(dtype, 50)
    lag, found = jax.jit(partial(autocorrelation, lags=20))(times(dtype, 50), rate)
    deviation = (rate - np.mean(rate)).astype(float)
    sums = np.array([deviation[: 50 - n] @ deviation[n:] for n in range(20)])
    tolerance = 1e-10 if dtype == np.float64 else 1e-4
    np.testing.assert_allclose(found, sums / sums[0], rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(lag, 0.05 * np.arange(20), rtol=1e-4)


def test_a_constant_rate_is_correlated_with_nothing(dtype):
    def correlation(rate):
        found = autocorrelation(ts, rate)[1]
        return jnp.sum(found), found

    ts, rate = jnp.asarray(times(dtype, 10)), np.full(10, 2.0, dtype)
    gradient, found = jax.jit(jax.grad(correlation, has_aux=True))(rate)
    assert np.all(np.asarray(found) == 0)
    assert np.all(np.asarray(spectrum(ts, rate)[1]) == 0)
    assert np.all(np.isfinite(gradient))


NUM, RUNS = 50, 40
SAVED = {"t1": 150.0, "dt": 0.05, "saveat": jn.SaveAt(num=3001, fn=None)}


@jax.jit
def fire(drive, noise, seed):
    """Times, rates and spikes of uncoupled neurons, in many runs."""
    model, y0 = jn.Network(weight=0.0, noise=noise, drive=drive), jn.gaussian(LINE, v=(0.5, 0.5))

    def run(key):
        sol = jn.solve(model, jn.Particles(NUM, LINE, max_events=1), y0=y0, key=key, **SAVED)
        return sol.ts, sol.rate, sol.spikes

    ts, rate, spikes = jax.vmap(run)(jax.random.split(jax.random.key(seed), RUNS))
    return ts[0], rate, spikes


def test_neurons_that_fire_at_a_driven_rate():
    """A sinusoid on both levels has its peak at its frequency, and as much power there."""
    drive = jn.Sinusoid(1.0, 0.8, period=2.0)
    model = jn.Network(weight=0.0, noise=1.0, drive=drive)
    sol = jn.solve(model, jn.FluxShift(LINE), y0=jn.gaussian(LINE, v=(0.5, 0.5)), **SAVED)
    ts, rate, _ = fire(drive, 1.0, 0)
    powers = []
    for found in (sol.rate, jnp.mean(rate, 0)):
        frequency, power = spectrum(ts[100:], found[100:], segment=200)
        powers.append(np.asarray(power))
        np.testing.assert_allclose(frequency[np.argmax(power)], 0.5, rtol=1e-3)
    np.testing.assert_allclose(powers[0].max(), powers[1].max(), rtol=0.1)
    assert powers[0][60:].max() < 1e-6 * powers[0].max()


def test_independent_neurons_have_the_power_of_their_spikes():
    """At high frequencies 2r/M, and less at low ones, as they fire more regularly than Poisson."""
    ts, rate, _ = fire(jn.Sinusoid(2.5, 0.0, period=2.0), 0.2, 1)
    frequency, power = spectrum(ts[200:], rate[:, 200:], segment=200)
    power = np.mean(power, 0)
    shot = 2 * float(jnp.mean(rate[:, 200:])) / NUM
    np.testing.assert_allclose(np.mean(power[frequency > 6]), shot, rtol=0.1)
    assert np.mean(power[1:4]) < 0.5 * shot


def renewal_spectrum(
    frequency: np.ndarray, drive: float, low: float = 1.0, high: float = 2.0
) -> np.ndarray:
    """S / (2 N) of a single neuron with noise 1: B. Lindner, L. Schimansky-Geier, A. Longtin,
    Phys. Rev. E 66, 031916 (2002), eq. 5, by the characteristic function of its intervals."""
    shift = (low**2 - high**2 + 2 * drive * (high - low)) / 4

    def characteristic(f):
        order = mpmath.mpc(0, 2 * math.pi * f)
        return complex(
            mpmath.exp(shift) * mpmath.pcfd(order, drive - low) / mpmath.pcfd(order, drive - high)
        )

    values = np.array([characteristic(f) for f in frequency])
    return (1 - np.abs(values) ** 2) / np.abs(1 - values) ** 2


@pytest.mark.slow
def test_particles_have_the_spectrum_of_renewal_processes():
    """Uncoupled neurons, whose spectrum is that of one, divided by their number."""
    drive, bin_width, segment = 1.0, 0.1, 400
    rate = float(jn.stationary.firing_rate(drive))
    ts, _, spikes = fire(jn.Sinusoid(drive, 0.0, period=2.0), 1.0, 1)
    found = np.diff(spikes[:, 100::2]) / bin_width  # without a transient
    frequency, power = spectrum(ts[102::2], found, segment=segment)
    power = np.mean(power, 0)
    bands = np.arange(2, 198).reshape(14, 14)  # without what the window takes from the frequency 0
    measured = np.mean(power[bands], 1) * NUM / (2 * rate)
    centres = np.mean(np.asarray(frequency)[bands], 1)
    folded = centres[:, None] + np.arange(-8, 9)[None] / bin_width  # bins alias what is faster
    intervals = np.ones_like(folded)  # of which the fast part is that of a Poisson process
    slow = np.abs(folded) < 10
    intervals[slow] = renewal_spectrum(np.abs(folded[slow]), drive)
    expected = np.sum(intervals * np.sinc(folded * bin_width) ** 2, 1)
    independent = 14 * found.size / segment
    np.testing.assert_allclose(np.mean(found), rate, rtol=0.01)
    assert np.max(np.abs(measured / expected - 1)) < 4 / math.sqrt(independent)
    assert expected[0] > 1.15 * expected.min()  # so that a Poisson process would not pass


@pytest.mark.parametrize("statistic", [power_spectrum, autocorrelation])
def test_gradients_are_those_of_differences(statistic):
    ts, rate = jnp.asarray(TS[:40]), NOISE[:40]

    @jax.jit
    @jax.value_and_grad
    def score(rate):
        return jnp.sum(jnp.sin(statistic(ts, rate)[1]))

    direction, h = np.cos(np.arange(40.0)), 1e-5
    high, low = (float(score(rate + step * direction)[0]) for step in (h, -h))
    difference = (high - low) / (2 * h)
    np.testing.assert_allclose(score(rate)[1] @ direction, difference, rtol=1e-7)


@pytest.mark.parametrize(
    ("ts", "rate", "arguments", "message"),
    [
        ([0.0, 1.0, 3.0], [1.0, 2.0, 3.0], {}, "ts: must ascend at equal distances"),
        ([2.0, 1.0, 0.0], [1.0, 2.0, 3.0], {}, "ts: must ascend at equal distances"),
        ([0.0], [1.0], {}, r"ts: shape \(1,\): must be \(k,\)"),
        ([0.0, 1.0], [1.0, 2.0], {"segment": 1}, "segment = 1: must be at least 2"),
        ([0.0, 1.0], [1.0, 2.0], {"window": lambda _: [1.0]}, r"window: shape \(1,\): must be"),
    ],
)
def test_wrong_arguments(ts, rate, arguments, message):
    with pytest.raises(ValueError, match=message):
        power_spectrum(jnp.asarray(ts), jnp.asarray(rate), **arguments)


def test_more_lags_than_times():
    with pytest.raises(ValueError, match="lags = 3: must be at most 2"):
        autocorrelation(jnp.arange(2.0), jnp.ones(2), lags=3)
