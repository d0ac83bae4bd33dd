"""Derivatives that would be wrong raise; those that a user insists on are finite."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxnlif as jn

LINE = jn.Grid(v=jn.VoltageGrid(-2.0, 2.0, reset=1.0, num=16))
Y0 = jn.gaussian(LINE, v=(0.0, 0.5))


def solution(weight, throw=None, solver=None, **arguments):
    return jn.solve(
        jn.Network(weight=weight),
        jn.FluxShift(LINE) if solver is None else solver,
        y0=Y0,
        t1=2.0,
        dt=0.05,
        saveat=jn.SaveAt(num=3, fn=None),
        throw=throw,
        **arguments,
    )


def rate(weight, **arguments):
    return solution(weight, **arguments).rate[-1]


@pytest.fixture(scope="module")
def slope():
    return eqx.filter_jit(jax.value_and_grad(rate))


def test_a_run_that_completes_is_differentiated(slope):
    assert np.isfinite(slope(jnp.asarray(0.5))[1])


def test_blow_up_is_not_differentiated(slope):
    with pytest.raises(RuntimeError, match=r"differentiated.*blow-up"):
        jax.block_until_ready(slope(jnp.asarray(20.0)))


def forward(function):
    """Its derivative, in forward mode."""
    return eqx.filter_jit(lambda weight: jax.jvp(function, (weight,), (1.0,))[1])


@pytest.mark.parametrize(
    "read", [lambda sol: sol.rate[-1], lambda sol: sol.t_end, lambda sol: sol.stats["mass_drift"]]
)
def test_forward_mode_refuses_too_and_also_the_end_of_a_run(read):
    slope = forward(lambda weight: read(solution(weight)))
    assert np.isfinite(slope(jnp.asarray(0.5)))
    with pytest.raises(RuntimeError, match=r"differentiated.*blow-up"):
        jax.block_until_ready(slope(jnp.asarray(20.0)))


def test_the_value_alone_is_a_result():
    assert np.isfinite(jax.jit(rate)(20.0))


def test_a_user_may_insist():
    assert np.isfinite(jax.jit(jax.grad(lambda weight: rate(weight, throw=False)))(20.0))


def test_throw_raises_in_compiled_code():
    with pytest.raises(RuntimeError, match="blow-up"):
        jax.block_until_ready(eqx.filter_jit(lambda weight: rate(weight, throw=True))(20.0))


class Stopped(jn.FluxShift):
    """As with an event in the midst of the run."""

    def differentiable_from(self, state):
        return jnp.ones_like(state.rate)


@pytest.mark.slow
@pytest.mark.parametrize("solver", [Stopped(LINE), jn.Particles(100, LINE)])
def test_events_and_switches_stop_derivatives(solver):
    slope = forward(lambda weight: rate(weight, solver=solver, key=jax.random.key(0)))
    with pytest.raises(RuntimeError, match="derivatives stop there"):
        jax.block_until_ready(slope(jnp.asarray(0.5)))
