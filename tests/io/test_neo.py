"""Solutions as spike trains and signals of Neo."""

import numpy as np
import pytest
import quantities as pq

import jaxnlif as jn

from . import _solutions as solutions
from ._solutions import units


@pytest.fixture(scope="module")
def block():
    sol = solutions.recorded()
    return sol, jn.io.to_neo(sol, units=units(20))


def test_spike_trains_are_those_of_the_raster(block):
    sol, block = block
    trains = block.segments[0].spiketrains
    assert len(trains) == 50
    assert sum(map(len, trains)) == len(sol.raster.time) > 200
    for neuron, train in enumerate(trains):
        expected = 0.02 * np.asarray(sol.raster.time)[np.asarray(sol.raster.neuron) == neuron]
        np.testing.assert_allclose(train.rescale(pq.s).magnitude, expected, rtol=1e-6)
        np.testing.assert_allclose(float(train.t_stop.rescale(pq.ms)), 600.0)


def test_rates_are_in_hertz(block):
    sol, block = block
    (signal,) = block.segments[0].analogsignals
    np.testing.assert_allclose(signal.rescale(pq.Hz).magnitude[:, 0], 50 * sol.rate, rtol=1e-6)
    np.testing.assert_allclose(signal.times.rescale(pq.s).magnitude, 0.02 * sol.ts, atol=1e-7)
    trains = block.segments[0].spiketrains
    mean = np.mean([len(train) / float(train.duration.rescale(pq.s)) for train in trains])
    np.testing.assert_allclose(mean, 50 * float(sol.spikes[-1]) / 30, rtol=1e-4)


def test_events_and_annotations():
    sol = solutions.solution("events")
    block = jn.io.to_neo(sol, units=units(10))
    (events,) = block.segments[0].events
    np.testing.assert_allclose(
        events.times.rescale(pq.s).magnitude, 0.01 * sol.events.time, rtol=1e-6
    )
    assert len(events) > 0
    assert len(block.segments[0].spiketrains) == 0
    assert block.annotations["membrane_time"] == 0.01
    assert '"weight"' in block.annotations["model"]


def test_learning_times_are_longer():
    sol = solutions.solution("structured")
    signal = jn.io.to_neo(sol, units=units(20, epsilon=0.1)).segments[0].analogsignals[0]
    np.testing.assert_allclose(float(signal.t_stop.rescale(pq.s)), 0.048, rtol=1e-6)


def test_what_cannot_be_converted():
    with pytest.raises(ValueError, match="sol = int: must be a Solution"):
        jn.io.to_neo(3, units=units(20))
    sol = solutions.solution("unstructured")
    with pytest.raises(ValueError, match="units = NoneType: must be Units"):
        jn.io.to_neo(sol)
    with pytest.raises(
        ValueError, match=r"membrane_time = 0.02: is an argument no more; give units"
    ):
        jn.io.to_neo(sol, membrane_time=0.02)
    with pytest.raises(
        ValueError, match=r"learning_time = 200 ms: must be 20 ms, .* epsilon = 1 of"
    ):
        jn.io.to_neo(sol, units=units(20, epsilon=0.1))
    with pytest.raises(ValueError, match="epsilon = 0: its time is that of learning"):
        jn.io.to_neo(solutions.line(jn.Network(weight=-0.5, epsilon=0.0)), units=units(20))
