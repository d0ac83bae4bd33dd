"""The checkpointed scan is a scan."""

import itertools
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from jaxnlif.integrate.scan import checkpointed_scan


def step(carry, x):
    """Leaves the carry as it is when called with the same x again."""
    value, last = carry
    value = jnp.where(x > last, jnp.sin(value) + x, value)
    return (value, x), {"twice": 2 * value}


@pytest.mark.parametrize("length", [1, 2, 7, 16, 17])
@pytest.mark.parametrize("block", [None, 1, 3, 100])
def test_equals_lax_scan_in_value_and_gradient(length, block, dtype):
    xs = jnp.linspace(0.0, 1.0, length)

    def total(scan, start):
        (value, _), ys = scan(step, (start, -jnp.ones_like(start)), xs)
        return value + jnp.sum(ys["twice"]), ys["twice"]

    def blocked(*arguments):
        return checkpointed_scan(*arguments, block=block)

    (value, ys), slope = jax.value_and_grad(total, 1, has_aux=True)(blocked, jnp.asarray(0.5))
    (expected, expected_ys), expected_slope = jax.value_and_grad(total, 1, has_aux=True)(
        lax.scan, jnp.asarray(0.5)
    )
    tolerance = 50 * np.finfo(dtype).eps
    np.testing.assert_allclose(ys, expected_ys, rtol=tolerance)
    np.testing.assert_allclose(value, expected, rtol=tolerance)
    np.testing.assert_allclose(slope, expected_slope, rtol=tolerance)


@pytest.mark.parametrize("block", [None, 3])
def test_second_derivatives_in_every_order_of_modes(block):
    xs = jnp.linspace(0.0, 1.0, 7)

    def total(scan):
        def function(start):
            (value, _), ys = scan(step, (start, -jnp.ones(())), xs)
            return value + jnp.sum(ys["twice"])

        return function

    expected = jax.jit(jax.grad(jax.grad(total(lax.scan))))(0.5)
    function = total(partial(checkpointed_scan, block=block))
    forward, reverse = jax.jacfwd, jax.grad
    for outer, inner in itertools.product((forward, reverse), repeat=2):
        found = jax.jit(outer(inner(function)))(0.5)
        np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_reverse_mode_stores_about_the_root_of_the_states():
    size, length = 1000, 400

    def total(block, start):
        run = lambda carry, x: (jnp.sin(carry) + x, None)  # noqa: E731
        return jnp.sum(checkpointed_scan(run, start, jnp.zeros(length), block=block)[0])

    def temporaries(block):
        lowered = jax.jit(jax.grad(lambda y: total(block, y))).lower(jnp.ones(size))
        return lowered.compile().memory_analysis().temp_size_in_bytes

    # 20 + 20 states in place of 400, with room for what the compiler adds.
    assert temporaries(20) < temporaries(None) / 4
