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
from jaxnlif.tridiagonal.sharded import solve_along_weights

from ..density import _leaky
from .test_mmatrix import exact_solution

SOURCES = [1, 7, 18]  # one row below, many on both sides, none above


def system(dtype, *, rows=20, columns=3, decades=2.0, seed=0):
    rng = np.random.default_rng(seed)
    up, down = (10 ** rng.uniform(-decades, decades, (2, rows, columns))).astype(dtype)
    right = rng.random((rows, columns)).astype(dtype)
    return Rates.table(jnp.asarray(up), jnp.asarray(down)), jnp.asarray(right)


@partial(jax.jit, static_argnames=("way", "name", "axis"))
def solved(way, name, rows, kappa, right, axis=0):
    """The system of a table, by `solve` or `solve_transposed` of a way."""
    return getattr(way, name)(Rates(rows, lambda row: row), kappa, right, axis=axis)


@pytest.mark.parametrize("kappa", [1e-6, 1.0, 1e4])
@pytest.mark.parametrize("name", ["solve", "solve_transposed"])
def test_solutions(name, kappa, dtype):
    rates, right = system(dtype)
    kappa = jnp.full(3, kappa, dtype)
    found, expected = (solved(way, name, rates.rows, kappa, right) for way in (log_depth, loops))
    np.testing.assert_allclose(found, expected, rtol=100 * float(np.finfo(dtype).eps))


@partial(jax.jit, static_argnames=("way", "source"))
def solve_and_transpose(way, source, rows, kappa, right):
    def product(x):
        return mmatrix.apply(kappa, *rows[1:], x)

    def solve(right):
        def rates_of(_, columns):
            rows, kappa = columns
            return Rates(rows, lambda row: row), kappa

        system, pin = (rates_of, (), (rows, kappa)), jnp.asarray([0, 9, 18])
        machine, mass = Machine(way), right[0]
        return mmatrix.solve_shifted(
            *system, source, right, mass, pin=pin, matvec=product, machine=machine
        )

    return solve(right), jax.linear_transpose(solve, right)(right)[0]


@pytest.mark.parametrize("kappa", [0.0, 1e-6, 1.0])
@pytest.mark.parametrize("source", SOURCES)
def test_solutions_with_a_given_mass(source, kappa, dtype):
    rates, right = system(dtype, rows=19, decades=0.3)
    kappa = jnp.full(3, kappa, dtype)
    given = source, rates.rows, kappa, right
    ways = (solve_and_transpose(way, *given) for way in (LogDepth(), Loops()))
    for found, expected in zip(*ways, strict=True):
        tolerance = 1000 * float(np.finfo(dtype).eps) * float(np.max(np.abs(expected)))
        np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance)


@pytest.mark.parametrize("name", ["solve", "solve_transposed"])
def test_one_matrix_along_the_last_axis(name, dtype):
    rates, _ = system(dtype, columns=1)
    right = jnp.asarray(np.random.default_rng(1).random((5, 20)), dtype)
    found, expected = (
        solved(way, name, rates.rows, jnp.ones(1, dtype), right, axis=1)
        for way in (log_depth, loops)
    )
    np.testing.assert_allclose(found, expected, rtol=100 * float(np.finfo(dtype).eps))


solve = jax.jit(partial(mmatrix.solve, machine=Machine(LogDepth())))


@pytest.mark.parametrize("exponent", [-14, -7, 0])
def test_every_digit_holds_however_small_the_excess(exponent, dtype):
    n, rng = 60, np.random.default_rng(2)
    up, down, right = (rng.uniform(0.1, 10, n).astype(dtype) for _ in range(3))
    up[-1] = 0
    kappa = dtype.type(10.0**exponent)
    columns = (jnp.asarray(a)[..., None] for a in (kappa, up, down, right))
    found = solve(*columns)
    expected = exact_solution(kappa, up, down, right)
    np.testing.assert_allclose(found[:, 0], expected, rtol=2 * n * np.finfo(dtype).eps)


def test_solution_is_positive_over_the_whole_range_of_rates(dtype):
    rates, _ = system(dtype, rows=50, columns=200, decades=12)
    right = jnp.zeros((50, 200), dtype).at[25].set(1)
    kappa = jnp.full(200, 1e-10, dtype)
    found, expected = (solved(way, "solve", rates.rows, kappa, right) for way in (log_depth, loops))
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


shift, absorb, probe = (
    jax.jit(step, static_argnums=0, static_argnames="execution")
    for step in (_leaky.shift_flux, _leaky.absorb_flux, _leaky.probe_firing)
)


@pytest.mark.parametrize("kappa", [0.0, 1e-10, 1.0, 1e6, 1e30])
@pytest.mark.parametrize("noise", [1.0, 0.01, 1e-4])  # the last with Péclet numbers of thousands
def test_the_step_keeps_what_it_keeps_row_by_row(kappa, noise, dtype):
    grid, drive, density, inflow = voltages(dtype)
    kappa, noise = jnp.asarray(kappa, dtype), jnp.asarray(noise, dtype)
    eps = float(np.finfo(dtype).eps)
    given = grid, kappa, drive, noise, density
    new, expected = (np.asarray(shift(*given, execution=way)) for way in (LogDepth(), Loops()))
    np.testing.assert_allclose(new, expected, rtol=2000 * eps, atol=1e-30)
    np.testing.assert_allclose(np.sum(new, 0), np.sum(density, 0), rtol=50 * eps)
    assert np.min(new) >= 0
    if kappa > 0:
        new, expected = (absorb(*given, inflow, execution=way) for way in (LogDepth(), Loops()))
        np.testing.assert_allclose(new, expected, rtol=2000 * eps, atol=1e-30)
        probed = probe(*given, inflow, execution=LogDepth())
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


def test_a_run_with_learning():
    found, expected = (
        jn.solve(
            jn.Network(
                drive=jn.Bump(1.0, 3.0, 0.3, 0.1), learning=jn.Hebbian(gain=0.3), epsilon=1e-2
            ),
            jn.FluxShift(make_grid(), execution=way),
            y0=jn.gaussian(make_grid(), v=(-1.0, 0.5), w=(0.3, 0.02)),
            t1=1.0,
            dt=0.05,
            saveat=jn.SaveAt(num=2),
        )
        for way in (LogDepth(), Loops())
    )
    assert np.max(np.abs(found.weights[-1] - found.weights[0])) > 0.1
    np.testing.assert_allclose(found.saved, expected.saved, rtol=1e-11, atol=1e-20)


COURANT = advection.Courant(*(jnp.ones((n, 1)) for n in (90, 89, 89)))


@partial(jax.jit, static_argnames="way")
@partial(jax.grad, argnums=(0, 1))
def gradient_of_moved(courant, density, way):
    """Of some function of densities moved by all that is solved along the weights."""
    machine, weights = Machine(way), jnp.sum(density, 0)[:, None]
    moved, *_ = advection.advect(courant, weights, machine)
    exchange = courant.faces.exchange(advection.reach(courant, weights))
    brought = solve_along_weights(*exchange, density, machine)
    return jnp.sum(moved**2) + jnp.sum(brought**3)


def test_gradients_of_the_learning_flow():
    numbers, faces = jnp.linspace(5.0, 30.0, 9)[:, None], jnp.linspace(0.1, 1.0, 8)[:, None]
    held = np.asarray([1e-3, 1e-3, 1e-3, 1, 1, 1, 1e-3, 1e-3, 1e-3])  # fronts go both ways
    density = jnp.asarray(held * np.random.default_rng(4).random((3, 9)))
    for sign in (1, -1):
        given = advection.Courant(sign * numbers, faces, 0.3 * faces), density
        both = (jax.tree.leaves(gradient_of_moved(*given, way)) for way in (LogDepth(), Loops()))
        for found, expected in zip(*both, strict=True):
            assert np.any(expected)
            np.testing.assert_allclose(found, expected, rtol=1e-11, atol=1e-13)


def test_the_automatic_choice(monkeypatch):
    """On a machine with a GPU: seen without one, in the programs of either device."""
    monkeypatch.setattr(execution, "_on_gpus", lambda: True)

    grid, drive, density, _ = voltages(np.dtype(jnp.zeros(()).dtype))
    one = jnp.ones((), density.dtype)

    def loops_of(way, *platforms):
        def step(drive):
            new = _leaky.shift_flux(grid, one, drive, one, density, execution=way)
            return jnp.sum(advection.advect(COURANT, new[:, :1], Machine(way))[0] ** 2)

        traced = jax.jit(jax.grad(step)).trace(drive)
        programs = (traced.lower(lowering_platforms=(name,)).as_text() for name in platforms)
        return [program.count("stablehlo.while") for program in programs]

    (levels,), (rows,) = loops_of(LogDepth(), "cuda"), loops_of(Loops(), "cpu")
    assert loops_of(Automatic(), "cuda", "cpu") == [levels, rows]
    assert levels < rows


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
