"""The network as a description: its parts, its input, its noise."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxnlif as jn


def test_input_adds_drive_and_weighted_response():
    network = jn.Network(drive=2.0, response=jn.Saturating())
    mu = network.input(jnp.asarray(0.0), jnp.array([-1.0, 0.0, 1.0]), jnp.asarray(3.0))
    np.testing.assert_allclose(mu, [1.25, 2.0, 2.75])


def test_input_of_a_callable_drive_that_ignores_the_weight():
    network = jn.Network(drive=lambda t, w: 2 * t)
    mu = network.input(jnp.asarray(3.0), jnp.array([-1.0, 1.0]), jnp.asarray(1.0))
    np.testing.assert_allclose(mu, [5.0, 7.0])


def test_noise_grows_with_the_rate():
    network = jn.Network(noise=0.5, noise_slope=0.1)
    np.testing.assert_allclose(network.diffusion(jnp.asarray(2.0)), 0.7, rtol=1e-6)


def test_defaults_are_the_unstructured_ones():
    network = jn.Network(weight=1)
    assert isinstance(network.response, jn.Identity)
    assert isinstance(network.drive, jn.Constant)
    assert network.learning is None
    assert float(network.epsilon) == 1.0


def test_every_number_is_a_floating_leaf(dtype):
    leaves = jax.tree.leaves(jn.Network(noise=1, drive=2, epsilon=0, weight=3, noise_slope=0))
    assert len(leaves) == 5
    assert {leaf.dtype for leaf in leaves} == {dtype}


def test_integers_that_are_traced_are_floating_leaves_too(dtype):
    def weight(value):
        return jn.Network(weight=value, drive=value).weight

    for number in (2, np.int8(2), jnp.asarray(3, jnp.uint8)):
        found = jax.jit(weight)(number)
        assert found.dtype == weight(number).dtype == dtype
        np.testing.assert_array_equal(found, number)
    assert jn.sweep(weight, {"value": [1, 2]}).values.dtype == dtype


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
def test_a_network_keeps_its_numbers_when_the_array_changes(kind):
    # Memory that begins at a multiple of 64 bytes can be shared with JAX.
    memory = np.zeros(1024, np.uint8)
    begin = -memory.ctypes.data % 64
    signal = memory[begin : begin + 64 * np.dtype(kind).itemsize].view(kind)
    drive = jn.Tabulated(signal, w=np.arange(64.0))
    signal[:] = 3
    assert not np.any(drive.values)


def test_zero_epsilon_and_negative_weight_are_right():
    network = jn.Network(epsilon=0.0, weight=-1.0)
    assert float(network.epsilon) == 0.0
    assert float(network.weight) == -1.0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"noise": 0.0}, "noise = 0: must be positive"),
        ({"noise": -1.0}, "noise = -1: must be positive"),
        ({"noise": float("nan")}, "noise = nan: must be finite"),
        ({"noise": "loud"}, "noise = 'loud': must be a number"),
        ({"noise_slope": -0.1}, "noise_slope = -0.1: must not be negative"),
        ({"epsilon": -1e-9}, "epsilon = -1e-09: must not be negative"),
        ({"epsilon": float("inf")}, "epsilon = inf: must be finite"),
        ({"drive": float("nan")}, "drive = nan: must be finite"),
        ({"weight": float("nan")}, "weight = nan: must be finite"),
        ({"weight": 1.0, "learning": jn.Hebbian(1.0)}, "learning: an unstructured network"),
    ],
)
def test_wrong_networks_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message) as caught:
        jn.Network(**arguments)
    assert "\n" not in str(caught.value)
