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
        measured = pseudospikes.qif_pseudospikes(
            n, d, jnp.asarray(drive, dtype), np.full(5, number)
        )
        np.testing.assert_allclose(measured, expected, rtol=1e-5 if dtype == np.float32 else 1e-13)


def test_limits(dtype):
    """About to spike the next one comes at once; just after one it is a period away."""
    n, d = jnp.asarray([1.0, -1.0], dtype), jnp.zeros(2, dtype)
    drive = jnp.asarray([3.0, 3.0], dtype)
    about, after = pseudospikes.qif_pseudospikes(n, d, drive, jnp.ones(2, int))
    assert about == pytest.approx(0, abs=1e-6)
    assert after == pytest.approx(
        float(pseudospikes.qif_pseudospikes(n, d, drive, jnp.full(2, 2))[0])
    )
    np.testing.assert_allclose(pseudospikes.qif_pseudorate(n, d), [1, 0], atol=1e-6)


def test_gradient_is_finite_at_infinite_potentials(dtype):
    n, d = jnp.asarray([1.0, -1.0], dtype), jnp.zeros(2, dtype)

    def total(n, d, drive):
        return jnp.sum(pseudospikes.qif_pseudospikes(n, d, drive, jnp.ones(2, int)))

    for slope in jax.grad(total, (0, 1, 2))(n, d, jnp.ones(2, dtype)):
        assert np.all(np.isfinite(slope))


# ---- spikes pushed through the end of the trial -------------------------------------------------


def through_the_end(parameter, dtype):
    """Output times of two neurons, and their slope, while a spike of the first passes the end.

    What is swept is the weight of its excitatory input, or the time of an inhibitory one.
    """
    weights = np.array([[0, 0.5], [2, 0]], dtype)

    def times(p):
        weight, arrival = (p, dtype.type(1.5)) if parameter == "weight" else (2.9, p)
        inputs = jnp.zeros((2, 2), dtype).at[0].set(jnp.stack([weight, dtype.type(-1)]))
        spikes = sorted_spikes(jnp.stack([dtype.type(0.5), arrival]), jnp.arange(2))
        net = Recurrent(QIF(dtype.type(1)), weights, inputs)
        trial = net(spikes, duration=4.0, max_events=20)
        times = net.output_times(trial, 3)
        weighted = times * jnp.linspace(1, 2, 6, dtype=dtype).reshape(2, 3)
        return jnp.sum(weighted), (times[0, 0], trial.counts[0])

    span = (2.6, 3.2) if parameter == "weight" else (0.7, 2.2)
    sweep = jnp.linspace(*span, 2001, dtype=dtype)
    (value, (first, count)), slope = jax.jit(jax.vmap(jax.value_and_grad(times, has_aux=True)))(
        sweep
    )
    return map(np.asarray, (sweep, value, first, count, slope))


@needs_double
@pytest.mark.parametrize("parameter", ["weight", "time"])
def test_output_times_go_continuously_through_the_end(parameter, dtype):
    sweep, value, first, count, slope = through_the_end(parameter, dtype)
    assert np.ptp(count) == 1, "a spike crosses the end"
    assert first.min() < 4 < first.max()
    step = np.diff(sweep)
    jumps = np.abs(np.diff(value) - step * (slope[1:] + slope[:-1]) / 2)
    # what the neurons send each other has a kink where one of them spikes: first order there
    assert jumps.max() < 10 * step.max()
    assert np.sort(jumps)[-3] < 100 * step.max() ** 2


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
