"""Firing-rate curves and their roots."""

import jax.numpy as jnp
import numpy as np
import pytest

import jaxnlif as jn
from jaxnlif.model.synapse import Synapse

from ._artists import legend, lines


def roots(ax):
    """The marked rates, and which of them are hollow."""
    marks = [line for line in ax.get_lines() if line.get_marker() == "o"]
    return [line.get_xdata()[0] for line in marks], [
        line.get_markerfacecolor() == "white" for line in marks
    ]


@pytest.mark.parametrize(
    ("weight", "drive", "hollow"),
    [(1.5, 0.0, [False, True]), (-4.0, 5.0, [False]), (4.0, 0.0, [])],
)
def test_roots_are_the_self_consistent_rates(weight, drive, hollow):
    ax = jn.plot.firing_rate_curve(jn.Network(weight=weight, drive=drive))
    found, repels = roots(ax)
    expected = jn.stationary.self_consistent_rates(weight, drive)
    np.testing.assert_allclose(found, expected, rtol=1e-4)
    assert repels == hollow
    assert len(legend(ax)) == 2 + len(found)
    assert "1 / membrane time" in ax.get_xlabel()
    assert "1 / membrane time" in ax.get_ylabel()


def test_the_curve_is_that_of_neurons_that_rest():
    network = jn.Network(weight=3.0, epsilon=0.5, refractory=0.05)  # 0.1 membrane times
    found, repels = roots(jn.plot.firing_rate_curve(network))
    expected = jn.stationary.self_consistent_rates(3.0, 0.0, refractory=0.1)
    np.testing.assert_allclose(found, expected, rtol=1e-4)
    assert repels == [False]
    with pytest.raises(ValueError, match=r"model: has no stationary rate with refractory = Never"):
        jn.plot.firing_rate_curve(jn.Network(weight=3.0, refractory=jn.Never()))


def test_the_curve_is_the_rate_in_answer_to_the_rate():
    rates = np.linspace(0, 2, 5)
    drawn = lines(jn.plot.firing_rate_curve(jn.Network(weight=1.5, noise_slope=0.2), rates=rates))
    expected = jn.stationary.firing_rate(1.5 * rates, 1 + 0.2 * rates)
    np.testing.assert_array_equal(drawn["$G(N)$"][:, 0], rates)
    np.testing.assert_allclose(drawn["$G(N)$"][:, 1], expected, rtol=1e-5)
    np.testing.assert_array_equal(drawn["$G(N) = N$"], [[0, 0], [2, 2]])


def test_the_curve_is_that_of_the_membrane_and_of_the_synapse():
    model = jn.Network(
        synapse=Synapse(jnp.asarray(0.5), jn.Identity()), membrane=jn.Quadratic(), noise=0.5
    )
    ends, rates = {"threshold": 5.0, "reset": -5.0}, np.linspace(0, 1, 5)
    drawn = lines(jn.plot.firing_rate_curve(model, rates=rates, **ends))["$G(N)$"][:, 1]
    expected = jn.stationary.firing_rate(0.5 * rates, 0.5, *ends.values(), membrane=jn.Quadratic())
    np.testing.assert_allclose(drawn, expected, rtol=1e-5)


def test_a_bounded_response_may_have_three_roots():
    network = jn.Network(weight=8.0, drive=-2.0, response=jn.Saturating())
    found, repels = roots(jn.plot.firing_rate_curve(network))
    assert repels == [False, True, False]
    found = np.array(found)
    answer = jn.stationary.firing_rate(8 * found / (1 + found) - 2)
    np.testing.assert_allclose(answer, found, rtol=1e-4)


def test_the_drive_is_that_of_the_weight():
    bump = jn.Bump(base=0.5, height=1.0, center=-1.5, width=0.1)
    (found,), _ = roots(jn.plot.firing_rate_curve(jn.Network(weight=-1.5, drive=bump)))
    expected = jn.stationary.self_consistent_rates(-1.5, 1.5)
    np.testing.assert_allclose(found, expected[0], rtol=1e-4)


def test_threshold_and_reset_matter():
    network = jn.Network(weight=0.5, drive=1.0)
    (found,), _ = roots(jn.plot.firing_rate_curve(network, threshold=1.0, reset=-1))
    expected = jn.stationary.self_consistent_rates(0.5, 1.0, threshold=1.0, reset=-1.0)
    np.testing.assert_allclose(found, expected[0], rtol=1e-4)


@pytest.mark.parametrize(
    ("rates", "message"),
    [
        (np.array([-1.0, 1.0]), "rates = -1 at .0.: must not be negative"),
        (np.array([1.0, 1.0]), "rates: must be strictly increasing"),
        (np.zeros((2, 2)), r"rates: shape \(2, 2\): must be \(k,\)"),
    ],
)
def test_wrong_rates_are_refused(rates, message):
    with pytest.raises(ValueError, match=message):
        jn.plot.firing_rate_curve(jn.Network(weight=1.0), rates=rates)


def test_a_network_of_many_weights_is_refused():
    with pytest.raises(ValueError, match="model: must be an unstructured network"):
        jn.plot.firing_rate_curve(jn.Network())
