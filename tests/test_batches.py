"""A batch of runs is the runs, and steps all their columns together."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxnlif as jn

GIVEN = jnp.asarray([0.5, 1.0, 2.0]), jnp.asarray([0.8, 1.0, 1.3]), jnp.asarray([0.5, -0.5, 0.2])
KINDS = {
    "lagged": lambda grid: jn.FluxShift(grid),
    "implicit": lambda grid: jn.FluxShift(grid, jn.Implicit()),
    "levels": lambda grid: jn.FluxShift(grid, execution=jn.execution.LogDepth()),
}


def rate_of(kind, num=48, **model):
    grid = jn.Grid(v=jn.VoltageGrid(-4.0, 2.0, reset=1.0, num=num))
    y0 = jn.gaussian(grid, v=(-1.0, 0.5))

    def rate(drive, noise, weight):
        network = jn.Network(drive=drive, noise=noise, weight=weight, **model)
        saveat = jn.SaveAt(num=2, fn=None)
        return jn.solve(network, KINDS[kind](grid), y0=y0, t1=0.3, dt=0.05, saveat=saveat).rate[-1]

    return rate


@pytest.mark.parametrize("kind", KINDS)
def test_values_and_derivatives_of_a_batch_are_those_of_its_members(kind):
    rate = rate_of(kind)
    batch = jax.jit(jax.vmap(rate))
    one = jax.jit(jax.value_and_grad(rate, (0, 1, 2)))
    members = [one(*member) for member in zip(*GIVEN, strict=True)]
    values, slopes = jax.tree.map(lambda *x: np.stack(x), *members)
    np.testing.assert_allclose(batch(*GIVEN), values, rtol=1e-12)

    def total(*given):
        return jnp.sum(batch(*given))

    of_members = jax.jit(jax.vmap(jax.grad(rate, (0, 1, 2))))(*GIVEN)
    np.testing.assert_allclose(of_members, slopes, rtol=1e-9)
    if kind != "levels":  # whose rule for batches is the same
        of_batch = jax.jit(jax.grad(total, (0, 1, 2)))(*GIVEN)
        np.testing.assert_allclose(of_batch, slopes, rtol=1e-9)
        _, forward = jax.jvp(batch, GIVEN, tuple(jnp.ones(3) for _ in GIVEN))
        np.testing.assert_allclose(forward, sum(slopes), rtol=1e-9)


@pytest.mark.parametrize("model", [{"refractory": 0.1}, {"delay": 0.1}], ids=["rest", "delay"])
def test_batches_of_networks_with_a_memory(model):
    rate = rate_of("lagged", **model)
    batch, slopes = jax.jit(jax.vmap(jax.value_and_grad(rate)))(*GIVEN)
    one = jax.jit(jax.value_and_grad(rate))
    for k, member in enumerate(zip(*GIVEN, strict=True)):
        value, slope = one(*member)
        np.testing.assert_allclose((batch[k], slopes[k]), (value, slope), rtol=1e-9)


def test_all_members_are_swept_together():
    """As one density with so many columns: seen in the program."""
    rate = rate_of("lagged")
    program = jax.jit(jax.vmap(rate)).lower(*GIVEN).as_text()
    assert "tensor<48x3xf64>" in program


def test_batches_of_batches():
    rate = rate_of("lagged")
    drives = jnp.asarray([0.5, 1.5])
    nested = jax.jit(jax.vmap(jax.vmap(rate, (None, 0, 0)), (0, None, None)))(drives, *GIVEN[1:])
    for drive, found in zip(drives, nested, strict=True):
        expected = jax.vmap(lambda a, b, drive=drive: rate(drive, a, b))(*GIVEN[1:])
        np.testing.assert_allclose(found, expected, rtol=1e-12)
