"""A sample of 100 000 inputs at distinct times."""

import math
import time
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnlif.spikes import FeedForward, Theta

NUM, DURATION = 100_000, 8.0
NEURON = Theta()


def reference(times, weights, phase):
    """Spike times of one neuron, from input to input."""
    omega, q = float(NEURON.omega), float(NEURON.q)
    spikes, now, angle = [], 0.0, omega * phase
    for k in np.argsort(times):
        until = angle + omega * (times[k] - now)
        if until >= math.pi:
            spikes.append(now + (math.pi - angle) / omega)
            until -= math.pi
        now = times[k]
        angle = math.atan2(1.0, 1.0 / math.tan(until) - weights[k] / q)
    return np.array([*spikes, now + (math.pi - angle) / omega])


def test_the_time_grows_no_faster_than_that_of_sorting():
    rng = np.random.default_rng(0)
    times, weights = rng.uniform(0, DURATION, NUM), 0.01 * rng.normal(size=NUM) + 1e-5
    shift = rng.normal(size=NUM)

    @jax.jit
    @partial(jax.value_and_grad, has_aux=True)
    def second(weights, times):
        net = FeedForward(NEURON, [weights[None]], [jnp.array([1.0])], max_spikes=4)
        spikes = net(times, duration=DURATION)[0]
        return spikes[1], spikes

    (_, spikes), slope = second(weights, times)
    expected = reference(times, weights, 1.0)
    assert len(expected) >= 3
    np.testing.assert_allclose(spikes[: len(expected) - 1], expected[:-1], rtol=1e-9)
    eps = 1e-7
    ends = [reference(times, weights + d * shift, 1.0)[1] for d in (eps, -eps)]
    assert float(slope @ shift) == pytest.approx((ends[0] - ends[1]) / (2 * eps), rel=1e-5)

    begin = time.perf_counter()
    jax.block_until_ready(second(weights, times[::-1].copy()))
    assert time.perf_counter() - begin < 5  # 0.5 seconds, and 20 if pairs were compared
