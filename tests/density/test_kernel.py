"""The kernel of the voltage step, interpreted, against the loops; on a GPU where there is one."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxnlif as jn
from jaxnlif import execution
from jaxnlif.density import cells, kernel
from jaxnlif.machine.columns import columnwise
from jaxnlif.model import Leaky

from ..conftest import needs_kernels
from ._leaky import absorb_flux, shift_flux

GRIDS = [(300, 200), (36, 1), (66, 129)]
STEP, PROBE = (
    jax.jit(partial(function, interpret=True), static_argnums=0)
    for function in (kernel.step, kernel.probe)
)
SHIFT, ABSORB = (jax.jit(function, static_argnums=0) for function in (shift_flux, absorb_flux))


def problem(num, width):
    dtype = jnp.result_type(float)
    grid = jn.VoltageGrid(-4.0, 2.0, reset=1.0, num=num, dtype=dtype)
    rng = np.random.default_rng(num)
    density = jnp.asarray(rng.random((num, width)), dtype)
    return (
        grid,
        density,
        jnp.asarray(3 * rng.normal(size=width), dtype),
        jnp.asarray(rng.random(width), dtype),
    )


def inputs_of(grid, kappa, drive, noise):
    return cells.inputs_of(grid, Leaky(), cells.positive(kappa), drive, noise)


def close(found, expected, density):
    eps = float(jnp.finfo(density.dtype).eps)
    np.testing.assert_allclose(found, expected, rtol=2000 * eps, atol=1e-30)


@pytest.mark.parametrize(("num", "width"), GRIDS)
@pytest.mark.parametrize("kappa", [1e3, 1.0, 1e-3, 0.0])
@pytest.mark.parametrize("noise", [1.0, 0.01])
def test_interpreted_it_equals_the_loops(num, width, kappa, noise):
    grid, density, drive, inflow = problem(num, width)
    kappa, noise = (jnp.asarray(x, density.dtype) for x in (kappa, noise))
    inputs = inputs_of(grid, kappa, drive, noise)
    new = STEP(grid, inputs, density)
    expected = SHIFT(grid, kappa, drive, noise, density)
    close(new, expected, density)
    assert jnp.min(new) >= 0
    mass = jnp.sum(density, 0)
    np.testing.assert_allclose(jnp.sum(new, 0), mass, rtol=50 * float(jnp.finfo(density.dtype).eps))
    close(PROBE(grid, inputs, density), expected[-1], density)
    if kappa > 0:
        new = STEP(grid, inputs, density, inflow)
        expected = ABSORB(grid, kappa, drive, noise, density, inflow)
        close(new, expected, density)


def test_a_batch_is_one_kernel_with_more_columns():
    grid, density, drive, _ = problem(36, 5)
    noises = jnp.asarray([1.0, 0.5, 0.1], density.dtype)

    @columnwise
    def step(common, columns):
        drive, density = columns
        return kernel.step(grid, cells.Inputs(*common, drive), density, interpret=True)

    @jax.jit
    def by_kernel(noise, drive):
        inputs = inputs_of(grid, jnp.ones_like(noise), drive, noise)
        return step(inputs.common, (inputs.drive, density))

    batch = jax.jit(jax.vmap(by_kernel, in_axes=(0, None)))
    assert str(jax.make_jaxpr(batch)(noises, drive)).count("pallas_call") == 1
    for noise, new in zip(noises, batch(noises, drive), strict=True):
        close(new, by_kernel(noise, drive), density)


@needs_kernels
@pytest.mark.parametrize(("num", "width"), GRIDS)
@pytest.mark.parametrize("kappa", [1e3, 1e-3, 0.0])
def test_on_a_gpu_it_equals_the_loops(num, width, kappa):
    grid, density, drive, inflow = problem(num, width)
    kappa, noise = (jnp.asarray(x, density.dtype) for x in (kappa, 0.5))
    arguments = grid, kappa, drive, noise, density
    ways = execution.Kernels(), execution.Loops()
    new, expected = (shift_flux(*arguments, execution=way) for way in ways)
    close(new, expected, density)
    if kappa > 0:
        new, expected = (absorb_flux(*arguments, inflow, execution=way) for way in ways)
        close(new, expected, density)
