"""Arguments that are traced are checked when the run is: right, or an end that says so."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxnlif as jn
from jaxnlif._check import unseen
from jaxnlif.particles.arguments import check_beginning

GRID = jn.Grid(v=jn.VoltageGrid(-4.0, 2.0, reset=1.0, num=12))
START = jn.gaussian(GRID, v=(0.5, 0.3))
BAD = int(jn.Result.invalid_argument._value)


def run(y0=START, solver=None, key=None, **network):
    network, save = jn.Network(**{"weight": -1.0} | network), jn.SaveAt(num=3, fn=None)
    solver = jn.FluxShift(GRID) if solver is None else solver
    return jn.solve(network, solver, y0=y0, t1=1.0, dt=0.05, key=key, saveat=save)


def test_what_jit_knows_is_refused_as_without_it():
    with pytest.raises(ValueError, match=r"delay = 3: must be at most 18 steps of dt = 0.05"):
        jax.jit(lambda weight: run(weight=weight, delay=jn.Delay(3.0, slots=20)))(-1.0)


def test_each_member_of_vmap_ends_by_itself():
    wrong = {"delay": [0.51, 0.01], "factor": [2.0, -1.0], "noise": [0.0], "epsilon": [-1.0]}
    good = {"delay": 0.5, "factor": 1.0, "noise": 0.5, "epsilon": 1.0}
    members = [good, *(good | {name: x} for name, values in wrong.items() for x in values)]

    def run_with(values):
        delay = jn.Delay(values["delay"], slots=12)
        numbers = {name: values[name] for name in ("noise", "epsilon")}
        return run(y0=values["factor"] * START, delay=delay, **numbers)

    values = {name: jnp.asarray([member[name] for member in members]) for name in good}
    sol = jax.jit(jax.vmap(run_with))(values)
    np.testing.assert_array_equal(sol.result._value == BAD, [False] + [True] * 6)
    np.testing.assert_array_equal(sol.stats["steps"], [20] + [0] * 6)
    np.testing.assert_allclose(sol.rate[0], run_with(good).rate, rtol=1e-4, atol=1e-7)


def test_particles_too():
    @jax.jit
    def holds(potentials):
        with unseen() as conditions:
            check_beginning(GRID, 10, potentials)
        return jnp.all(jnp.stack(conditions))

    assert holds(jnp.ones(10))
    assert not holds(jnp.full(10, 2.0))
    assert not holds(jnp.full(10, jnp.nan))


def test_derivatives_of_what_is_wrong_raise():
    with pytest.raises(ValueError, match="epsilon: must not be negative"):
        jax.grad(lambda x: run(epsilon=x).rate[-1])(-1.0)
    with pytest.raises(Exception, match="invalid argument"):
        jax.jit(lambda x: jax.jvp(lambda x: run(epsilon=x).rate[-1], (x,), (1.0,)))(-1.0)
