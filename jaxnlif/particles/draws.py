"""Random numbers for a step: one normal and one uniform number for each neuron."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float32, PRNGKeyArray, UInt32

_ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
_PARITY = 0x1BD11BDA


def normal_and_uniform(
    key: PRNGKeyArray, num: int, needed: Bool[Array, ""]
) -> tuple[Float32[Array, " m"], Float32[Array, " m"]]:
    """Independent draws from N(0, 1) and U(0, 1), `num` of each; zeros unless they are `needed`.

    They have the resolution of float32 in runs of either precision: the normal numbers are those
    of 2²⁴ equally likely quantiles, |ξ| ≤ 5.4; the uniform ones never reach 0 or 1.
    """

    def draw():
        first, second = _words(key, num)
        return _normal(first), _uniform(second)

    def nothing():
        return jnp.zeros(num, jnp.float32), jnp.zeros(num, jnp.float32)

    # A branch that XLA cannot see through: otherwise it fuses the hash into everything that uses
    # the numbers and computes it five times a step.
    return lax.cond(needed, draw, nothing)


def _normal(word: UInt32[Array, " m"]) -> Float32[Array, " m"]:
    # Odd multiples of 2⁻²⁴ in (-1, 1), exact in float32 and symmetric about 0.
    integer = lax.convert_element_type(lax.convert_element_type(word >> 8, jnp.int32), jnp.float32)
    return jnp.float32(math.sqrt(2)) * lax.erf_inv(integer * 2.0**-23 + (2.0**-24 - 1))


def _uniform(word: UInt32[Array, " m"]) -> Float32[Array, " m"]:
    # Signed integers, because processors convert no others at full speed.
    integer = lax.convert_element_type(lax.convert_element_type(word >> 1, jnp.int32), jnp.float32)
    return jnp.minimum(integer * 2.0**-31 + 2.0**-32, 1 - 2.0**-24)


def _words(key: PRNGKeyArray, num: int) -> tuple[UInt32[Array, " m"], UInt32[Array, " m"]]:
    """Two words of 32 random bits for each neuron."""
    if str(jax.random.key_impl(key)) != "threefry2x32":
        first, second = jax.random.bits(key, (2, num), jnp.uint32)
        return first, second
    # `jax.random.bits` hashes one block for every word, stored before use; here one block makes
    # both words of a neuron within the loop that uses them, which is several times as fast.
    first, second = jax.random.key_data(key)
    counter = lax.iota(jnp.uint32, num)
    return _threefry(first, second, counter, jnp.zeros_like(counter))


def _threefry(
    key0: UInt32[Array, ""],
    key1: UInt32[Array, ""],
    x0: UInt32[Array, "*m"],
    x1: UInt32[Array, "*m"],
) -> tuple[UInt32[Array, "*m"], UInt32[Array, "*m"]]:
    """The block function Threefry-2x32 with 20 rounds (Salmon, Moraes, Dror, Shaw, SC 2011)."""
    keys = key0, key1, key0 ^ key1 ^ jnp.uint32(_PARITY)
    x0, x1 = x0 + keys[0], x1 + keys[1]
    for group in range(5):
        for distance in _ROTATIONS[group % 2]:
            x0 = x0 + x1
            x1 = x0 ^ ((x1 << distance) | (x1 >> (32 - distance)))
        x0 = x0 + keys[(group + 1) % 3]
        x1 = x1 + keys[(group + 2) % 3] + jnp.uint32(group + 1)
    return x0, x1
