"""Logarithmic depth against loops, exact fractions, and a GPU's program."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads
from jaxtyping import TypeCheckError

import jaxnlif as jn
from jaxnlif import execution
from jaxnlif.density import advection
from jaxnlif.execution import Automatic, LogDepth, Loops
from jaxnlif.machine.machine import Machine
from jaxnlif.tridiagonal import log_depth, loops, mmatrix
from jaxnlif.tridiagonal.exchange import Rates

from ..conftest import needs_double
from ..density import _leaky
from .test_mmatrix import exact_solution

SOURCES = [1, 7, 18]  # one row below, many on both sides, none above


def system(dtype, *, rows=20, columns=3, decades=2.0, seed=0):
    rng = np.random.default_rng(seed)
    up, down = (10 ** rng.uniform(-decades, decades, (2, rows, columns))).astype(dtype)
    right = rng.random((rows, columns)).astype(dtype)
    return Rates.table(jnp.asarray(up), jnp.asarray(down)), jnp.asarray(right)


@pytest.mark.parametrize("kappa", [1e-6, 1.0, 1e4])
@pytest.mark.parametrize("name", ["solve", "solve_transposed"])
def test_solutions(name, kappa, dtype):
    rates, right = system(dtype)
    kappa = jnp.full(3, kappa, dtype)
    found, expected = (jax.jit(getattr(way, name))(rates.rows, kappa, right) for way in ways())
    np.testing.assert_allclose(found, expected, rtol=100 * float(np.finfo(dtype).eps))


def ways():
    """Both, of systems given as tables."""

    class Tables:
        def __init__(self, way):
            self.way = way

        def __getattr__(self, name):
            return lambda rows, *more: getattr(self.way, name)(Rates(rows, lambda row: row), *more)

    return Tables(log_depth), Tables(loops)


@pytest.mark.parametrize("kappa", [0.0, 1e-6, 1.0])
@pytest.mark.parametrize("source", SOURCES)
def test_solutions_with_a_given_mass(source, kappa, dtype):
    rates, right = system(dtype, rows=19, decades=0.3)
    kappa, pin = jnp.full(3, kappa, dtype), jnp.asarray([0, 9, 18])

    def product(x):
        return mmatrix.apply(kappa, *rates.rows[1:], x)

    @partial(jax.jit, static_argnums=0)
    def solve_and_transpose(way):
        def solve(right):
            def rates_of(_, columns):
                rows, kappa = columns
                return Rates(rows, rates.at), kappa

            system = rates_of, (), (rates.rows, kappa)
            machine, mass = Machine(way), right[0]
            return mmatrix.solve_shifted(
                *system, source, right, mass, pin=pin, matvec=product, machine=machine
            )

        return solve(right), jax.linear_transpose(solve, right)(right)[0]

    for found, expected in zip(*map(solve_and_transpose, (LogDepth(), Loops())), strict=True):
        tolerance = 1000 * float(np.finfo(dtype).eps) * float(jnp.max(jnp.abs(expected)))
        np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance)


@pytest.mark.parametrize("name", ["solve", "solve_transposed"])
def test_one_matrix_along_the_last_axis(name, dtype):
    rates, _ = system(dtype, columns=1)
    right = jnp.asarray(np.random.default_rng(1).random((5, 20)), dtype)
    found, expected = (
        getattr(way, name)(rates, jnp.ones(1, dtype), right, axis=1) for way in (log_depth, loops)
    )
    np.testing.assert_allclose(found, expected, rtol=100 * float(np.finfo(dtype).eps))


@pytest.mark.parametrize("exponent", [-14, -7, 0])
def test_every_digit_holds_however_small_the_excess(exponent, dtype):
    n, rng = 60, np.random.default_rng(2)
    up, down, right = (rng.uniform(0.1, 10, n).astype(dtype) for _ in range(3))
    up[-1] = 0
    kappa = dtype.type(10.0**exponent)
    columns = (jnp.asarray(a)[..., None] for a in (kappa, up, down, right))
    found = mmatrix.solve(*columns, machine=Machine(LogDepth()))
    expected = exact_solution(kappa, up, down, right)
    np.testing.assert_allclose(found[:, 0], expected, rtol=2 * n * np.finfo(dtype).eps)


def test_solution_is_positive_over_the_whole_range_of_rates(dtype):
    rates, _ = system(dtype, rows=50, columns=200, decades=12)
    right = jnp.zeros((50, 200), dtype).at[25].set(1)
    found, expected = (
        way.solve(rates, jnp.full(200, 1e-10, dtype), right) for way in (log_depth, loops)
    )
    assert np.all(np.isfinite(found))
    assert np.all(found >= 0)
    if dtype == np.float64:  # in float32 products over so many decades underflow
        np.testing.assert_allclose(found, expected, rtol=300 * float(np.finfo(dtype).eps))


def voltages(dtype, num=90, width=5):
    rng = np.random.default_rng(3)
    grid = jn.VoltageGrid(-4.0, 2.0, reset=1.0, num=num, dtype=dtype)
    density, drive, inflow = (
        jnp.asarray(x, dtype)
        for x in (rng.random((num, width)), 3 * rng.normal(size=width), rng.random(width))
    )
    return grid, drive, density, inflow


@pytest.mark.parametrize("kappa", [0.0, 1e-10, 1.0, 1e6, 1e30])
@pytest.mark.parametrize("noise", [1.0, 0.01, 1e-4])  # the last with Péclet numbers of thousands
def test_the_step_keeps_what_it_keeps_row_by_row(kappa, noise, dtype):
    grid, drive, density, inflow = voltages(dtype)
    kappa, noise = jnp.asarray(kappa, dtype), jnp.asarray(noise, dtype)
    eps = float(np.finfo(dtype).eps)
    new, expected = (
        _leaky.shift_flux(grid, kappa, drive, noise, density, execution=way)
        for way in (LogDepth(), Loops())
    )
    np.testing.assert_allclose(new, expected, rtol=2000 * eps, atol=1e-30)
    np.testing.assert_allclose(jnp.sum(new, 0), jnp.sum(density, 0), rtol=50 * eps)
    assert jnp.min(new) >= 0
    if kappa > 0:
        new, expected = (
            _leaky.absorb_flux(grid, kappa, drive, noise, density, inflow, execution=way)
            for way in (LogDepth(), Loops())
        )
        np.testing.assert_allclose(new, expected, rtol=2000 * eps, atol=1e-30)
        probed = _leaky.probe_firing(
            grid, kappa, drive, noise, density, inflow, execution=LogDepth()
        )
        rates = _leaky.firing_rates(grid, drive, noise, expected[-1])
        np.testing.assert_allclose(probed, rates, rtol=2000 * eps, atol=1e-30)


def test_derivatives():
    grid, drive, density, _ = voltages(np.float64, num=18, width=2)

    @jax.jit
    def step(kappa, drive, noise, density):
        return _leaky.shift_flux(grid, kappa, drive, noise, density, execution=LogDepth())

    arguments = jnp.asarray(0.3), drive, jnp.asarray(0.5), density
    check_grads(step, arguments, order=1, modes=("fwd", "rev"), rtol=1e-6)


def make_grid():
    return jn.Grid(v=jn.VoltageGrid(-4.0, 2.0, reset=1.0, num=30), w=jn.WeightGrid(0.0, 1.2, num=9))


def learned(drive, way):
    """Some function of the weights that are learned."""
    sol = jn.solve(
        jn.Network(noise=1.0, drive=drive, learning=jn.Hebbian(gain=0.3), epsilon=1e-2),
        jn.FluxShift(make_grid(), execution=way),
        y0=jn.gaussian(make_grid(), v=(-1.0, 0.5), w=(0.3, 0.02)),
        t1=1.0,
        dt=0.05,
    )
    return jnp.sum(sol.weights[-1] ** 2)


COURANT = advection.Courant(*(jnp.ones((n, 1)) for n in (90, 89, 89)))


def make_drive():
    return jn.Bump(base=1.0, height=3.0, center=0.3, width=0.1)


@needs_double
def test_a_run_with_learning_and_its_gradient(dtype):
    found, expected = (
        jax.jit(jax.value_and_grad(partial(learned, way=way)))(make_drive())
        for way in (LogDepth(), Loops())
    )
    for one, other in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-11)


def test_the_automatic_choice(monkeypatch):
    """On a machine with a GPU: seen without one, in the programs of either device."""
    monkeypatch.setattr(execution, "_on_gpus", lambda: True)

    grid, drive, density, _ = voltages(np.dtype(jnp.zeros(()).dtype))
    one = jnp.ones((), density.dtype)

    def loops_of(way, platform):
        def step(drive):
            new = _leaky.shift_flux(grid, one, drive, one, density, execution=way)
            return jnp.sum(advection.advect(COURANT, new[:, :1], Machine(way))[0] ** 2)

        traced = jax.jit(jax.grad(step)).trace(drive)
        return traced.lower(lowering_platforms=(platform,)).as_text().count("stablehlo.while")

    assert loops_of(Automatic(), "cuda") == loops_of(LogDepth(), "cuda")
    assert loops_of(Automatic(), "cpu") == loops_of(Loops(), "cpu")
    assert loops_of(LogDepth(), "cuda") < loops_of(Loops(), "cuda")


def test_no_loop_over_rows_is_left():
    """Of the linear algebra of a step: seen in the program."""
    grid, drive, density, _ = voltages(np.dtype(jnp.zeros(()).dtype))

    def step(density):
        new = _leaky.shift_flux(
            grid, jnp.ones(()), drive, jnp.ones(()), density, execution=LogDepth()
        )
        return advection.advect(COURANT, new[:, :1], Machine(LogDepth()))[0]

    program = jax.jit(step).lower(density).as_text()
    assert program.count("stablehlo.while") == 1  # Newton's method


def test_a_machine_without_gpus_says_so():
    grid = jn.Grid(v=jn.VoltageGrid(-4.0, 2.0, reset=1.0, num=30))
    with pytest.raises((ValueError, TypeCheckError), match="execution"):
        jn.FluxShift(grid, execution=Loops)
    if not execution._pallas.available():
        with pytest.raises(ValueError, match=r"execution = Kernels\(\): needs a Hopper GPU"):
            jn.solve(
                jn.Network(noise=1.0),
                jn.FluxShift(grid, execution=jn.execution.Kernels()),
                y0=jn.gaussian(grid, v=(-1.0, 0.5)),
                t1=1.0,
                dt=0.1,
            )
