"""The while loop that can be differentiated, against powers."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnlif.integrate.loop import bounded_while


def power(x, turns):
    """x to the number of turns, by a loop; the factor is an argument, the product a carry."""

    def unfinished(arguments, carry):
        return carry[1] < arguments[1]

    def body(arguments, carry):
        return carry[0] * arguments[0], carry[1] + 1

    start = jnp.ones_like(x), jnp.zeros((), jnp.int32)
    return bounded_while((x, turns), start, unfinished=unfinished, body=body)[0]


@jax.jit
def both_modes(x, turns):
    """The value, and its derivatives in reverse and in forward mode."""
    tangent = jax.jvp(lambda x: power(x, turns), (x,), (jnp.ones_like(x),))[1]
    return *jax.value_and_grad(power)(x, turns), tangent


@pytest.mark.parametrize("turns", [0, 1, 2, 150])
def test_values_and_derivatives_in_both_modes(turns):
    value, slope = 1.01**turns, turns * 1.01 ** (turns - 1)
    found = both_modes(jnp.asarray(1.01), jnp.asarray(turns, jnp.int32))
    np.testing.assert_allclose(found, [value, slope, slope], rtol=1e-4)


def test_mapped_loops_end_each_at_its_turn():
    turns = jnp.asarray([0, 3, 7], jnp.int32)
    found = jax.vmap(power, (None, 0))(jnp.asarray(2.0), turns)
    np.testing.assert_allclose(found, [1.0, 8.0, 128.0])
