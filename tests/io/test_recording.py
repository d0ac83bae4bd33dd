"""Runs as recordings: what Neo holds and what Elephant finds in it."""

import sys

import elephant.statistics
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxnlif as jn

from . import _solutions as solutions
from ._solutions import units


def seconds(times) -> np.ndarray:
    return np.asarray(times.rescale("s").magnitude)


def test_elephant_finds_the_rate_of_a_network():
    neurons, sol = 50, solutions.recorded()
    (segment,) = jn.io.to_neo(sol, units=units(20)).segments
    assert len(segment.spiketrains) == neurons
    rates = [
        elephant.statistics.mean_firing_rate(train).rescale("Hz") for train in segment.spiketrains
    ]
    expected = float(sol.spikes[-1]) / 30 / 0.02
    assert expected > 10
    np.testing.assert_allclose(np.mean(rates), expected, rtol=1e-5)
    counts = np.bincount(np.asarray(sol.raster.neuron), minlength=neurons)
    fano = elephant.statistics.fanofactor(segment.spiketrains)
    np.testing.assert_allclose(fano, np.var(counts) / np.mean(counts))


def test_spikes_and_rates_are_in_physical_units():
    sol = solutions.solution("particles")
    block = jn.io.to_neo(sol, units=units(10))
    assert block.annotations["source"] == f"jaxnlif {jn.__version__}"
    (segment,) = block.segments
    assert [train.annotations["neuron"] for train in segment.spiketrains] == list(range(5))
    for neuron, train in enumerate(segment.spiketrains):
        own = np.asarray(sol.raster.time, float)[np.asarray(sol.raster.neuron) == neuron]
        np.testing.assert_allclose(seconds(train.times), 0.01 * own)
        np.testing.assert_allclose(seconds(train.t_stop), 0.01 * float(sol.t_end))
    (signal,) = segment.analogsignals
    assert signal.name == "network rate"
    np.testing.assert_allclose(signal.rescale("Hz").magnitude[:, 0], np.asarray(sol.rate) / 0.01)
    np.testing.assert_allclose(seconds(signal.times), 0.01 * np.asarray(sol.ts), atol=1e-8)


def test_learning_times_are_longer_than_membrane_times():
    sol = solutions.solution("statistics")
    (segment,) = jn.io.to_neo(sol, units=units(10, epsilon=0.1)).segments
    (signal,) = segment.analogsignals
    assert len(segment.spiketrains) == 0
    np.testing.assert_allclose(seconds(signal.times), [0.01, 0.02], rtol=1e-6)
    np.testing.assert_allclose(signal.magnitude[:, 0], np.asarray(sol.rate) / 0.01)


def test_the_recording_begins_with_the_first_saved_time():
    solver = jn.Particles(50, solutions.LINE, raster=50)
    saved = [1.0, 1.1, 1.2, 1.4, 1.6, 2.0]
    sol = solutions.line(jn.Network(weight=0.0, drive=3.0), solver, t1=2.0, saveat=jn.SaveAt(saved))
    (segment,) = jn.io.to_neo(sol, units=units(1)).segments
    times = np.asarray(sol.raster.time)
    assert 0 < np.sum(times < 1) < times.size
    assert sum(map(len, segment.spiketrains)) == np.sum(times >= 1)
    (signal,) = segment.irregularlysampledsignals
    np.testing.assert_allclose(seconds(signal.times), 1e-3 * np.array(saved), rtol=1e-6)


def test_particles_of_a_multi_scale_run_lie_in_epochs():
    sol = solutions.solution("multi-scale")
    (segment,) = jn.io.to_neo(sol, units=units(1000)).segments
    (events,) = segment.events
    np.testing.assert_allclose(seconds(events.times), sol.events.time)
    np.testing.assert_allclose(
        [float(label.split()[0]) for label in events.labels], sol.events.size, rtol=1e-2
    )
    (epoch,) = segment.epochs
    begins = seconds(epoch.times)
    ends = begins + seconds(epoch.durations)
    woke = np.asarray(sol.switches.regime) == jn.Regime.particles
    np.testing.assert_allclose(begins, np.asarray(sol.switches.time)[woke])
    assert set(epoch.labels) == {"particles"}
    spikes = np.concatenate([seconds(train.times) for train in segment.spiketrains])
    assert spikes.size == sol.raster.time.size > 0
    within = (spikes[:, None] > begins - 1e-6) & (spikes[:, None] < ends + 1e-6)
    assert np.all(within.any(1))


def test_a_batch_has_a_segment_for_each_member():
    def one(drive):
        solver = jn.Particles(20, solutions.LINE, raster=20)
        return solutions.line(jn.Network(weight=0.0, drive=drive), solver, t1=2.0)

    sol = jax.vmap(one)(jnp.asarray([-5.0, 3.0, 5.0]))
    block = jn.io.to_neo(sol, units=units(1))
    assert [segment.name for segment in block.segments] == ["run 0", "run 1", "run 2"]
    counts = [sum(map(len, segment.spiketrains)) for segment in block.segments]
    np.testing.assert_allclose(counts, 20 * np.asarray(sol.spikes)[:, -1], rtol=1e-5)
    assert counts[0] == 0 < counts[1] < counts[2]


def test_recordings_of_every_solution():
    for name in solutions.CASES:
        sol = solutions.solution(name)
        epsilon = float(np.max(np.asarray(sol.model.epsilon)))
        block = jn.io.to_neo(sol, units=units(20, epsilon))
        assert len(block.segments) == max(1, np.size(sol.t_end))
        for segment in block.segments:
            assert len(segment.analogsignals) + len(segment.irregularlysampledsignals) == 1


def trial_of(scale, max_events=30):
    """Two neurons with one input, which only the second hears."""
    weights = np.zeros((2, 2)), np.array([[0.0], [8.0]])
    net = jn.spikes.Recurrent(jn.spikes.LIF(), *weights, max_spikes=12, max_events=max_events)
    inputs = jn.spikes.InputSpikes(scale * jnp.array([0.5, 1.0, 1.5]), jnp.zeros(3, int))
    return net.trial(inputs, duration=4.0)


def test_trains_of_a_trial_of_spikes():
    trial = trial_of(1.0)
    (segment,) = jn.io.to_neo(trial, units=units(20)).segments
    silent, firing = segment.spiketrains
    assert len(silent) == 0 < len(firing) == trial.num_spikes[1]
    own = np.asarray(trial.spike_times[1, : trial.num_spikes[1]])
    np.testing.assert_allclose(seconds(firing.times), 0.02 * own, rtol=1e-6)
    np.testing.assert_allclose(seconds(firing.t_stop), 0.08)


def test_a_batch_of_trials():
    trials = jax.vmap(trial_of)(jnp.array([1.0, 2.0]))
    block = jn.io.to_neo(trials, units=units(20))
    assert [segment.name for segment in block.segments] == ["trial 0", "trial 1"]
    for member, segment in enumerate(block.segments):
        spikes = np.asarray(trials.events.sources[member]) == 1
        own = np.asarray(trials.events.times[member])[spikes]
        assert own.size > 0
        np.testing.assert_allclose(seconds(segment.spiketrains[1].times), 0.02 * own, rtol=1e-6)


def test_wrong_arguments():
    with pytest.raises(ValueError, match="sol = dict: must be a Solution or a Trial"):
        jn.io.to_neo({}, units=units(1))


def test_what_is_no_whole_recording_is_refused():
    full = jn.Particles(50, solutions.LINE, raster=50, raster_capacity=10)
    sol = solutions.line(jn.Network(weight=0.0, drive=3.0), full, t1=2.0)
    with pytest.raises(ValueError, match="in the raster, of which 10 were kept"):
        jn.io.to_neo(sol, units=units(1))
    unfinished = jax.vmap(lambda scale: trial_of(scale, max_events=2))(jnp.ones(1))
    with pytest.raises(ValueError, match="did not finish"):
        jn.io.to_neo(unfinished, units=units(1))


def test_without_the_extra_one_line_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "neo", None)
    with pytest.raises(ImportError, match=r"spike trains need neo: pip install 'jaxnlif\[io\]'"):
        jn.io.to_neo(solutions.solution("particles"), units=units(20))
