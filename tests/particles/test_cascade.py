"""Cascades: the same neurons as if spikes were passed on one by one."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxnlif.particles.cascade import cascade

NUM = 16
# Multiples of 1/64: all sums are exact in either precision.
POTENTIALS = st.lists(st.integers(-128, 127), min_size=NUM, max_size=NUM)
SIGNED = st.lists(st.integers(-192, 192), min_size=NUM, max_size=NUM)
MASKS = st.lists(st.integers(0, 3), min_size=NUM, max_size=NUM)
THRESHOLD = 2.0


def one_by_one(potentials, fired, free, weights, expected):
    """Who fires if every spike kicks all others before the next is passed on."""
    fires, spikes = fired.copy(), int(fired.sum())
    while True:
        kicked = potentials + np.maximum(weights, 0) * (spikes / NUM - expected)
        waiting = np.flatnonzero(free & ~fires & (kicked >= THRESHOLD))
        if waiting.size == 0 or spikes == 0:
            return fires
        fires[waiting[0]] = True
        spikes += 1


run = jax.jit(cascade, static_argnums=5)


@given(POTENTIALS, MASKS, SIGNED, st.integers(0, NUM))
@settings(max_examples=200, deadline=None)
def test_individual_weights(potentials, masks, weights, expected):
    check(potentials, masks, np.asarray(weights) / 16, expected / NUM)


@given(POTENTIALS, MASKS, st.integers(-64, 256))
@settings(max_examples=200, deadline=None)
def test_one_weight(potentials, masks, weight):
    check(potentials, masks, np.asarray(weight) / 16, 0.0)


def check(potentials, masks, weights, expected):
    potentials, masks = np.asarray(potentials) / 64, np.asarray(masks)
    fired, free = masks == 0, masks > 1
    expected_set = one_by_one(potentials, fired, free, weights, expected)
    out = run(
        jnp.asarray(potentials),
        jnp.asarray(fired),
        jnp.asarray(free),
        jnp.asarray(weights),
        jnp.asarray(expected),
        THRESHOLD,
    )
    np.testing.assert_array_equal(out.carried | fired, expected_set)
    assert int(out.count) == expected_set.sum()
    assert not np.any(out.carried & fired)


def test_a_chain_fires_to_the_end_and_stops_at_a_gap():
    weight = 1.0
    chain = THRESHOLD - weight * np.arange(NUM) / NUM
    fired = np.arange(NUM) == 0
    whole = run(*map(jnp.asarray, (chain, fired, ~fired, weight, 0.0)), THRESHOLD)
    assert int(whole.count) == NUM
    chain[9:] -= weight / NUM
    part = run(*map(jnp.asarray, (chain, fired, ~fired, weight, 0.0)), THRESHOLD)
    assert int(part.count) == 9


@pytest.mark.parametrize("weight", [-1.0, 0.0])
def test_without_excitation_nothing_is_iterated(weight):
    fired = np.arange(NUM) < 3
    out = run(*map(jnp.asarray, (np.full(NUM, 1.9), fired, ~fired, weight, 0.0)), THRESHOLD)
    assert int(out.count) == 3
    assert int(out.rounds) == 0
