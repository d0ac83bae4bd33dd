"""The drive at its jumps: the step that ends at one does not see what comes after."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from checks.trust import times

import jaxnlif as jn
from jaxnlif.density.substep import lookup_time, next_substep, nothing_done


def make_grid():
    return jn.Grid(v=jn.VoltageGrid(-4.0, 2.0, reset=1.0, num=30))


def make_start():
    return jn.gaussian(make_grid(), v=(-1.0, 0.5))


def test_rates_at_jumps_are_limits_from_before():
    for found in times.jump_rate(2):
        assert found.value < 3, found.name


@pytest.mark.parametrize("jump", [0.0, 0.3, 3.0, 700.0])
def test_a_step_looks_just_before_a_jump_at_its_end(jump, dtype):
    dt = dtype.type(0.1)
    for n in (-2, -1, 0):
        t = jnp.asarray(jump + n * 0.1, dtype)
        found = lookup_time(t, jnp.asarray(dt), jnp.asarray([jump, 1e4], dtype))
        assert bool(found < dtype.type(jump)) == (n < 0)
        assert float(found) == pytest.approx(float(t) + 0.1, rel=1e-4, abs=1e-6)


def test_the_rate_at_a_jump_is_that_of_a_run_without_one(dtype):
    def rates(start, height):
        network = jn.Network(weight=-1.0, drive=jn.Pulse(1.5, height, start, 0.2))
        save = jn.SaveAt(num=21, fn=None)
        return jn.solve(
            network, jn.FluxShift(make_grid()), y0=make_start(), t1=1.0, dt=0.01, saveat=save
        ).rate

    starts = np.arange(1, 20) * 0.05  # at every save but the ends
    flat, *jumped = np.asarray(
        jax.jit(jax.vmap(rates))(
            jnp.asarray([0.5, *starts], dtype), jnp.asarray([0.0, *[5.0] * 19], dtype)
        )
    )
    for k in range(19):
        np.testing.assert_allclose(jumped[k][: k + 2], flat[: k + 2], rtol=1e-5)
        assert jumped[k][k + 2] > 1.02 * flat[k + 2]


def test_derivatives_by_a_jump_between_two_steps(dtype):
    # What the step before it gains, the step after it loses.
    t, dt, rest = (jnp.asarray(x, dtype) for x in (0.5, 0.1, 1.0))

    @jax.jit
    def lengths(jump):
        def length(t):
            jumps = jump[None]
            done = nothing_done(t, dt, jumps)
            return next_substep(t, dt, done, rest, jumps).length

        return jnp.stack([length(t), length(t + dt)])

    slopes = jax.jit(jax.jacfwd(lengths))
    for jump in (t + dt, jnp.nextafter(t + dt, 2 * rest)):
        np.testing.assert_allclose(lengths(jump), [0.1, 0.1], rtol=1e-5)
        np.testing.assert_array_equal(slopes(jump), [1.0, -1.0])
