"""Pseudospikes continue the times of ordinary spikes beyond the end of the trial."""

from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads
from references.networks import random_setting

from jaxnlif.spikes import (
    LIF,
    QIF,
    InputSpikes,
    Recurrent,
    Theta,
    pseudospikes,
    sorted_spikes,
    theta_pseudorates,
)


def test_closed_form(dtype):
    """The formula of the reference, written with potentials."""
    potential = np.array([-3.0, 0.0, 0.5, 1.2, 20.0])
    drive = np.array([-30.0, -1.0, 0.0, 2.0, 9.0])
    root = np.sqrt(10 * np.log(1 + np.exp(drive / 10)))
    phase = (np.arctan((potential - 0.5) / root) + np.pi / 2) / root
    compiled = jax.jit(pseudospikes.qif_pseudospikes)
    for number in (-1, 1, 2):
        expected = number * np.pi / root - phase
        n, d = potential.astype(dtype), np.ones(5, dtype)
        measured = compiled(n, d, drive.astype(dtype), np.full(5, number))
        np.testing.assert_allclose(measured, expected, rtol=1e-5 if dtype == np.float32 else 1e-13)


def test_limits(dtype):
    """About to spike the next one comes at once; just after one it is a period away."""
    n, d = np.array([1, -1], dtype), np.zeros(2, dtype)
    compiled = jax.jit(pseudospikes.qif_pseudospikes)
    (about, after), (next_but_one, _) = (
        compiled(n, d, np.full(2, 3, dtype), np.full(2, number)) for number in (1, 2)
    )
    assert about == pytest.approx(0, abs=1e-6)
    assert after == pytest.approx(float(next_but_one))
    np.testing.assert_allclose(jax.jit(pseudospikes.qif_pseudorate)(n, d), [1, 0], atol=1e-6)


def test_gradient_is_finite_at_infinite_potentials(dtype):
    n, d = np.array([1, -1], dtype), np.zeros(2, dtype)

    def total(n, d, drive):
        return jnp.sum(pseudospikes.qif_pseudospikes(n, d, drive, jnp.ones(2, int)))

    for slope in jax.jit(jax.grad(total, (0, 1, 2)))(n, d, np.ones(2, dtype)):
        assert np.all(np.isfinite(slope))


# ---- spikes pushed through the end of the trial -------------------------------------------------


SWEEPS = {
    ("qif", "weight"): (QIF(), 0.0, (2.6, 3.2)),
    ("qif", "time"): (QIF(), 2.9, (0.7, 2.2)),
    ("theta", "weight"): (Theta(6 / np.pi), 0.0, (-0.4, 0.4)),
    ("theta", "time"): (Theta(6 / np.pi), -0.3, (1.7, 3.2)),
}
"""The neuron, the weight of its first input where that is not swept, and what is swept."""


@jax.jit
@partial(jax.vmap, in_axes=(None, 0, 0))
@partial(jax.value_and_grad, argnums=(1, 2), has_aux=True)
def output_times(neuron, weight, arrival):
    """Of two neurons, in one sum; those of the first, and how often it spikes before the end.

    Of the first neuron's inputs the first has this weight, and the second, which inhibits, comes at
    this time.
    """
    inputs = jnp.zeros((2, 2)).at[0].set(jnp.stack([weight, jnp.asarray(-1.0)]))
    spikes = sorted_spikes(jnp.stack([jnp.asarray(0.5), arrival]), jnp.arange(2))
    net = Recurrent(neuron, np.array([[0, 0.5], [2, 0]]), inputs, max_spikes=3, max_events=20)
    trial = net.trial(spikes, duration=4.0)
    weighted = trial.times * jnp.linspace(1, 2, 6).reshape(2, 3)
    return jnp.sum(weighted) + jnp.sum(trial.progress), (trial.times[0], trial.num_spikes[0])


def through_the_end(kind, parameter):
    """Those times, and their slope, while a spike of the first neuron passes the end."""
    neuron, first_weight, span = SWEEPS[kind, parameter]
    sweep = np.linspace(*span, 2001)
    swept = {"weight": np.full(2001, first_weight), "time": np.full(2001, 1.5)} | {parameter: sweep}
    (value, (first, count)), slopes = output_times(neuron, swept["weight"], swept["time"])
    slope = slopes[list(swept).index(parameter)]
    return map(np.asarray, (sweep, value, first, count, slope))


@pytest.mark.parametrize(("kind", "parameter"), SWEEPS)
def test_output_times_go_continuously_through_the_end(kind, parameter):
    sweep, value, first, count, slope = through_the_end(kind, parameter)
    assert np.ptp(count) == 1, "a spike crosses the end"
    crossing = first[:, count.min()]
    assert crossing.min() < 4 < crossing.max()
    step = np.diff(sweep)
    jumps = np.abs(np.diff(value) - step * (slope[1:] + slope[:-1]) / 2)
    # what the neurons send each other has a kink where one of them spikes: first order there
    assert jumps.max() < 10 * step.max()
    assert np.sort(jumps)[-3] < 100 * step.max() ** 2


def test_pseudorates_of_a_recurrent_network_are_consistent(dtype):
    rng = np.random.default_rng(0)
    angle = rng.uniform(0, np.pi, 8).astype(dtype)
    weights = (rng.normal(size=(8, 8)) - 1).astype(dtype)
    c, s = np.cos(angle), np.sin(angle)
    rates = jax.jit(theta_pseudorates)(c, s, weights)
    expected = jax.jit(pseudospikes.theta_pseudorate)(c, s, weights @ np.asarray(rates))
    np.testing.assert_allclose(rates, expected, atol=1e-5 if dtype == np.float32 else 1e-13)
    assert float(rates.min()) > 0
    assert float(rates.max()) < 1


def test_pseudorates_are_phases_after_what_the_others_send():
    # r = H_W(φ)/Θ, by the shift of a single neuron, where q is not 1.
    neuron = Theta(1.5, 0.8)
    weights = jnp.asarray([[0, 0.8, -0.5], [-0.6, 0, 0.9], [0.4, -0.7, 0]])

    @jax.jit
    def both(phase):
        rates = neuron.rates(neuron.state((phase[None],)), weights)[0][0]
        return rates, neuron.shifted(phase, weights @ rates) / neuron.period

    rates, expected = both(float(neuron.period) * np.array([0.2, 0.5, 0.9]))
    np.testing.assert_allclose(rates, expected, rtol=1e-12)


def test_pseudorates_of_strong_coupling_are_found(dtype):
    angle = np.array([2.3, 2.8], dtype)
    weights = np.array([[0, -6], [-9, 0]], dtype)
    compiled = jax.jit(theta_pseudorates)
    rates = compiled(np.cos(angle), np.sin(angle), weights)
    np.testing.assert_allclose(rates, [0.0731, 0.8617], atol=2e-4)


def test_gradient_of_recurrent_pseudorates():
    rng = np.random.default_rng(1)
    angle = jnp.asarray(rng.uniform(0, np.pi, 6))
    weights = jnp.asarray(rng.normal(size=(6, 6)) - 0.5)

    def total(angle, weights):
        rates = theta_pseudorates(jnp.cos(angle), jnp.sin(angle), weights)
        return jnp.sum(jnp.sin(3 * rates))

    check_grads(jax.jit(total), (angle, weights), order=1, modes=("rev",))


def test_lif_neurons_have_none():
    net = Recurrent(LIF(1.0), np.zeros((1, 1)), np.full((1, 1), 6.0), max_spikes=3)
    trial = net.trial(InputSpikes(np.zeros(1), np.zeros(1, int)), duration=2.0)
    assert trial.num_spikes.tolist() == [1]
    assert np.isfinite(trial.times[0]).tolist() == [True, False, False]
    assert trial.progress.tolist() == [1]


def test_output_times_are_ordinary_ones_first():
    setting = random_setting(1)
    net = Recurrent(QIF(0.8), setting.weights, setting.input_weights, max_spikes=9)
    trial = net.trial(setting.inputs(np.float64), duration=4.0)
    times, spikes = np.asarray(trial.times), np.asarray(trial.spike_times)
    some = replace(net, outputs=(4, 1), max_spikes=3)(setting.inputs(np.float64), duration=4.0)
    ordinary = np.isfinite(spikes)
    np.testing.assert_array_equal(times[ordinary], spikes[ordinary])
    assert np.all(times[~ordinary] > 4)
    assert np.all(np.diff(times, axis=1) > 0)
    np.testing.assert_array_equal(some, times[[4, 1], :3])
