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


@pytest.mark.parametrize(
    ("length", "block"),
    [(1, 1), (1, 3), (2, 1), (7, None), (7, 3), (7, 100), (16, 3), (17, 1), (17, 3)],
)
def test_equals_lax_scan_in_value_and_gradient(length, block):
    xs = jnp.linspace(0.0, 1.0, length)

    def total(scan, start):
        (value, _), ys = scan(step, (start, -jnp.ones_like(start)), xs)
        return value + jnp.sum(ys["twice"]), ys["twice"]

    def blocked(*arguments):
        return checkpointed_scan(*arguments, block=block)

    @jax.jit
    def both(start):
        slope = jax.value_and_grad(total, 1, has_aux=True)
        return slope(blocked, start), slope(lax.scan, start)

    found, expected = both(jnp.asarray(0.5))
    for one, other in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(one, other, rtol=50 * np.finfo(np.float64).eps)


@pytest.mark.parametrize("block", [None, 3])
def test_second_derivatives_in_every_order_of_modes(block):
    xs = jnp.linspace(0.0, 1.0, 7)

    def total(scan):
        def function(start):
            (value, _), ys = scan(step, (start, -jnp.ones(())), xs)
            return value + jnp.sum(ys["twice"])

        return function

    function = total(partial(checkpointed_scan, block=block))
    orders = list(itertools.product((jax.jacfwd, jax.grad), repeat=2))

    @jax.jit
    def all_orders(start):
        found = [outer(inner(function))(start) for outer, inner in orders]
        return jnp.stack(found), jax.grad(jax.grad(total(lax.scan)))(start)

    found, expected = all_orders(0.5)
    np.testing.assert_allclose(found, np.full(4, expected), rtol=1e-12)


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
