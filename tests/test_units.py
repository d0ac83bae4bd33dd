"""Between mV, ms and Hz and the dimensionless form, against formulas in mV, ms and Hz."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import brentq
from scipy.special import erfcx

import jaxnlif as jn

MEMBRANE_TIME, REST, THRESHOLD, RESET, BOTTOM = 20.0, -65.0, -50.0, -60.0, -100.0
UNITS = jn.Units(membrane_time=MEMBRANE_TIME, rest=REST, scale=THRESHOLD - RESET)
NEURON = {"threshold": UNITS.voltage(THRESHOLD), "reset": UNITS.voltage(RESET)}
RTOL = 1e-9


def siegert(mean, sigma, threshold=THRESHOLD, reset=RESET, tau=MEMBRANE_TIME):
    r"""The rate (Hz) of τ dV = (mean - V) dt + σ √τ dB (Siegert 1951; Brunel 2000); mV, ms."""
    integral = quad(lambda u: erfcx(-u), (reset - mean) / sigma, (threshold - mean) / sigma)[0]
    return 1000 / (tau * np.sqrt(np.pi) * integral)


def line(units, num):
    v = jn.VoltageGrid(
        units.voltage(BOTTOM), units.voltage(THRESHOLD), reset=units.voltage(RESET), num=num
    )
    return jn.Grid(v)


# ---- firing rates in Hz ----------------------------------------------------------------------


@pytest.mark.parametrize("depolarisation", [5.0, 12.0, 30.0])
@pytest.mark.parametrize("std", [2.0, 5.0])
def test_stationary_rate_is_siegerts(depolarisation, std):
    rate = jn.stationary.firing_rate(UNITS.drive(depolarisation), UNITS.noise(std), **NEURON)
    expected = siegert(REST + depolarisation, std * np.sqrt(2))
    np.testing.assert_allclose(UNITS.rate_Hz(rate), expected, rtol=50 * RTOL)


def test_a_current_given_as_the_potential_it_leads_to():
    np.testing.assert_allclose(UNITS.drive(12.0), UNITS.voltage(REST + 12.0), rtol=1e-15)


def test_the_rate_of_a_recurrent_network_is_siegerts_with_its_own_input():
    synapses, jump, external, std = 1000, -0.05, 14.0, 5.0

    def excess(rate):
        recurrent = synapses * jump * rate * MEMBRANE_TIME / 1000
        return siegert(REST + external + recurrent, std * np.sqrt(2)) - rate

    rates = jn.stationary.self_consistent_rates(
        UNITS.weight(synapses * jump), UNITS.drive(external), UNITS.noise(std), 0.0, **NEURON
    )
    np.testing.assert_allclose(UNITS.rate_Hz(rates), [brentq(excess, 0, 100)], rtol=50 * RTOL)


@pytest.mark.parametrize("std", [2.5, 5.0])
def test_a_run_in_time_ends_at_siegerts_rate(std):
    network = jn.Network(noise=UNITS.noise(std), drive=UNITS.drive(14.0), weight=0.0)
    grid = line(UNITS, 400)
    y0 = jn.gaussian(grid, v=(UNITS.voltage(-65.0), UNITS.noise(std)))
    run = {"y0": y0, "t1": UNITS.time(300.0), "dt": UNITS.time(1.0), "saveat": jn.SaveAt(num=2)}
    sol = jn.solve(network, jn.FluxShift(grid), **run)
    expected = siegert(REST + 14.0, std * np.sqrt(2))
    # the scheme's error at this spacing, 0.125 mV
    np.testing.assert_allclose(UNITS.rate_Hz(sol.rate[-1]), expected, rtol=1e-3)
    np.testing.assert_allclose(UNITS.time_ms(sol.ts), [0, 300], rtol=1e-6)


def test_the_course_in_ms_does_not_depend_on_the_learning_time():
    courses = []
    for learning_time in (MEMBRANE_TIME, 50 * MEMBRANE_TIME):
        units = jn.Units(
            membrane_time=MEMBRANE_TIME, rest=REST, scale=10.0, learning_time=learning_time
        )
        network = jn.Network(
            noise=units.noise(5.0), drive=units.drive(20.0), weight=0.0, epsilon=units.epsilon
        )
        grid = line(units, 100)
        y0 = jn.gaussian(grid, v=(units.voltage(-65.0), 0.1))
        dt, saveat = units.time(0.5), jn.SaveAt(num=11)
        sol = jn.solve(
            network, jn.FluxShift(grid), y0=y0, t1=units.time(50.0), dt=dt, saveat=saveat
        )
        courses.append((units.time_ms(sol.ts), units.rate_Hz(sol.rate)))
    (one_ts, one), (other_ts, other) = courses
    assert np.ptp(one) > 10  # Hz: there is a course to compare
    np.testing.assert_allclose(one_ts, other_ts, rtol=1e-6)
    np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-3)


def test_a_free_neuron_has_the_standard_deviation_of_its_noise(dtype):
    grid = jn.Grid(jn.VoltageGrid(UNITS.voltage(-105.0), 4.0, reset=1.0, num=160))
    network = jn.Network(noise=UNITS.noise(4.0), weight=0.0)
    y0 = jn.gaussian(grid, v=(0.0, 0.5))
    sol = jn.solve(network, jn.FluxShift(grid), y0=y0, t1=UNITS.time(200.0), dt=UNITS.time(1.0))
    potentials = UNITS.voltage_mV(grid.v.nodes.astype(float))
    density = np.asarray(UNITS.per_mV(sol.density(-1)[:, 0]), float)
    spacing = UNITS.drive_mV(grid.v.spacing)
    np.testing.assert_allclose(density.sum() * spacing, 1, rtol=1e-5)
    mean = (potentials * density).sum() * spacing
    variance = ((potentials - mean) ** 2 * density).sum() * spacing
    np.testing.assert_allclose([mean, variance**0.5], [REST, 4.0], rtol=5e-3)


# ---- there and back --------------------------------------------------------------------------

PAIRS = {
    "voltage": (-50.0, 1.5),
    "drive": (25.0, 2.5),
    "weight": (-5.0, -0.5),
    "noise": (5.0, 0.25),
    "time": (10.0, 0.5),
    "rate": (100.0, 2.0),
}
BACK = {"time": "time_ms", "rate": "rate_Hz"}


@pytest.mark.parametrize("name", PAIRS)
def test_conversions_by_hand_and_back(name):
    there, back = getattr(UNITS, name), getattr(UNITS, BACK.get(name, f"{name}_mV"))
    physical, dimensionless = PAIRS[name]
    assert there(physical) == pytest.approx(dimensionless, rel=1e-14)
    assert back(dimensionless) == pytest.approx(physical, rel=1e-14)
    assert isinstance(there(physical), float)
    assert isinstance(there([physical, physical]), np.ndarray)
    assert isinstance(there(np.array([physical])), np.ndarray)
    row = there(jnp.array([physical, 2 * physical]))
    assert isinstance(row, jax.Array)
    np.testing.assert_allclose(back(row), [physical, 2 * physical], rtol=1e-6)


def test_times_are_learning_times_and_rates_per_membrane_time():
    units = jn.Units(membrane_time=20, rest=0, scale=1, learning_time=2000)
    assert units.epsilon == pytest.approx(0.01)
    assert units.time(1000) == pytest.approx(0.5)
    assert units.time_ms(0.5) == pytest.approx(1000)
    assert units.rate(50) == pytest.approx(1)
    assert units.rate_Hz(1) == pytest.approx(50)
    assert UNITS.epsilon == 1


def test_a_learned_weight_by_hand():
    """In mV, ms and Hz weights rest at W = K N(W) N with the rates N(W) in Hz / mV."""
    gain, rates, rate = 3.0, 40.0, 10.0
    expected = UNITS.weight(gain * rates * rate * 1e-6)  # K in mV² ms², rates in 1/s
    dimensionless = gain / (UNITS.scale * UNITS.membrane_time) ** 2
    by_rates = dimensionless * UNITS.rate(rates) * UNITS.scale * UNITS.rate(rate)
    assert by_rates == pytest.approx(expected)


def test_conversions_are_differentiable_and_keep_the_dtype(dtype):
    derivative = jax.grad(lambda std: UNITS.noise(std))(jnp.asarray(5.0, dtype))
    np.testing.assert_allclose(derivative, 2 * 5.0 / 10.0**2, rtol=1e-6)
    for name in PAIRS:
        assert getattr(UNITS, name)(jnp.ones(2, dtype)).dtype == dtype


# ---- complaints ------------------------------------------------------------------------------

VALID = {"membrane_time": 20.0, "rest": -65.0, "scale": 10.0}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"membrane_time": 0.0}, "membrane_time = 0: must be positive"),
        ({"membrane_time": -20}, "membrane_time = -20: must be positive"),
        ({"membrane_time": float("nan")}, "membrane_time = nan: must be finite"),
        ({"scale": 0}, "scale = 0: must be positive"),
        ({"scale": -10.0}, "scale = -10: must be positive"),
        ({"learning_time": 0.0}, "learning_time = 0: must be positive"),
        ({"learning_time": -1.0}, "learning_time = -1: must be positive"),
        ({"rest": float("inf")}, "rest = inf: must be finite"),
    ],
)
def test_wrong_units_are_refused(changes, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        jn.Units(**VALID | changes)


@pytest.mark.parametrize("std", [0.0, -5.0, [5.0, -1.0]])
def test_noise_must_be_positive(std):
    with pytest.raises(ValueError, match=r"mV = .*: must be positive"):
        UNITS.noise(std)


def test_negative_noise_has_no_standard_deviation():
    assert UNITS.noise_mV(0.0) == 0
    with pytest.raises(ValueError, match="noise = -1: must not be negative"):
        UNITS.noise_mV(-1.0)
