"""Stationary states of circuits, against published networks and closed forms."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from references.circuits import BRUNEL_POINTS, MICROCIRCUIT, brunel, brunel_pair

import jaxnlif as jn

ENDS = {"threshold": 20.0, "reset": 10.0}


@pytest.mark.parametrize(("point", "expected"), BRUNEL_POINTS.items())
def test_rates_of_brunels_network(point, expected):
    states = jn.stationary.circuit_rates(brunel(*point), **ENDS)
    assert len(states) == 1
    np.testing.assert_allclose(1e3 * states.rates, [[expected[0]]], rtol=1e-5)


def test_equal_populations_are_one():
    one = jn.stationary.circuit_rates(brunel(6.0, 4.0), **ENDS)
    two = jn.stationary.circuit_rates(brunel_pair(6.0, 4.0))
    for name, unit in (("rates", 1 / 20), ("input", 10), ("noise", 100)):
        both = getattr(two, name)
        assert both.shape == (1, 2)
        np.testing.assert_allclose(both * unit, getattr(one, name).repeat(2, 1), rtol=1e-12)


@pytest.mark.parametrize("shift", [False, True])
def test_rates_of_the_microcircuit(shift):
    model = jn.circuits.microcircuit().network
    states = jn.stationary.circuit_rates(model, synaptic_shift=shift, starts=8)
    np.testing.assert_allclose(100 * states.rates, [MICROCIRCUIT[shift]], rtol=1e-4)


def test_rate_of_a_single_neuron():
    model = jn.Network(
        weight=[[0.0]], noise=0.75, drive=15.0, refractory=2.0, time_constant=10.0, reset=[0.0]
    )
    (rate,) = jn.stationary.circuit_rate(model, 0.01, threshold=15.0)
    assert rate * 1e3 == pytest.approx(27.1095934379, rel=1e-11)


def test_all_states_are_found(dtype):
    model = jn.Network(weight=1.5)
    states = jn.stationary.circuit_rates(model, threshold=2.0, reset=1.0)
    rates = jn.stationary.self_consistent_rates(1.5, 0.0)
    assert states.rates.dtype == dtype
    np.testing.assert_allclose(
        states.rates[:, 0], rates, rtol=1e-10 if dtype == np.float64 else 1e-4
    )


def test_populations_that_do_not_feel_each_other_have_all_combinations():
    two = jn.Network(weight=np.diag([1.5, 1.5]))
    assert len(jn.stationary.circuit_rates(two, threshold=2.0, reset=1.0)) == 4


def test_there_may_be_none():
    none = jn.stationary.circuit_rates(jn.Network(weight=3.0), threshold=2.0, reset=1.0)
    assert none.rates.shape == (0, 1)


def test_epsilon_counts_refractory_periods_in_learning_times():
    fast = jn.Network(weight=-0.5, drive=3.0, epsilon=0.1, refractory=0.02)
    rates = jn.stationary.circuit_rates(fast, threshold=2.0, reset=1.0).rates
    expected = jn.stationary.self_consistent_rates(-0.5, 3.0, refractory=0.2)
    np.testing.assert_allclose(rates[:, 0], expected, rtol=1e-12)


def _pair(g):
    return jn.stationary.circuit_rate(brunel_pair(g, 2.0), 0.7)


def test_derivatives_are_those_of_the_state():
    found = jax.jit(jax.grad(lambda g: _pair(g)[1]))(5.0)
    difference = (_pair(5.0 + 1e-4) - _pair(5.0 - 1e-4))[1] / 2e-4
    np.testing.assert_allclose(found, difference, rtol=1e-7)
    all_states = jax.grad(
        lambda g: jn.stationary.circuit_rates(brunel_pair(g, 2.0), starts=4).rates[0, 1]
    )(5.0)
    np.testing.assert_allclose(found, all_states, rtol=1e-10)


def test_derivatives_reach_every_leaf():
    model = brunel_pair(5.0, 2.0)
    found = jax.grad(lambda model: jnp.sum(jn.stationary.circuit_rate(model, 0.7)))(model)
    for name in ("weight", "noise_slope", "noise", "threshold", "time_constant"):
        assert np.all(np.isfinite(getattr(found, name)))
        assert np.all(getattr(found, name) != 0), name


def test_no_state_is_told():
    model = jn.Network(weight=3.0)
    with pytest.raises(ValueError, match="circuit_rate: no stationary state near the guess"):
        jn.stationary.circuit_rate(model, 0.2, threshold=2.0, reset=1.0)
    rate = jn.stationary.circuit_rate(model, 0.2, threshold=2.0, reset=1.0, throw=False)
    assert np.isnan(rate).all()


@pytest.mark.parametrize(
    ("model", "arguments", "message"),
    [
        (jn.Network(), ENDS, "model: must have a weight"),
        (jn.Network(weight=1.0, drive=jn.Sinusoid(1.0, 1.0, 1.0)), ENDS, "drive, noise: vary"),
        (jn.Network(weight=1.0, response=jn.Saturating()), ENDS, "response: must be None"),
        (jn.Network(weight=1.0, refractory=jn.Never()), ENDS, "refractory: must be a number"),
        (jn.Network(weight=1.0, epsilon=0.0), ENDS, "epsilon = 0: "),
        (brunel_pair(5.0, 2.0), {"reset": 0.0}, "reset: the model has its own"),
        (jn.Network(weight=1.0), {}, "threshold: neither the model has it nor is it given"),
        (
            jn.Network(weight=np.ones((2, 2))),
            {"threshold": 1.0, "reset": np.array([0.0, 2.0])},
            r"reset = 2 at \[1\]: ",
        ),
        (
            jn.Network(weight=np.ones((2, 2))),
            {"threshold": np.ones(3), "reset": 0.0},
            r"threshold: of shape \(3,\): must be a number or \(2,\)",
        ),
        (jn.Network(weight=1.0), ENDS | {"synaptic_shift": True}, "synaptic_shift: the model has"),
        (
            jn.Network(weight=np.ones((2, 2)), synaptic_time_constant=[0.1, 0.2]),
            ENDS | {"synaptic_shift": True},
            "synaptic_shift: needs one synaptic_time_constant",
        ),
    ],
)
def test_what_is_no_circuit_is_refused(model, arguments, message):
    with pytest.raises(ValueError, match=message):
        jn.stationary.circuit_rates(model, **arguments)


def test_wrong_guesses_are_refused():
    for guess, message in ((np.ones(3), r"guess: of shape \(3,\)"), (-1.0, "guess = -1: must be")):
        with pytest.raises(ValueError, match=message):
            jn.stationary.circuit_rate(brunel_pair(5.0, 2.0), guess)
    with pytest.raises(ValueError, match="the number of states is not known under jit"):
        jax.jit(lambda g: jn.stationary.circuit_rates(brunel(g, 2.0), **ENDS).rates)(5.0)
