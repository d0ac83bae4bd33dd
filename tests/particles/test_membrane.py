"""Motion between spikes: exact moments, bridges, re-entry."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnlif.particles.draws import normal_and_uniform
from jaxnlif.particles.membrane import move, restart

NUM = 100_000
THRESHOLD, RESET = 2.0, 1.0


def draws(seed):
    return normal_and_uniform(jax.random.key(seed), NUM, jnp.asarray(True))


def everywhere(value, dtype):
    return jnp.full(NUM, value, dtype)


def scalars(dtype, *values):
    return (jnp.asarray(value, dtype) for value in values)


@pytest.mark.parametrize("duration", [1e-3, 0.5, 10.0])
def test_moments_of_the_transition(duration, dtype):
    drive, noise, time = scalars(dtype, 0.7, 0.3, duration)
    moved = move(everywhere(-1.0, dtype), drive, noise, time, 100.0, *draws(0))
    x = np.asarray(moved.potentials, float)
    mean = 0.7 - 1.7 * np.exp(-duration)
    variance = 0.3 * (1 - np.exp(-2 * duration))
    assert abs(x.mean() - mean) <= 4 * np.sqrt(variance / NUM)
    assert abs(x.var() - variance) <= 4 * variance * np.sqrt(2 / NUM)
    assert not np.any(moved.margin > 0)


def test_neurons_with_a_time_of_their_own(dtype):
    time = jnp.asarray([0.0, 0.1, 0.2], dtype)
    drive, noise = scalars(dtype, 0.0, 1.0)
    zeros, halves = jnp.zeros(3, jnp.float32), jnp.full(3, 0.5, jnp.float32)
    moved = move(jnp.ones(3, dtype), drive, noise, time, THRESHOLD, zeros, halves)
    np.testing.assert_allclose(moved.potentials, np.exp(-np.asarray(time)), rtol=1e-6)
    assert not moved.margin[0] > 0


@pytest.mark.parametrize("begin", [1.9, 1.5, 1.0])
@pytest.mark.parametrize("normal", [-1.0, 0.0, 0.5])
def test_bridges_have_the_probability_of_the_closed_form(begin, normal, dtype):
    noise, time = 0.5, 0.04
    uniform = (jnp.arange(NUM, dtype=jnp.float32) + 0.5) / NUM
    moved = move(
        everywhere(begin, dtype),
        *scalars(dtype, 0.3, noise, time),
        THRESHOLD,
        jnp.full(NUM, normal, jnp.float32),
        uniform,
    )
    end = float(moved.potentials[0])
    chance = np.exp(-(THRESHOLD - begin) * max(THRESHOLD - end, 0) / (noise * time))
    assert abs(float(jnp.mean(moved.margin > 0)) - chance) <= 2e-5


def test_who_is_above_the_threshold_has_fired(dtype):
    for begin, normal in ((2.0, -3.0), (2.5, 0.0), (1.9, 6.0)):
        moved = move(
            everywhere(begin, dtype),
            *scalars(dtype, 0.0, 1.0, 0.01),
            THRESHOLD,
            jnp.full(NUM, normal, jnp.float32),
            draws(1)[1],
        )
        assert np.all(moved.margin > 0)


def steps(num, begin, span, drive, dtype):
    """Potentials and spike counts after `num` steps in the time `span`."""
    drive, noise, time = scalars(dtype, drive, 1.0, span / num)

    def step(carry, seed):
        x, spikes = carry
        pair = normal_and_uniform(jax.random.fold_in(jax.random.key(3), seed), NUM, time > 0)
        moved = move(x, drive, noise, time, THRESHOLD, *pair)
        fired = moved.margin > 0
        restarted = restart(moved.potentials, time, THRESHOLD, RESET)
        return (jnp.where(fired, restarted, moved.potentials), spikes + fired), None

    start = everywhere(begin, dtype), jnp.zeros(NUM, jnp.int32)
    (x, spikes), _ = jax.lax.scan(step, start, jnp.arange(num))
    return np.asarray(x, float), np.asarray(spikes, float)


@pytest.mark.parametrize(("begin", "drive"), [(1.8, 20.0), (1.9, 0.0)])
def test_a_long_step_ends_where_short_ones_do(begin, drive, dtype):
    # Restarting at V_R at the end of the step would be off by drive * 0.01 = 0.2 in voltage.
    (x, spikes), (fine_x, fine_spikes) = (steps(n, begin, 0.02, drive, dtype) for n in (1, 20))
    for one, many in ((x, fine_x), (spikes, fine_spikes)):
        error = np.sqrt((one.var() + many.var()) / NUM)
        # The spikes of the step are not quite uniform in it: a second-order effect of 0.01.
        assert abs(one.mean() - many.mean()) <= 4 * error + 0.01
