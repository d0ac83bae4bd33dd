"""How steps are divided where neurons may fire together."""

import jax.numpy as jnp
import pytest

import jaxnlif as jn
from jaxnlif._sum import Sum
from jaxnlif.density.substep import next_substep

from .test_events import COARSE, LINE, run


def substep(done=0.0, rate=0.0, spikes=0.1, jumps=(), t=1.0, dt=0.1, longest=1.0):
    t, dt, done, *numbers = (jnp.asarray(float(x)) for x in (t, dt, done, rate, spikes, longest))
    done = Sum(done, jnp.zeros_like(done))
    rate, spikes, longest = numbers
    limit = jnp.minimum(spikes / jnp.maximum(rate, spikes / dt), longest)
    return next_substep(t, dt, done, limit, jnp.asarray(jumps, COARSE.dtype).reshape(-1))


def test_low_rates_take_the_whole_step():
    step = substep(rate=0.9)
    assert float(step.length) == float(step.done.total) == float(jnp.asarray(0.1))


def test_high_rates_take_what_fires_the_mass():
    assert float(substep(rate=8.0).length) == pytest.approx(0.1 / 8)
    assert float(substep(rate=8.0, spikes=0.01).length) == pytest.approx(0.01 / 8)


def test_the_last_substep_ends_the_step():
    step = substep(done=0.095, rate=8.0)
    assert float(step.length) == pytest.approx(0.005, rel=1e-4)
    assert float(step.done.total) == float(jnp.asarray(0.1))


def test_steps_land_on_jumps_and_look_just_before_them():
    jump = jnp.asarray(1.0375)
    step = substep(jumps=[0.5, 1.0375, 1.2])
    assert float(step.length) == pytest.approx(0.0375, rel=1e-4)
    assert float(step.time) < float(jump)
    assert float(step.time) == pytest.approx(float(jump), rel=1e-6)
    onwards = substep(done=float(step.done.total), jumps=[0.5, 1.0375, 1.2])
    assert float(onwards.length) == pytest.approx(0.0625, rel=1e-4)
    assert float(onwards.time) == pytest.approx(1.1)


def test_pulses_start_and_stop_in_time():
    # In steps of 0.25 a pulse of 0.01 still gives an impulse of height × duration, which decays by
    # the implicit steps of 0.01, 0.19, 0.25 and 0.25.
    def mean(height):
        network = jn.Network(noise=0.1, weight=0.0, drive=jn.Pulse(0.0, height, 0.3, 0.01))
        sol = run(network, t1=1.0, dt=0.25)
        assert int(sol.stats["substeps"]) == 6
        return float(jnp.sum(sol.density(-1)[:, 0] * LINE.v.nodes) * LINE.v.spacing)

    expected = 0.02 / (1.01 * 1.19 * 1.25**2)
    assert mean(2.0) - mean(0.0) == pytest.approx(expected, rel=0.02)


def test_a_substep_is_no_longer_than_allowed():
    assert substep(longest=0.025).length == pytest.approx(0.025)
