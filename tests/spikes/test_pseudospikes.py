"""Pseudospikes continue the times of ordinary spikes beyond the end of the trial."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnlif.spikes import LIF, QIF, InputSpikes, Recurrent, pseudospikes, sorted_spikes

from ..conftest import needs_double
from ._reference import random_setting


def test_closed_form(dtype):
    """The formula of the reference, written with potentials."""
    potential = np.array([-3.0, 0.0, 0.5, 1.2, 20.0])
    drive = np.array([-30.0, -1.0, 0.0, 2.0, 9.0])
    root = np.sqrt(10 * np.log(1 + np.exp(drive / 10)))
    phase = (np.arctan((potential - 0.5) / root) + np.pi / 2) / root
    for number in (-1, 1, 2):
        expected = number * np.pi / root - phase
        n, d = jnp.asarray(potential, dtype), jnp.ones(5, dtype)
        measured = pseudospikes.qif(n, d, jnp.asarray(drive, dtype), np.full(5, number))
        np.testing.assert_allclose(measured, expected, rtol=1e-5 if dtype == np.float32 else 1e-13)


def test_limits(dtype):
    """About to spike the next one comes at once; just after one it is a period away."""
    n, d = jnp.asarray([1.0, -1.0], dtype), jnp.zeros(2, dtype)
    drive = jnp.asarray([3.0, 3.0], dtype)
    about, after = pseudospikes.qif(n, d, drive, jnp.ones(2, int))
    assert about == pytest.approx(0, abs=1e-6)
    assert after == pytest.approx(float(pseudospikes.qif(n, d, drive, jnp.full(2, 2))[0]))
    np.testing.assert_allclose(pseudospikes.qif_rate(n, d), [1, 0], atol=1e-6)


def test_gradient_is_finite_at_infinite_potentials(dtype):
    n, d = jnp.asarray([1.0, -1.0], dtype), jnp.zeros(2, dtype)

    def total(n, d, drive):
        return jnp.sum(pseudospikes.qif(n, d, drive, jnp.ones(2, int)))

    for slope in jax.grad(total, (0, 1, 2))(n, d, jnp.ones(2, dtype)):
        assert np.all(np.isfinite(slope))


# ---- spikes pushed through the end of the trial -------------------------------------------------


def through_the_end(parameter, dtype):
    """Weighted output times and their derivative while spikes are pushed through the end."""
    setting = random_setting(3, n=3, m=2, strength=2.0)
    duration = dtype.type(setting.duration)

    def times(p):
        weights = jnp.asarray(setting.input_weights, dtype)
        arrivals = jnp.asarray(setting.times, dtype)
        if parameter == "weight":
            weights = weights.at[:, 0].add(p)
        else:
            arrivals = arrivals.at[:5].add(p)
        net = Recurrent(QIF(dtype.type(1)), setting.weights.astype(dtype), weights)
        inputs = sorted_spikes(arrivals, jnp.asarray(setting.sources))
        trial = net(inputs, duration=duration, max_events=90)
        weighted = net.output_times(trial, 6) * jnp.linspace(1, 2, 18, dtype=dtype).reshape(3, 6)
        return jnp.sum(weighted), trial.counts

    sweep = jnp.linspace(0, 0.2, 1001, dtype=dtype)
    (value, counts), slope = jax.jit(jax.vmap(jax.value_and_grad(times, has_aux=True)))(sweep)
    return map(np.asarray, (sweep, value, counts, slope))


@needs_double
@pytest.mark.parametrize("parameter", ["weight", "time"])
def test_output_times_of_a_network_go_continuously_through_the_end(parameter, dtype):
    sweep, value, counts, slope = through_the_end(parameter, dtype)
    assert np.any(np.diff(counts, axis=0)), "no spike crosses the end"
    step = np.diff(sweep)
    jumps = np.abs(np.diff(value) - step * (slope[1:] + slope[:-1]) / 2)
    # the rates of those that spike have a kink where they do, of the size of a step
    assert jumps.max() < 0.02 * np.ptp(value)


def test_lif_neurons_have_none(dtype):
    net = Recurrent(LIF(dtype.type(1)), np.zeros((1, 1), dtype), np.ones((1, 1), dtype))
    trial = net(InputSpikes(np.ones(1, dtype), np.zeros(1, int)), duration=2.0, max_events=5)
    with pytest.raises(ValueError, match="neuron: LIF has no pseudospikes"):
        net.output_times(trial, 1)


def test_output_times_are_ordinary_ones_first(dtype):
    setting = random_setting(1)
    neuron = QIF(dtype.type(0.8))
    weights, inputs = setting.weights.astype(dtype), setting.input_weights.astype(dtype)
    net = Recurrent(neuron, weights, inputs)
    trial = net(setting.inputs(dtype), duration=4.0, max_events=100)
    times, spikes = np.asarray(net.output_times(trial, 9)), np.asarray(trial.spike_times(9))
    ordinary = np.isfinite(spikes)
    np.testing.assert_array_equal(times[ordinary], spikes[ordinary])
    assert np.all(times[~ordinary] > 4)
    assert np.all(np.diff(times, axis=1) > 0)
    np.testing.assert_array_equal(net.output_times(trial, 3, [4, 1]), times[[4, 1], :3])
