"""The theta neuron: phase and voltage."""

from itertools import product

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnlif.spikes import Theta


@pytest.fixture
def neuron(dtype):
    return Theta(tau=dtype.type(1.5), I0=dtype.type(0.8))


def test_derived_quantities(neuron):
    assert float(neuron.q) == pytest.approx(np.sqrt(0.55))
    assert float(neuron.omega) == pytest.approx(np.sqrt(0.55) / 1.5)
    assert float(neuron.period) == pytest.approx(np.pi * 1.5 / np.sqrt(0.55))


def test_phase_and_voltage_are_inverse(neuron, dtype):
    phase = np.asarray(neuron.period) * np.linspace(0.05, 0.95, 19, dtype=dtype)
    tolerance = 1e-12 if dtype == np.float64 else 1e-5
    there_and_back = jax.jit(lambda phase: neuron.phase(neuron.voltage(phase)))
    np.testing.assert_allclose(there_and_back(phase), phase, rtol=tolerance)
    assert float(neuron.voltage(neuron.period / 2)) == pytest.approx(0.5, abs=1e-6)


def test_phase_grows_at_speed_one(neuron):
    """τ V' = V(V - 1) + I0 where φ' = 1."""
    phase = neuron.period * 0.3
    voltage, slope = jax.jvp(neuron.voltage, (phase,), (jnp.ones_like(phase),))
    expected = (voltage * (voltage - 1) + neuron.I0) / neuron.tau
    assert float(slope) == pytest.approx(float(expected), rel=1e-5)


def test_an_input_adds_its_weight_to_the_voltage(neuron, dtype):
    phase = np.asarray(neuron.period) * np.linspace(0.1, 0.9, 9, dtype=dtype)
    weight = np.linspace(-2, 2, 9, dtype=dtype)

    @jax.jit
    def voltages(phase, weight):
        return neuron.voltage(phase), neuron.voltage(neuron.shifted(phase, weight))

    before, after = voltages(phase, weight)
    np.testing.assert_allclose(after, before + weight, rtol=2e-5, atol=2e-5)


def test_the_shift_is_smooth_at_the_spike(neuron, dtype):
    compiled = jax.jit(jax.value_and_grad(neuron.shifted))
    for edge, weight in product((0, 1), (-3, 0, 3)):
        phase = np.asarray(neuron.period) * dtype.type(edge)
        value, slope = compiled(phase, dtype.type(weight))
        assert float(value) == pytest.approx(float(phase), abs=1e-5)
        assert float(slope) == pytest.approx(1.0, abs=1e-5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"I0": 0.25}, "I0 = 0.25: must be greater than 1/4"),
        ({"I0": float("nan")}, "I0 = nan: must be finite"),
        ({"tau": 0.0}, "tau = 0: must be positive"),
        ({"tau": [[1.0, 2.0]]}, "must be one number, or one for each neuron"),
    ],
)
def test_wrong_parameters(arguments, message):
    with pytest.raises(ValueError, match=message):
        Theta(**arguments)
