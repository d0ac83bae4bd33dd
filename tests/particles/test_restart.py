"""Where neurons are that fired: conventions, and the rest of the step that they live."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxnlif as jn
from jaxnlif.model import Exponential, Leaky
from jaxnlif.particles.draws import normal_and_uniform
from jaxnlif.particles.motion import Draws, motion_of
from jaxnlif.particles.rest import SomeResting
from jaxnlif.particles.restart import kicked

NUM = 100_000
LEAKY = Leaky()
VOLTAGE = jn.VoltageGrid(-4.0, 2.0, reset=1.0, num=6)


@pytest.mark.parametrize(
    ("reset", "expected"), [(jn.Hold(), [0.75, 0.75, 1.0]), (jn.Shift(), [0.75, 1.0, 1.125])]
)
def test_by_hand(reset, expected):
    potentials = jnp.asarray([0.5, 0.75, 1.875])
    fired, carried = jnp.asarray([False, True, False]), jnp.asarray([False, False, True])
    out = kicked(VOLTAGE, reset, potentials, fired, carried, jnp.asarray(0.25))
    np.testing.assert_array_equal(out, expected)


@partial(jax.jit, static_argnames="num")
def steps(num, begin, span, drive):
    """Potentials and spike counts after `num` steps in the time `span`."""
    time = span / num

    def step(carry, seed):
        x, spikes = carry
        pair = normal_and_uniform(jax.random.fold_in(jax.random.key(3), seed), NUM, time > 0)
        motion = motion_of(VOLTAGE, LEAKY, drive, jnp.ones_like(time), time, Draws(*pair))
        moved = motion.move(x)
        fired = moved.margin > 0
        restarted = motion.restarted(moved.potentials, jnp.zeros(()))
        return (jnp.where(fired, restarted, moved.potentials), spikes + fired), None

    start = jnp.full(NUM, begin), jnp.zeros(NUM, jnp.int32)
    return jax.lax.scan(step, start, jnp.arange(num))[0]


@pytest.mark.parametrize(("begin", "drive"), [(1.8, 20.0), (1.9, 0.0)])
def test_a_long_step_ends_where_short_ones_do(begin, drive, dtype):
    # Restarting at V_R at the end of the step would be off by drive * 0.01 = 0.2 in voltage.
    given = [np.asarray(x, dtype) for x in (begin, 0.02, drive)]
    for one, many in zip(*(steps(num, *given) for num in (1, 20)), strict=True):
        one, many = np.asarray(one, float), np.asarray(many, float)
        error = np.sqrt((one.var() + many.var()) / NUM)
        # The spikes of the step are not quite uniform in it: a second-order effect of 0.01.
        assert abs(one.mean() - many.mean()) <= 4 * error + 0.01


@pytest.mark.parametrize("duration", [1e-3, 1e-2])
def test_kicks_that_come_evenly_are_an_input(duration):
    # Neurons that fired live half of the step, and feel what comes in that.
    v = jn.VoltageGrid(-3.0, 2.0, reset=0.0, num=50)
    numbers = (jnp.zeros(1, jnp.float32), jnp.full(1, 0.5, jnp.float32), jnp.zeros(1, jnp.float32))

    def end(drive, kicks):
        given = (jnp.asarray(x) for x in (drive, 1e-12, duration))
        motion = motion_of(v, Exponential(0.2, 1.0), *given, Draws(*numbers))
        return motion.restarted(jnp.full(1, 2.0), kicks * motion.lift)[0]

    risen = float(end(1.0, 3.0) - end(1.0, 0.0))
    assert risen == pytest.approx(float(end(4.0, 0.0) - end(1.0, 0.0)), rel=2 * duration)


def test_who_wakes_in_a_step_can_be_carried_at_its_end():
    left = jnp.asarray([0.0, 0.3, 1.0, 1.2, 0.0])
    resting = SomeResting(jnp.asarray(0.1), left, jnp.asarray(0.5))
    fired = jnp.asarray([False, False, False, False, True])
    np.testing.assert_array_equal(resting.free(fired), [True, True, True, False, False])
    np.testing.assert_allclose(resting.awake, [0.1, 0.07, 0.0, 0.0, 0.1], atol=1e-12)
