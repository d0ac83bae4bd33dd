"""Motion between spikes: exact moments and bridges."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxnlif as jn
from jaxnlif.model import Leaky
from jaxnlif.particles.draws import normal_and_uniform
from jaxnlif.particles.motion import Draws, motion_of

NUM = 100_000
LEAKY = Leaky()
THRESHOLD = 2.0


@jax.jit
def draws(seed):
    return normal_and_uniform(jax.random.key(seed), NUM, jnp.asarray(True))


@partial(jax.jit, static_argnames="threshold")
def move(begin, drive, noise, time, threshold, *draws):
    grid = jn.VoltageGrid(
        -4.0, threshold, reset=-1.0, num=2 * int(threshold + 4), dtype=begin.dtype
    )
    return motion_of(grid, LEAKY, drive, noise, time, Draws(*draws)).move(begin)


def everywhere(value, dtype):
    return np.full(NUM, value, dtype)


def scalars(dtype, *values):
    return (np.asarray(value, dtype) for value in values)


@pytest.mark.parametrize("duration", [1e-3, 0.5, 10.0])
def test_moments_of_the_transition(duration, dtype):
    drive, noise, time = scalars(dtype, 0.7, 0.3, duration)
    moved = move(everywhere(-1.0, dtype), drive, noise, time, 100.0, *draws(0))
    x = np.asarray(moved.potentials, float)
    mean = 0.7 - 1.7 * np.exp(-duration)
    variance = 0.3 * (1 - np.exp(-2 * duration))
    assert abs(x.mean() - mean) <= 4 * np.sqrt(variance / NUM)
    assert abs(x.var() - variance) <= 4 * variance * np.sqrt(2 / NUM)
    assert not np.any(np.asarray(moved.margin) > 0)


def test_neurons_with_a_time_of_their_own(dtype):
    time = np.asarray([0.0, 0.1, 0.2], dtype)
    drive, noise = scalars(dtype, 0.0, 1.0)
    zeros, halves = np.zeros(3, np.float32), np.full(3, 0.5, np.float32)
    moved = move(np.ones(3, dtype), drive, noise, time, THRESHOLD, zeros, halves)
    np.testing.assert_allclose(moved.potentials, np.exp(-np.asarray(time)), rtol=1e-6)
    assert not moved.margin[0] > 0


@pytest.mark.parametrize("begin", [1.9, 1.5, 1.0])
@pytest.mark.parametrize("normal", [-1.0, 0.0, 0.5])
def test_bridges_have_the_probability_of_the_closed_form(begin, normal, dtype):
    noise, time = 0.5, 0.04
    uniform = (np.arange(NUM, dtype=np.float32) + np.float32(0.5)) / np.float32(NUM)
    moved = move(
        everywhere(begin, dtype),
        *scalars(dtype, 0.3, noise, time),
        THRESHOLD,
        np.full(NUM, normal, np.float32),
        uniform,
    )
    end = float(moved.potentials[0])
    chance = np.exp(-(THRESHOLD - begin) * max(THRESHOLD - end, 0) / (noise * time))
    assert abs(np.mean(np.asarray(moved.margin) > 0) - chance) <= 2e-5


def test_who_is_above_the_threshold_has_fired(dtype):
    for begin, normal in ((2.0, -3.0), (2.5, 0.0), (1.9, 6.0)):
        moved = move(
            everywhere(begin, dtype),
            *scalars(dtype, 0.0, 1.0, 0.01),
            THRESHOLD,
            np.full(NUM, normal, np.float32),
            draws(1)[1],
        )
        assert np.all(np.asarray(moved.margin) > 0)
