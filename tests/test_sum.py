"""Sums of many small terms in single precision."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from checks.trust import times
from jax import lax

import jaxnlif as jn
from jaxnlif._sum import Sum

TERM = np.float32(0.0076415)


def test_the_error_of_a_sum_does_not_grow_with_its_terms():
    @jax.jit
    def total(term):
        return lax.fori_loop(0, 10**6, lambda _, found: found.plus(term), Sum.zero(term)).total

    expected = 1e6 * float(TERM)
    assert abs(float(total(jnp.asarray(TERM))) / expected - 1) < 1e-7


def test_the_derivative_of_a_sum_is_that_of_its_terms():
    def total(term):
        return lax.fori_loop(0, 100, lambda _, found: found.plus(term**2), Sum.zero(term)).total

    assert jax.jit(jax.jacfwd(total))(jnp.asarray(TERM)) == pytest.approx(200 * TERM, rel=1e-5)


@pytest.mark.parametrize("wrap", [lambda run: run, jax.jit])
def test_spikes_of_a_long_run_in_single_precision(wrap):
    (found,) = times.long_spikes(300.0, wrap)
    assert found.value < 1e-5


def test_what_never_returns_and_what_comes_late_in_single_precision():
    never, late, dt = (
        jn.Never(),
        jn.ExponentialDelay(np.float32(1000)),
        jnp.asarray(0.01, "float32"),
    )

    @jax.jit
    def sums(term):
        def more(_, memory):
            return never.record(memory[0], term, dt), late.record(memory[1], term, dt)

        begin = never.start(term), late.start(term)
        gone, there = lax.fori_loop(0, 3 * 10**5, more, begin)
        return never.outstanding(gone, dt), late.seen(there, dt)

    gone, there = sums(jnp.asarray(TERM))
    assert float(gone) == pytest.approx(3e5 * float(TERM), rel=1e-6)
    assert float(there) == pytest.approx(float(TERM) * -np.expm1(-3.0), rel=1e-5)


def test_spikes_of_particles_in_single_precision():
    # Counts of spikes are exact, and so is their sum.
    grid = jn.Grid(v=jn.VoltageGrid(-4.0, 2.0, reset=1.0, num=12, dtype=jnp.float32))
    network, save = jn.Network(noise=0.1, weight=0.0, drive=4.0), jn.SaveAt(num=3001, fn=None)
    run = {"y0": jn.gaussian(grid, v=(0.5, 0.1)), "key": jax.random.key(0), "saveat": save}
    sol = jn.solve(network, jn.Particles(50, grid), t1=30.0, dt=0.01, **run)
    exact = np.sum(np.asarray(sol.rate, float)[1:]) * float(np.float32(0.01))
    assert float(sol.spikes[-1]) == pytest.approx(exact, rel=3e-7)
