"""Recurrent networks under transformations, and in little room."""

from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnlif import SolveError
from jaxnlif.spikes import (
    LIF,
    QIF,
    InputSpikes,
    Recurrent,
    sorted_spikes,
)

from ..conftest import needs_double
from . import test_recurrent
from .test_recurrent import BUDGET, TAU, in_little_room, with_gradient

qif = test_recurrent.qif


@needs_double
def test_a_batch_is_its_trials(qif):
    net, inputs, duration = qif
    times = jnp.stack([inputs.times, jnp.sort(inputs.times * 0.8), inputs.times + 100])

    duration = jnp.asarray(duration)
    batch = jax.jit(jax.vmap(with_gradient, (None, 0, None, None)))
    together, slopes = batch(net, times, inputs.sources, duration)
    for k in range(3):
        value, slope = with_gradient(net, times[k], inputs.sources, duration)
        np.testing.assert_allclose(together[k], value, rtol=1e-12)
        for one, other in zip(jax.tree.leaves(slopes), jax.tree.leaves(slope), strict=True):
            np.testing.assert_allclose(one[k], other, rtol=1e-9, atol=1e-10)


@needs_double
def test_a_budget_just_large_enough_changes_nothing(qif):
    net, inputs, duration = qif
    wide = net.trial(inputs, duration=duration).events
    num = int(wide.num)
    exact = replace(net, max_events=num).trial(inputs, duration=duration).events
    np.testing.assert_array_equal(exact.times[:num], wide.times[:num])
    with pytest.raises(SolveError, match=f"max_events = {num - 1}: there are more spikes"):
        replace(net, max_events=num - 1).trial(inputs, duration=duration)


@pytest.mark.parametrize("num", [31, 32, 33, 64])
def test_a_budget_holds_as_many_events(num):
    """Whole blocks of them too: the end of the trial needs a place of its own."""
    inputs = InputSpikes(np.linspace(0.01, 0.9, num), np.zeros(num, int))
    net = Recurrent(QIF(1.0), np.zeros((1, 1)), np.zeros((1, 1)), max_events=num)
    events = net.trial(inputs, duration=1.0).events
    assert int(events.num) == num
    np.testing.assert_allclose(events.times[:num], inputs.times)


@needs_double
def test_too_small_a_budget_shows_under_jit(qif):
    trial = in_little_room(*qif)
    assert not bool(trial.finished)
    assert np.all(np.isnan(trial.times))
    assert np.all(np.isnan(trial.events.times))
    assert np.all(np.isnan(trial.end.n))


@needs_double
def test_new_numbers_do_not_compile_again(qif):
    net, inputs, duration = qif
    traces = []

    @jax.jit
    def of(net, inputs, duration):
        traces.append(1)
        return net.trial(inputs, duration=duration).events.num

    of(net, inputs, jnp.asarray(duration, net.weights.dtype))
    other = replace(net, neuron=QIF(TAU / 2), weights=net.weights * 0.9)
    of(other, inputs, jnp.asarray(duration / 2, net.weights.dtype))
    assert len(traces) == 1


def test_an_input_comes_before_a_spike_only_if_strictly_earlier(dtype):
    """A LIF neuron that an input would keep from its spike fires if both come at once."""
    alone = Recurrent(LIF(dtype.type(1)), np.zeros((1, 1), dtype), np.array([[6.0, -60.0]], dtype))
    first = InputSpikes(np.array([0, np.inf], dtype), np.array([0, 1]))
    spike = float(alone.trial(first, duration=2.0).times[0, 0])

    def count(time):
        inputs = InputSpikes(np.array([0, time], dtype), np.array([0, 1]))
        return int(alone.trial(inputs, duration=2.0).num_spikes[0])

    assert count(spike) == 1
    assert count(spike * (1 - 1e-5)) == 0


def test_nothing_happens_without_input():
    net = Recurrent(QIF(1.0), np.zeros((2, 2)), np.zeros((2, 1)))
    none = InputSpikes(np.full(3, np.inf), np.zeros(3, int))
    assert int(net.trial(none, duration=5.0).events.num) == 0


@needs_double
def test_inputs_that_never_come_leave_the_gradient_finite(qif):
    net, inputs, duration = qif
    none = jnp.full_like(inputs.times, jnp.inf)
    _, (slope, *_) = with_gradient(net, none, inputs.sources, jnp.asarray(duration))
    assert all(np.all(np.isfinite(x)) for x in jax.tree.leaves(slope))
    assert slope.neuron.tau == 0


@needs_double
def test_trace_goes_through_the_states_at_events(qif):
    net, inputs, duration = qif
    trial = net.trial(inputs, duration=duration)
    times = np.linspace(0, duration, 500).astype(net.weights.dtype)
    potential, current = jax.jit(Recurrent.trace)(net, trial, times)
    assert potential.shape == current.shape == (500, 5)
    np.testing.assert_allclose(potential[0], 0)
    n, d, end = trial.end
    np.testing.assert_allclose(np.arctan(potential[-1]), np.arctan(n / d), rtol=1e-3)
    np.testing.assert_allclose(current[-1], end, rtol=1e-3)


def test_sorted_spikes_keep_their_sources():
    @partial(jax.value_and_grad, has_aux=True)
    def first(times):
        ordered = sorted_spikes(times, jnp.asarray([5, 6, 7]))
        return ordered.times[0], ordered

    (_, ordered), slope = jax.jit(first)(np.array([2.0, 1.0, 3.0]))
    np.testing.assert_array_equal(ordered.times, [1, 2, 3])
    np.testing.assert_array_equal(ordered.sources, [6, 5, 7])
    np.testing.assert_array_equal(slope, [0, 1, 0])


@needs_double
def test_the_former_interface_works_and_says_what_takes_its_place(qif):
    net, inputs, duration = qif
    trial = net.trial(inputs, duration=duration)
    with pytest.warns(DeprecationWarning, match=r"max_events in a call: give it to Recurrent"):
        former = net(inputs, duration=duration, max_events=BUDGET)
    np.testing.assert_array_equal(former.times, trial.events.times)
    np.testing.assert_array_equal(former.sources, trial.events.sources)
    np.testing.assert_array_equal(former.counts, trial.num_spikes)
    np.testing.assert_array_equal(former.spike_times(3), trial.spike_times[:, :3])
    with pytest.warns(DeprecationWarning, match="output_times: take net.trial"):
        times = net.output_times(former, 4, [3, 1])
    expected = replace(net, outputs=(3, 1), max_spikes=4)(inputs, duration=duration)
    np.testing.assert_allclose(times, expected, rtol=1e-12)
