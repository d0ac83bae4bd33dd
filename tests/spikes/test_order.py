"""Sorting by counting."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnlif.spikes import order
from jaxnlif.spikes.order import ascending, by_counting, by_sorting, by_the_cheaper, longest


def expected(times, present):
    order = np.argsort(np.where(present, times, np.inf), axis=0, kind="stable")
    return np.where(np.arange(len(times))[:, None] < present.sum(0), order, len(times))


@pytest.mark.parametrize("ascending", [by_counting, by_sorting])
@pytest.mark.parametrize("fraction", [0.0, 0.4, 1.0])
def test_the_order_is_that_of_a_stable_sort(ascending, fraction, dtype):
    rng = np.random.default_rng(0)
    times = np.round(rng.uniform(size=(70, 5)), 1).astype(dtype)
    present = rng.uniform(size=times.shape) < fraction
    found = jax.jit(ascending)(jnp.asarray(times), jnp.asarray(present))
    np.testing.assert_array_equal(found, expected(times, present))


SOME, ALL = 0.01, 1.0  # of 5000 entries, so that a column is counted or sorted


@pytest.mark.parametrize("mapped", [False, True])
def test_long_columns_are_counted_or_sorted_by_one_program(mapped, dtype, monkeypatch):
    taken = []

    def noting(name, way):
        def noted(times, present):
            jax.debug.callback(lambda: taken.append(name))
            return way(times, present)

        return noted

    for way in (by_counting, by_sorting):
        monkeypatch.setattr(order, way.__name__, noting(way.__name__, way))
    rng = np.random.default_rng(2)
    times = np.round(rng.uniform(size=(2, 5000, 1)), 3).astype(dtype)
    program = jax.jit(jax.vmap(by_the_cheaper) if mapped else lambda t, p: by_the_cheaper(t, p))
    for fraction, way in ((0.0, "by_counting"), (SOME, "by_counting"), (ALL, "by_sorting")):
        present = rng.uniform(size=times.shape) < fraction
        t, p = (times, present) if mapped else (times[0], present[0])
        found = np.asarray(program(jnp.asarray(t), jnp.asarray(p)))
        jax.effects_barrier()
        for one, t, p in zip(found if mapped else [found], times, present, strict=False):
            np.testing.assert_array_equal(one, expected(t, p))
        assert set(taken) == {way}
        taken.clear()
    assert program._cache_size() == 1


def test_mapped_it_is_the_same():
    rng = np.random.default_rng(1)
    times = rng.uniform(size=(3, 8, 2))
    present = rng.uniform(size=times.shape) < 0.5
    found = jax.jit(jax.vmap(ascending))(jnp.asarray(times), jnp.asarray(present))
    for one, t, p in zip(found, times, present, strict=True):
        np.testing.assert_array_equal(one, expected(t, p))


def test_one_length_for_all_that_are_mapped():
    present = jnp.array([[[True], [False]], [[True], [True]]])
    assert int(longest(present[0])) == 1
    assert jax.jit(jax.vmap(longest))(present).tolist() == [2, 2]
