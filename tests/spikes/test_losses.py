"""Losses of spike times."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnlif.spikes import first_spike_cross_entropy, spike_time_loss


def test_cross_entropy(dtype):
    times = jnp.asarray([[1.0, 2.0, 4.0], [3.0, 0.5, 1.0]], dtype)
    label = jnp.asarray([0, 2])
    found = first_spike_cross_entropy(
        times, label, duration=2.0, temperature=0.5, regularisation=0.1
    )
    t = np.asarray(times, float)
    softmax = np.exp(-t / 0.5) / np.exp(-t / 0.5).sum(1, keepdims=True)
    chosen = np.array([softmax[0, 0], softmax[1, 2]]), np.array([1.0, 1.0])
    np.testing.assert_allclose(
        found, -np.log(chosen[0]) + 0.1 * (np.exp(chosen[1] / 2) - 1), rtol=1e-5
    )


def test_distance_from_targets(dtype):
    times = jnp.asarray([1.0, 3.0], dtype)
    assert float(spike_time_loss(times, jnp.asarray([2.0, 1.0], dtype))) == 2.5
    gradient = jax.grad(spike_time_loss)(times, jnp.asarray([2.0, 1.0], dtype))
    assert gradient.tolist() == pytest.approx([-1.0, 2.0])


@pytest.mark.parametrize("label", [-1, 4])
def test_a_label_that_no_neuron_has(label, dtype):
    with pytest.raises(ValueError, match=f"label = {label}: must be from 0 to 3"):
        first_spike_cross_entropy(jnp.ones((2, 4), dtype), jnp.array([0, label]), duration=1.0)
