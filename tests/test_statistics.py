"""Spectra and correlations: against SciPy and direct sums, and of networks against theory."""

import math

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
import scipy.signal

import jaxnlif as jn
from jaxnlif.statistics import (
    autocorrelation,
    autocovariance,
    power_spectrum,
    remove_line,
    remove_mean,
)

from .conftest import DOUBLE, needs_double

LINE = jn.Grid(v=jn.VoltageGrid(-4.0, 2.0, reset=1.0, num=60))
NOISE = np.random.default_rng(0).normal(size=500) + np.linspace(0, 2, 500)
TS = 3 + 0.25 * np.arange(500)
DETREND = {"constant": remove_mean, "linear": remove_line, False: None}


@needs_double
@pytest.mark.parametrize("detrend", DETREND)
@pytest.mark.parametrize(("window", "name"), [(jn.statistics.hann, "hann"), (jnp.ones, "boxcar")])
@pytest.mark.parametrize("segment", [None, 2, 99, 100, 500])
def test_spectra_are_those_of_scipy(segment, window, name, detrend):
    found = power_spectrum(TS, NOISE, segment=segment, window=window, detrend=DETREND[detrend])
    frequency, power = scipy.signal.welch(
        NOISE, fs=4.0, window=name, nperseg=segment or 256, detrend=detrend
    )
    np.testing.assert_allclose(found.frequency, frequency, rtol=1e-12)
    np.testing.assert_allclose(found.power, power, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("num", [199, 200])
def test_the_integral_over_frequencies_is_the_variance(num):
    rate = NOISE[:num]
    frequency, power = power_spectrum(TS[:num], rate, segment=num, window=jnp.ones)
    variance = np.mean((rate - rate.mean()) ** 2)
    np.testing.assert_allclose(
        np.sum(power) * frequency[1], variance, rtol=1e-12 if DOUBLE else 1e-5
    )


@pytest.mark.parametrize("lags", [0, 7, 499])
def test_autocovariances_are_sums_over_pairs(lags):
    found = autocovariance(TS, NOISE, lags=lags)
    x = NOISE - NOISE.mean()
    expected = [np.mean(x[: x.size - k] * x[k:]) for k in range(lags + 1)]
    np.testing.assert_allclose(found.lag, 0.25 * np.arange(lags + 1), rtol=1e-6)
    np.testing.assert_allclose(found.value, expected, atol=1e-12 if DOUBLE else 1e-4)
    relative = autocorrelation(TS, NOISE, lags=lags).value
    np.testing.assert_allclose(relative[0], 1, rtol=1e-6)
    np.testing.assert_allclose(relative, found.value / found.value[0], rtol=1e-6)


def test_lags_reach_a_quarter_by_default():
    assert autocovariance(TS, NOISE).lag.shape == (126,)


@needs_double
@pytest.mark.parametrize("statistic", [power_spectrum, autocovariance, autocorrelation])
def test_gradients(statistic):
    rate = jnp.asarray(NOISE[:40])

    def score(rate):
        return jnp.sum(jnp.sin(statistic(TS[:40], rate)[1]))

    direction = jnp.cos(jnp.arange(40.0))
    h = 1e-5
    difference = (score(rate + h * direction) - score(rate - h * direction)) / (2 * h)
    np.testing.assert_allclose(jax.grad(score)(rate) @ direction, difference, rtol=1e-7)


WRONG = {
    "ts: shape (2, 2): must be (k,)": (np.ones((2, 2)), np.ones((2, 2)), {}),
    "rate: shape (3,): must be (2,)": (np.arange(2.0), np.ones(3), {}),
    "rate = nan at [1]: must be finite": (np.arange(2.0), [1.0, np.nan], {}),
    "ts: intervals from 1 to 3: must be equal": ([0.0, 1, 4], np.ones(3), {}),
    "segment = 4: must be at most 3": (np.arange(3.0), np.ones(3), {"segment": 4}),
    "segment = 1: must be at least 2": (np.arange(3.0), np.ones(3), {"segment": 1}),
    "window: shape (1,): must be (3,)": (np.arange(3.0), np.ones(3), {"window": lambda n: [1.0]}),
}


@pytest.mark.parametrize("message", WRONG)
def test_wrong_arguments(message):
    ts, rate, options = WRONG[message]
    with pytest.raises(ValueError, match="must be") as error:
        power_spectrum(ts, rate, **options)
    assert str(error.value).startswith(message)


@pytest.mark.parametrize(("lags", "rule"), [(3, "must be less than 3"), (-1, "at least 0")])
def test_wrong_lags(lags, rule):
    with pytest.raises(ValueError, match=f"lags = {lags}: must be {rule.removeprefix('must be ')}"):
        autocovariance(np.arange(3.0), np.ones(3), lags=lags)


# ---- of networks -------------------------------------------------------------------------------


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
@needs_double
def test_particles_have_the_spectrum_of_renewal_processes():
    """Uncoupled neurons, whose spectrum is that of one, divided by their number."""
    num, drive, bin_width, segment = 500, 1.0, 0.1, 400
    rate = float(jn.stationary.self_consistent_rates(0.0, drive)[0])
    sol = jn.solve(
        jn.Network(weight=0.0, drive=drive),
        jn.Particles(num, LINE),
        y0=jn.gaussian(LINE, v=(0.5, 0.5)),
        t1=6005.0,
        dt=bin_width / 2,
        saveat=jn.SaveAt(ts=np.arange(5.0, 6005.01, bin_width), fn=None),
        key=jax.random.key(1),
    )
    found = jnp.diff(sol.spikes) / jnp.diff(sol.ts)
    frequency, power = power_spectrum(sol.ts[1:], found, segment=segment)
    bands = np.arange(2, 198).reshape(14, 14)  # without what the window takes from the frequency 0
    measured = np.mean(np.asarray(power)[bands], 1) * num / (2 * rate)
    centres = np.mean(np.asarray(frequency)[bands], 1)
    folded = centres[:, None] + np.arange(-8, 9)[None] / bin_width  # bins alias what is faster
    spectrum = np.ones_like(folded)  # of which the fast part is that of a Poisson process
    slow = np.abs(folded) < 10
    spectrum[slow] = renewal_spectrum(np.abs(folded[slow]), drive)
    expected = np.sum(spectrum * np.sinc(folded * bin_width) ** 2, 1)
    independent = 14 * found.size / segment
    np.testing.assert_allclose(np.mean(found), rate, rtol=0.01)
    assert np.max(np.abs(measured / expected - 1)) < 4 / math.sqrt(independent)
    assert expected[0] > 1.15 * expected.min()  # so that a Poisson process would not pass


def test_density_and_particles_have_the_same_line():
    """The power at the frequency of a periodic drive, of which noise is a small part."""
    network = jn.Network(weight=0.3, drive=jn.Sinusoid(0.5, 0.8, period=2.0))
    y0 = jn.gaussian(LINE, v=(0.0, 0.5))

    def line(solver):
        saveat = jn.SaveAt(ts=np.arange(4.0, 24.01, 0.1), fn=None)
        sol = jn.solve(
            network, solver, y0=y0, t1=24.0, dt=0.02, saveat=saveat, key=jax.random.key(2)
        )
        found = jnp.diff(sol.spikes) / jnp.diff(sol.ts)
        spectrum = power_spectrum(sol.ts[1:], found, segment=200, window=jnp.ones)
        assert int(jnp.argmax(spectrum.power)) == 10
        return float(spectrum.power[10]), float(spectrum.power[60:90].mean())

    macro, _ = line(jn.FluxShift(LINE))
    micro, noise = line(jn.Particles(20_000, LINE))
    # The amplitude of the line carries half the noise of its frequency, in quadrature.
    assert noise < 1e-2 * macro
    assert abs(micro - macro) < 4 * math.sqrt(2 * noise * macro) + 0.01 * macro
