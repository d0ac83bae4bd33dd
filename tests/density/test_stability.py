"""Linear response, eigenvalues, boundaries and spectra of circuits."""

from __future__ import annotations

from functools import cache

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from references.circuits import (
    BRUNEL_HOPF,
    BRUNEL_POINTS,
    brunel,
    brunel_pair,
)
from scipy import integrate

import jaxnlif as jn
from jaxnlif import stability
from jaxnlif.density.passage import interval_moments

PER_MS = 2 * np.pi / 1e3  # angular, of frequencies in Hz


GRID = jn.VoltageGrid(-40.0, 20.0, reset=10.0, num=720)
COARSE = jn.VoltageGrid(-40.0, 20.0, reset=10.0, num=120)


@pytest.mark.parametrize(("point", "expected"), BRUNEL_POINTS.items())
def test_leading_eigenvalues_of_brunels_network(point, expected):
    rate, real, hertz = expected
    reference = (real + 2j * np.pi * hertz) / 1e3

    leading = stability.eigenvalues(
        brunel(*point), GRID, rate / 1e3, num=1, starts=12, highest=6.0
    )[0]
    assert abs(leading - reference) <= 2e-3 * abs(reference)


@jax.jit
def hopf_point(g, guess, rate, frequency):
    """Of Brunel's network, with its derivative by g."""

    def point(g):
        return stability.hopf(lambda eta: brunel(g, eta), GRID, guess, rate, frequency)

    return jax.jvp(point, (g,), (1.0,))


@pytest.mark.parametrize(("g", "guess"), [(6.0, 3.3), (4.5, 0.92)])
def test_hopf_points_of_brunels_network(g, guess):
    expected, hertz, rate = BRUNEL_HOPF[g]
    found, _ = hopf_point(g, guess, rate / 1e3, hertz * PER_MS)
    assert found.value == pytest.approx(expected, rel=2e-3)
    assert found.frequency / PER_MS == pytest.approx(hertz, rel=2e-3)
    assert 1e3 * found.rates[0] == pytest.approx(rate, rel=2e-3)


def test_another_path_compiles_nothing(caplog):
    def frequency(g, guess):
        path = lambda eta: brunel(g, eta)  # noqa: E731
        return stability.hopf(path, COARSE, guess, 0.0438, 1.107).frequency

    first = frequency(6.0, 3.3)
    with jax.log_compiles(), caplog.at_level("WARNING"):
        second = frequency(6.1, 3.2)
    assert not [r for r in caplog.records if "Compiling" in r.message]
    assert second != first
    traced = jax.jit(frequency)(6.1, 3.2)
    assert traced == pytest.approx(float(second), rel=1e-12)


def test_derivative_of_a_hopf_point():
    near = (3.3, 0.0438, 1.107)
    low, (_, slope), high = (hopf_point(g, *near) for g in (6.0 - 1e-4, 6.0, 6.0 + 1e-4))
    for name in ("value", "frequency", "rates"):
        difference = (getattr(high[0], name) - getattr(low[0], name)) / 2e-4
        np.testing.assert_allclose(getattr(slope, name), difference, rtol=1e-6)


def test_derivative_of_an_eigenvalue_is_the_total_one():
    @jax.jit
    def at(g):
        def of(g):
            return stability.eigenvalue(brunel_pair(g, 4.0), COARSE, 1.116, 1.0 + 24.0j)

        return jax.jvp(of, (g,), (1.0,))

    difference = (at(6.0 + 1e-4)[0] - at(6.0 - 1e-4)[0]) / 2e-4
    assert abs(at(6.0)[1] - difference) < 1e-6 * abs(difference)


def test_derivatives_in_both_modes_agree():
    def size(model):
        return jnp.abs(stability.transfer(model, SMALL, rates, 1.2j).noise[0])

    _, rates = _jacobian()
    model = small()
    backwards = jax.grad(size)(model)

    def of(weight):
        return size(eqx.tree_at(lambda model: model.weight, model, weight))

    forwards = jax.jvp(of, (model.weight,), (jnp.ones_like(model.weight),))[1]
    np.testing.assert_allclose(jnp.sum(backwards.weight), forwards, rtol=1e-9)


def test_equal_populations_have_the_eigenvalues_of_one():
    own = {"num": 8, "starts": 24}
    one = stability.eigenvalues(brunel(6.0, 4.0), COARSE, 0.0558, highest=6.0, **own)
    two = stability.eigenvalues(brunel_pair(6.0, 4.0), COARSE, 1.116, highest=120.0, **own) / 20
    assert abs(two[0] - one[0]) < 1e-10 * abs(one[0])
    # The others of the pair are those at which its populations differ.
    apart = np.abs(np.subtract.outer(np.asarray(one), np.asarray(two)))
    assert np.all(np.min(apart[:3], axis=1) < 1e-10)


# ---- a network with all that a circuit can have, against independent calculations ---------------

ENDS = {"threshold": 2.0, "reset": 1.0}
SMALL = jn.VoltageGrid(-3.0, 2.0, reset=1.0, num=50)


def small(**changes):
    own = {
        "weight": np.array([[0.4, -1.5], [0.8, -0.6]]),
        "noise_slope": np.array([[0.1, 0.3], [0.2, 0.0]]),
        "noise": np.array([0.5, 0.8]),
        "drive": np.array([2.0, 1.5]),
        "time_constant": np.array([1.0, 0.6]),
        "threshold": np.array([2.0, 1.0]),
        "reset": np.array([1.0, 0.2]),
        "delay": jn.ExponentialDelay(np.array([[0.1, 0.2], [0.3, 0.15]])),
    }
    return jn.Network(**(own | changes))


def _bernoulli(x):
    return x / np.expm1(x)


def _rates_of_change(model, state):
    """The equations of populations on the grid, in NumPy, with delays as equations of their own."""
    n, k = SMALL.num, 2
    density, seen = state[: n * k].reshape(n, k), state[n * k :].reshape(k, k)
    stretch = np.asarray(model.threshold) - np.asarray(model.reset)
    interfaces = np.asarray(model.reset) + stretch * (SMALL.interfaces[:, None] - 1)
    h = SMALL.spacing * stretch
    drive = np.asarray(model.drive.value) + (np.asarray(model.weight) * seen).sum(1)
    noise = np.asarray(model.noise) + (np.asarray(model.noise_slope) * seen).sum(1)
    x = (drive - interfaces) * h / noise
    up, down = noise / h**2 * _bernoulli(-x), noise / h**2 * _bernoulli(x)
    above = np.concatenate([density[1:], np.zeros((1, k))])
    above[-1] = 0
    flux = up * density - down * above
    change = -flux
    change[1:] += flux[:-1]
    change[SMALL.reset_index] += flux[-1]
    tau = np.asarray(model.time_constant)
    delayed = (flux[-1] / tau - seen) / np.asarray(model.delay.duration)
    return np.concatenate([(change / tau).ravel(), delayed.ravel()])


@cache
def _jacobian():
    """That of the stationary state, which is found by Newton's method, and its rates."""
    model = small()
    n, k = SMALL.num, 2
    state = np.concatenate([np.full(n * k, 1 / n), np.full(k * k, 0.5)])

    def slopes(state):
        step = 1e-30j * np.eye(state.size)
        return np.stack([_rates_of_change(model, state + e).imag / 1e-30 for e in step], axis=1)

    for _ in range(30):
        # One equation of each population says that no neuron is lost.
        value, jacobian = _rates_of_change(model, state), slopes(state)
        for i in range(k):
            value[i] = state[i : n * k : k].sum() - 1
            jacobian[i] = 0
            jacobian[i, i : n * k : k] = 1
        state = state - np.linalg.solve(jacobian, value)
    return slopes(state), state[n * k :].reshape(k, k)[0]


def test_rates_and_eigenvalues_are_those_of_the_matrix():
    jacobian, rates = _jacobian()
    found = np.asarray(stability.eigenvalues(small(), SMALL, rates * 1.01, num=4))
    all_of_them = np.linalg.eigvals(jacobian)
    all_of_them = all_of_them[all_of_them.imag >= -1e-9]
    all_of_them = all_of_them[np.abs(all_of_them) > 1e-6]  # two zeros: no neuron is lost
    leading = all_of_them[np.argsort(-all_of_them.real)]
    np.testing.assert_allclose(found[:3], leading[:3], rtol=1e-7)
    assert np.max(np.min(np.abs(np.subtract.outer(found, leading)), axis=1)) < 1e-6


def test_response_is_that_of_the_matrix():
    jacobian, rates = _jacobian()
    omega, k = 3.0, 2
    found = stability.response(small(), SMALL, rates, 1j * omega)
    for name, step in (("drive", 1e-6), ("noise", 1e-6)):
        for i in range(k):
            changed = np.zeros(k)
            changed[i] = step
            own = {"drive": np.array([2.0, 1.5]), "noise": np.array([0.5, 0.8])}[name]
            both = [small(**{name: own + sign * changed}) for sign in (1, -1)]
            state = _state()
            forcing = np.subtract(*(_rates_of_change(model, state) for model in both)) / 2 / step
            moved = np.linalg.solve(1j * omega * np.eye(state.size) - jacobian, forcing)
            # The delays have seen the rates through 1 / (1 + iωd).
            seen = moved[-k * k :].reshape(k, k)[0] * (1 + 1j * omega * np.array([0.1, 0.2]))
            np.testing.assert_allclose(getattr(found, name)[:, i], seen, rtol=1e-6)


def _state():
    """The stationary state of the matrix."""
    jacobian, rates = _jacobian()
    n, k = SMALL.num, 2
    # The kernel without the delays, whose inputs are constant.
    densities = np.zeros((n, k))
    for i in range(k):
        own = jacobian[i : n * k : k, i : n * k : k]
        kernel = np.linalg.svd(own)[2][-1]
        densities[:, i] = kernel / kernel.sum()
    return np.concatenate([densities.ravel(), np.tile(rates, k)])


def test_slow_modulations_move_the_stationary_rates():
    model = small(refractory=np.array([0.1, 0.2]))
    rates = jn.stationary.circuit_rate(model, 0.5)
    grid = jn.VoltageGrid(-3.0, 2.0, reset=1.0, num=400)
    found = stability.response(model, grid, rates, 0.0)
    drive = jax.jacfwd(
        lambda x: jn.stationary.circuit_rate(small(refractory=np.array([0.1, 0.2]), drive=x), rates)
    )(model.drive.value)
    assert np.max(np.abs(found.drive.imag)) < 1e-12
    np.testing.assert_allclose(found.drive.real, drive, rtol=2e-3)


def test_a_fold_is_where_states_vanish():
    grid = jn.VoltageGrid(-4.0, 2.0, reset=1.0, num=300)
    exact = jn.stationary.fold(0.0)
    path = lambda b: jn.Network(weight=b)  # noqa: E731
    found = stability.fold(path, grid, 1.9, 0.3)
    assert found.value == pytest.approx(float(exact.coupling), rel=1e-3)
    assert found.rates[0] == pytest.approx(float(exact.rate), rel=1e-2)


# ---- which states are stable -------------------------------------------------------------------


def bistable(**changes):
    """Excitation that carries itself, inhibition, and delays."""
    own = {
        "weight": np.array([[2.5, -0.5], [0.8, -0.3]]),
        "noise": np.array([0.3, 0.3]),
        "drive": np.array([0.5, 0.3]),
        "refractory": np.array([0.05, 0.05]),
        "delay": 0.1,
    }
    return jn.Network(**(own | changes))


def test_unstable_eigenvalues_of_each_state(dtype):
    grid = jn.VoltageGrid(-3.0, 2.0, reset=1.0, num=150, dtype=dtype)
    states = jn.stationary.circuit_rates(bistable(), threshold=2.0, reset=1.0)
    found = stability.num_unstable(bistable(), grid, states.rates)
    # The middle one is a saddle; the highest one has many oscillations, in pairs.
    assert found[:2].tolist() == [0, 1]
    assert int(found[2]) in range(2, 100, 2)
    assert int(stability.num_unstable(bistable(), grid, states.rates[1])) == 1


def test_unstable_eigenvalues_are_those_of_the_matrix():
    jacobian, rates = _jacobian()
    assert int(stability.num_unstable(small(), SMALL, rates)) == 0
    assert np.sum(np.linalg.eigvals(jacobian).real > 1e-9) == 0


@pytest.mark.parametrize(("eta", "expected"), [(3.1, 0), (3.5, 2)])
def test_a_pair_becomes_unstable_at_a_hopf_point(eta, expected):
    rate = jn.stationary.circuit_rates(brunel(6.0, eta), threshold=20.0, reset=10.0).rates[0]
    assert int(stability.num_unstable(brunel(6.0, eta), GRID, rate)) == expected


@pytest.mark.parametrize("spread", [jn.NormalDelay, jn.GammaDelay])
def test_transforms_are_those_of_the_distributions(spread):
    delay = spread(0.3, 0.2) if spread is jn.GammaDelay else spread(0.3, 0.2, 0.05)
    lam = 1.5 + 7.0j
    # Twice by parts, of the integral of the distribution function.
    us = np.linspace(0, 25, 100_001)
    values = np.asarray(delay.integral(jnp.asarray(us))) * np.exp(-lam * us)
    expected = lam**2 * integrate.simpson(values, x=us)
    assert complex(delay.transform(jnp.asarray(lam))) == pytest.approx(expected, rel=1e-8)


def test_transforms_of_pairs():
    durations = np.array([[0.1, 0.2], [0.3, 0.4]])
    lam = jnp.asarray(0.5 + 2j)
    for of in (jn.Delay, jn.ExponentialDelay):
        found = of(durations).transform(lam)
        one = of(0.3).transform(lam)
        assert found.shape == (2, 2)
        assert complex(found[1, 0]) == pytest.approx(complex(one), rel=1e-12)
    found = jn.NormalDelay(durations, durations / 2, 0.1).transform(lam)
    one = jn.NormalDelay(0.3, 0.15, 0.1).transform(lam)
    assert complex(found[1, 0]) == pytest.approx(complex(one), rel=1e-12)


INHIBITION = jn.Network(weight=-0.3, drive=1.730 + 0.3 * 1.208, noise=0.05, delay=0.1)
INHIBITED = jn.VoltageGrid(-1.0, 1.0, reset=0.0, num=200)


def test_spectrum_of_a_finite_network():
    bands = ((0.02, 0.2), (0.4, 0.6), (0.8, 1), (1.2, 1.5), (3, 4))
    omega = 2 * np.pi * np.stack([np.linspace(*band, 40) for band in bands])
    found = stability.spectrum(INHIBITION, INHIBITED, 1.2, 1000, omega)
    means = 1000 * np.mean(found[..., 0, 0].real, axis=1) / 1.208
    np.testing.assert_allclose(means, [0.054, 0.089, 0.292, 0.973, 1.66], rtol=0.06)


def test_spectrum_of_a_neuron_ends_in_its_limits():
    cv = stability.interval_cv(INHIBITION, INHIBITED, 1.2)
    drive, noise = jnp.asarray(1.730 + 0.3 * (1.208 - 1.2066)), jnp.asarray(0.05)
    intervals = interval_moments(INHIBITED, jn.Leaky(), drive, noise)
    assert cv[0] == pytest.approx(float(intervals.cv), rel=1e-4)
    low, high = stability.neuron_spectrum(INHIBITION, INHIBITED, 1.2, np.array([1e-4, 1e4]))[:, 0]
    assert high == pytest.approx(1.2064, rel=1e-3)
    assert low == pytest.approx(float(high * cv[0] ** 2), rel=1e-4)


def test_cross_spectra_are_hermitian():
    _, rates = _jacobian()
    found = stability.spectrum(small(), SMALL, rates, np.array([100, 400]), np.array([0.0, 2.0]))
    assert found.shape == (2, 2, 2)
    np.testing.assert_allclose(found, np.conj(np.swapaxes(found, 1, 2)), rtol=1e-12)
    assert np.all(np.linalg.eigvalsh(found) > 0)


def test_single_precision(dtype):
    grid = jn.VoltageGrid(-40.0, 20.0, reset=10.0, num=120)
    found = stability.eigenvalue(brunel(6.0, 4.0), grid, 0.0558, 0.05 + 1.2j)
    expected = 0.04419838 + 1.20115865j
    assert found.dtype == jnp.result_type(dtype, jnp.complex64)
    assert abs(found - expected) < (1e-8 if dtype == np.float64 else 1e-5)


# ---- what is refused ---------------------------------------------------------------------------


def test_what_leads_nowhere_is_told():
    model, grid = brunel(6.0, 4.0), GRID
    with pytest.raises(ValueError, match="rates: no stationary state on the grid near them"):
        stability.eigenvalues(
            jn.Network(weight=3.0), jn.VoltageGrid(-4.0, 2.0, reset=1.0, num=60), 0.3
        )
    with pytest.raises(ValueError, match="eigenvalues: their number is not known under jit"):
        jax.jit(lambda g: stability.eigenvalues(brunel(g, 4.0), grid, 0.0558))(6.0)
    with pytest.raises(ValueError, match="hopf: no such point near the guess"):
        stability.hopf(lambda eta: brunel(6.0, 4.0 + 0 * eta), COARSE, 3.3, 0.0438, 1.107)
    with pytest.raises(ValueError, match="rates: states 0 and 1 are one on the grid"):
        stability.num_unstable(brunel(6.0, 4.0), COARSE, np.array([[0.0558], [0.0559]]))
    strong = jn.Network(weight=[[-200.0]], drive=100.0, delay=0.1)
    rate = jn.stationary.circuit_rate(strong, 0.4, **ENDS)
    with pytest.raises(ValueError, match="grid: the feedback of the circuit does not fall"):
        stability.num_unstable(strong, SMALL, rate)
    with pytest.raises(ValueError, match="num_unstable: eigenvalues are not counted under jit"):
        jax.jit(lambda g: stability.num_unstable(brunel(g, 4.0), COARSE, 0.0558))(6.0)
    with pytest.raises(ValueError, match=r"rates: of shape \(2,\): must be \(1,\)"):
        stability.transfer(model, grid, np.array([0.1, 0.1]), 1j)
    with pytest.raises(ValueError, match=r"sizes: of shape \(3,\): must be \(1,\)"):
        stability.spectrum(model, grid, 0.0558, np.ones(3), 1.0)
