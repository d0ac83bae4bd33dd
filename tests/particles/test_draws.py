"""The random numbers: the generator, their moments, their independence."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnlif.particles.draws import _threefry, normal_and_uniform

NUM = 200_000


draws = jax.jit(normal_and_uniform, static_argnums=1)


def draw(seed=0, **arguments):
    return draws(jax.random.key(seed, **arguments), NUM, jnp.asarray(True))


@pytest.mark.parametrize(
    ("key", "counter", "words"),
    [
        ((0, 0), (0, 0), (0x6B200159, 0x99BA4EFE)),
        ((2**32 - 1,) * 2, (2**32 - 1,) * 2, (0x1CB996FC, 0xBB002BE7)),
        ((0x13198A2E, 0x03707344), (0x243F6A88, 0x85A308D3), (0xC4923A9C, 0x483DF7A0)),
    ],
)
def test_known_answers_of_the_generator(key, counter, words):
    # Those of the Random123 library, 20 rounds.
    out = _threefry(*(jnp.asarray(x, jnp.uint32) for x in (*key, *counter)))
    assert tuple(int(x) for x in out) == words


@pytest.mark.parametrize("arguments", [{}, {"impl": "rbg"}])
def test_moments_and_independence(arguments):
    normal, uniform = (np.asarray(x, float) for x in draw(**arguments))
    for k, expected, variance in ((1, 0, 1), (2, 1, 2), (3, 0, 15), (4, 3, 96)):
        assert abs(np.mean(normal**k) - expected) <= 4 * np.sqrt(variance / NUM)
    for k in (1, 2, 3):
        error = np.mean(uniform**k) - 1 / (k + 1)
        assert abs(error) <= 4 * np.sqrt((1 / (2 * k + 1) - 1 / (k + 1) ** 2) / NUM)
    assert 0 < uniform.min() < uniform.max() < 1
    for pair in ((normal, uniform), (normal[1:], normal[:-1]), (uniform[1:], uniform[:-1])):
        assert abs(np.corrcoef(*pair)[0, 1]) <= 4 / np.sqrt(NUM)
    other, _ = draw(1, **arguments)
    assert abs(np.corrcoef(normal, other)[0, 1]) <= 4 / np.sqrt(NUM)


def test_tails():
    normal = np.asarray(draw(2)[0])
    for level, chance in ((3.0, 1.349898e-3), (4.0, 3.167124e-5)):
        for tail in (normal > level, normal < -level):
            assert abs(tail.mean() - chance) <= 4 * np.sqrt(chance / NUM)


def test_nothing_where_nothing_is_needed():
    normal, uniform = draws(jax.random.key(0), NUM, jnp.asarray(False))
    assert not np.any(normal)
    assert not np.any(uniform)
