"""The kernel of the voltage step, interpreted, against the loops; on a GPU where there is one."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxnlif as jn
from jaxnlif import execution
from jaxnlif.density import cells, flux, kernel

from ..conftest import needs_kernels

GRIDS = [(300, 200), (36, 1), (66, 129)]
STEP, PROBE = (
    jax.jit(partial(function, interpret=True), static_argnums=0)
    for function in (kernel.step, kernel.probe)
)
SHIFT, ABSORB = (
    jax.jit(function, static_argnums=0) for function in (flux.shift_flux, flux.absorb_flux)
)


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


def close(found, expected, density):
    eps = float(jnp.finfo(density.dtype).eps)
    np.testing.assert_allclose(found, expected, rtol=2000 * eps, atol=1e-30)


@pytest.mark.parametrize(("num", "width"), GRIDS)
@pytest.mark.parametrize("kappa", [1e3, 1.0, 1e-3, 0.0])
@pytest.mark.parametrize("noise", [1.0, 0.01])
def test_interpreted_it_equals_the_loops(num, width, kappa, noise):
    grid, density, drive, inflow = problem(num, width)
    kappa, noise = (jnp.asarray(x, density.dtype) for x in (kappa, noise))
    columns = flux._columns(grid, cells.positive(kappa), drive, noise, density)
    new = STEP(grid, columns)
    expected = SHIFT(grid, kappa, drive, noise, density)
    close(new, expected, density)
    assert jnp.min(new) >= 0
    mass = jnp.sum(density, 0)
    np.testing.assert_allclose(jnp.sum(new, 0), mass, rtol=50 * float(jnp.finfo(density.dtype).eps))
    close(PROBE(grid, columns), expected[-1], density)
    if kappa > 0:
        absorbing = flux._columns(grid, cells.positive(kappa), drive, noise, density, inflow)
        new = STEP(grid, absorbing)
        expected = ABSORB(grid, kappa, drive, noise, density, inflow)
        close(new, expected, density)


def test_a_batch_is_one_kernel_with_more_columns():
    grid, density, drive, _ = problem(36, 5)
    noises = jnp.asarray([1.0, 0.5, 0.1], density.dtype)

    def step(noise, drive):
        columns = flux._columns(grid, jnp.ones_like(noise), drive, noise, density)
        return kernel.step(grid, columns, interpret=True)

    found = jax.vmap(step, in_axes=(0, None))(noises, drive)
    for noise, new in zip(noises, found, strict=True):
        close(new, step(noise, drive), density)


@needs_kernels
@pytest.mark.parametrize(("num", "width"), GRIDS)
@pytest.mark.parametrize("kappa", [1e3, 1e-3, 0.0])
def test_on_a_gpu_it_equals_the_loops(num, width, kappa):
    grid, density, drive, inflow = problem(num, width)
    kappa, noise = (jnp.asarray(x, density.dtype) for x in (kappa, 0.5))
    arguments = grid, kappa, drive, noise, density
    ways = execution.Kernels(), execution.Loops()
    new, expected = (flux.shift_flux(*arguments, execution=way) for way in ways)
    close(new, expected, density)
    if kappa > 0:
        new, expected = (flux.absorb_flux(*arguments, inflow, execution=way) for way in ways)
        close(new, expected, density)
