"""Transmission delays and refractory periods."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxnlif as jn


def arrivals(delay, sent, dt):
    dt = jnp.asarray(dt)
    memory, seen = delay.start(jnp.zeros(())), []
    for value in sent:
        seen.append(float(delay.seen(memory, dt)))
        memory = delay.record(memory, jnp.asarray(value), dt)
    return np.array(seen), memory


def test_whole_steps_arrive_unchanged_and_later():
    seen, _ = arrivals(jn.Delay(0.5, slots=8), np.arange(1.0, 7.0), 0.25)
    np.testing.assert_allclose(seen, [0, 0, 1, 2, 3, 4])


def test_fractions_of_a_step_are_shared_between_two():
    seen, _ = arrivals(jn.Delay(0.375, slots=8), np.arange(1.0, 7.0), 0.25)
    np.testing.assert_allclose(seen, [0, 0.5, 1.5, 2.5, 3.5, 4.5])


@pytest.mark.parametrize("duration", [0.25, 0.4, 1.3])
def test_nothing_is_lost_on_the_way(duration):
    delay, sent = jn.Delay(duration, slots=8), np.random.default_rng(0).uniform(0, 1, 40)
    seen, memory = arrivals(delay, sent, 0.25)
    np.testing.assert_allclose(
        seen.sum() + delay.outstanding(memory, jnp.asarray(0.25)), sent.sum(), rtol=1e-5
    )


def test_exponential_delay_follows_its_equation():
    dt, duration = 0.01, 0.5
    seen, _ = arrivals(jn.ExponentialDelay(duration), np.ones(100), dt)
    np.testing.assert_allclose(seen, 1 - np.exp(-dt * np.arange(100) / duration), atol=1e-6)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"delay": 0.0}, "delay = 0: must be positive"),
        ({"refractory": -1.0}, "refractory = -1: must be positive"),
        ({"delay": "late"}, "delay = 'late': must be a number"),
    ],
)
def test_wrong_delays(arguments, message):
    with pytest.raises(ValueError, match=message):
        jn.Network(weight=1.0, **arguments)


def test_delays_that_steps_cannot_resolve():
    with pytest.raises(ValueError, match=r"delay = 0.1: must not be shorter than dt = 0.2"):
        jn.Delay(0.1).validate("delay", 0.2)
    with pytest.raises(ValueError, match=r"at most 1022 steps of dt = 0.0001, .*slots=1024"):
        jn.Delay(1.0).validate("delay", 1e-4)


@pytest.mark.parametrize(("duration", "steps"), [(1e-3, 1), (12.0, 6)])
def test_traced_durations_stay_in_the_memory(duration, steps):
    def seen(duration):
        delay, dt = jn.Delay(duration, slots=8), jnp.asarray(0.25)
        memory = delay.start(jnp.zeros(()))
        for value in range(1, 9):
            memory = delay.record(memory, jnp.asarray(float(value)), dt)
        return delay.seen(memory, dt)

    assert jax.jit(seen)(jnp.asarray(duration)) == 9 - steps
