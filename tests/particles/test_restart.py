"""Where neurons are that fired: conventions, and the rest of the step that they live."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxnlif as jn
from jaxnlif.model import Leaky
from jaxnlif.particles.draws import normal_and_uniform
from jaxnlif.particles.motion import Draws, motion_of
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


def steps(num, begin, span, drive, dtype):
    """Potentials and spike counts after `num` steps in the time `span`."""
    drive, noise, time = (jnp.asarray(x, dtype) for x in (drive, 1.0, span / num))

    def step(carry, seed):
        x, spikes = carry
        pair = normal_and_uniform(jax.random.fold_in(jax.random.key(3), seed), NUM, time > 0)
        motion = motion_of(VOLTAGE, LEAKY, drive, noise, time, Draws(*pair))
        moved = motion.move(x)
        fired = moved.margin > 0
        restarted = motion.restarted(moved.potentials, jnp.zeros(()))
        return (jnp.where(fired, restarted, moved.potentials), spikes + fired), None

    start = jnp.full(NUM, begin, dtype), jnp.zeros(NUM, jnp.int32)
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
