"""The first step, where the flux of the initial density through the threshold is the mesh's."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxnlif as jn
from jaxnlif.density.start import _of_two_steps

SAVEAT = jn.SaveAt(num=2, fn=None)


def line(num):
    return jn.Grid(v=jn.VoltageGrid(-4.0, 2.0, reset=1.0, num=num))


def run(weight, num, solver=None, t1=0.2, **arguments):
    grid = line(num)
    solver = jn.FluxShift(grid) if solver is None else solver(grid)
    y0 = jn.gaussian(grid, v=(1.5, 0.05))
    network = jn.Network(weight=weight, **arguments)
    return jn.solve(network, solver, y0=y0, t1=t1, dt=1e-2, saveat=SAVEAT)


def with_events(grid):
    return jn.FluxShift(grid, events=jn.Cascade())


@pytest.mark.parametrize("solver", [None, with_events], ids=["lagged", "events"])
def test_spikes_do_not_depend_on_the_mesh(solver):
    # 0.450: implicit coupling, 1200 nodes, a step of 4e-5. The rest is of the step, which is 1e-2.
    few, many = run(0.5, 300, solver), run(0.5, 4800, solver)
    assert float(few.spikes[-1]) == pytest.approx(0.450, rel=0.02)
    assert float(many.spikes[-1]) == pytest.approx(float(few.spikes[-1]), rel=0.01)
    # The rate that is saved at the beginning is that of the first step.
    assert float(many.rate[0]) == pytest.approx(float(few.rate[0]), rel=0.05)


def test_no_blow_up_because_of_the_mesh():
    assert run(0.9, 4800).result == jn.Result.completed


@pytest.mark.parametrize("kappa", [1e-6, 0.3, 1.0, 1e6])
def test_one_step_relaxes_as_two(kappa):
    # An implicit step leaves κ / (1 + κ) of what decays at the rate 1.
    one = float(_of_two_steps(jnp.asarray(kappa)))
    assert one / (1 + one) == pytest.approx((kappa / (1 + kappa)) ** 2, rel=1e-9)


def test_weights_do_not_move_before_voltages():
    means = []
    for num in (60, 240):
        grid = jn.Grid(v=line(num).v, w=jn.WeightGrid(0.0, 1.2, num=60))
        network = jn.Network(
            drive=jn.Bump(1.0, 3.0, 0.3, 0.1),
            response=jn.Saturating(),
            learning=jn.Hebbian(0.3),
            epsilon=1e-6,
        )
        y0 = jn.gaussian(grid, v=(1.5, 0.05), w=(0.3, 0.005))
        sol = jn.solve(network, jn.FluxShift(grid), y0=y0, t1=0.05, dt=1e-2, saveat=SAVEAT)
        means.append(float(sol.weights[-1] @ grid.w.centers * grid.w.spacing))
    # 0.445 on finer grids of weights; the mesh of voltages does not matter.
    assert means[0] == pytest.approx(0.445, rel=0.05)
    assert means[1] == pytest.approx(means[0], rel=2e-3)


def test_the_first_rates_are_those_of_the_branch_on_which_the_density_lies():
    # ε = 0: bounded excitation holds itself up, or not, by where the run begins.
    grid = line(120)
    network = jn.Network(weight=8.0, drive=-1.5, noise=0.3, response=jn.Saturating(), epsilon=0.0)
    solver = jn.FluxShift(grid, jn.Implicit())
    active, silent = (
        jn.solve(network, solver, y0=jn.gaussian(grid, v=v), t1=1.0, dt=0.1, saveat=SAVEAT)
        for v in ((1.5, 0.2), (-1.5, 0.1))
    )
    assert float(active.rate[-1]) > 1
    assert float(silent.rate[-1]) < 1e-3


def test_derivatives_of_a_first_step():
    def spikes(weight, coupling):
        return run(weight, 60, lambda grid: jn.FluxShift(grid, coupling), t1=0.03).spikes[-1]

    for coupling, weight in ((jn.Lagged(), 0.5), (jn.Corrected(), -3.0)):
        both = jax.jit(jax.value_and_grad(partial(spikes, coupling=coupling)))
        difference = float(both(weight + 1e-5)[0] - both(weight - 1e-5)[0]) / 2e-5
        assert float(both(weight)[1]) == pytest.approx(difference, rel=1e-7)


def test_many_first_steps_at_once():
    weights = jnp.asarray([-3.0, 0.0, 0.5])
    together = jax.jit(jax.vmap(lambda b: run(b, 300, with_events, t1=0.02).spikes[-1]))(weights)
    alone = [float(run(float(b), 300, with_events, t1=0.02).spikes[-1]) for b in weights]
    np.testing.assert_allclose(together, alone, rtol=1e-5)
