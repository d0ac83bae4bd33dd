"""Weights, their course, and the response with its ramp."""

import equinox as eqx
import numpy as np
import pytest
from matplotlib.figure import Figure

import jaxnlif as jn

from ._artists import bars, lines


def test_response_shows_the_ramp_of_the_learned_state(learned):
    drawn = lines(jn.plot.response(learned))
    rate = float(learned.rate[-1])
    ramp = drawn[r"ramp $w / (K \bar N)$"]
    np.testing.assert_allclose(ramp[-1], [rate * np.sqrt(0.6), np.sqrt(2 / 0.3)], rtol=1e-5)
    np.testing.assert_array_equal(drawn["$N(w)$"][:, 1], learned.rates[-1])


def test_a_ramp_ends_with_the_axis():
    ax = Figure().subplots()
    assert jn.plot.ramp(ax, 0.5, 2.0, end=1.0) is ax
    (drawn,) = lines(ax).values()
    np.testing.assert_allclose(drawn, [[0, 0], [1, 1]])


def test_a_silent_network_has_no_ramp(learned):
    silent = eqx.tree_at(lambda sol: sol.rate, learned, 0 * learned.rate)
    assert set(lines(jn.plot.response(silent))) == {"$N(w)$"}
    with pytest.raises(ValueError, match="network_rate = 0: must be positive"):
        jn.plot.ramp(Figure().subplots(), 0.5, 0.0, end=1.0)


def test_weights_shows_before_and_after(learned):
    drawn = lines(jn.plot.weights(learned))
    np.testing.assert_array_equal(drawn["$t$ = 0"][:, 1], learned.weights[0])
    np.testing.assert_array_equal(drawn["$t$ = 1"][:, 1], learned.weights[-1])


def test_weights_over_time_shows_all(learned):
    ax = jn.plot.weights_over_time(learned)
    (mesh,) = ax.collections
    np.testing.assert_array_equal(mesh.get_array(), np.asarray(learned.weights).T)
    corners = mesh.get_coordinates()
    np.testing.assert_allclose(corners[[0, -1], 0, 1], [0, 1.2])
    np.testing.assert_allclose(corners[0, :2, 0], [-0.125, 0.125])
    assert ax.get_xlim() == (0, 1)
    assert ax.get_xlabel() == "time $t$ (learning times)"
    assert "1 / weight" in bars(ax)[0].get_ylabel()


def test_functions_draw_into_the_axes_given(learned):
    for draw in (jn.plot.weights, jn.plot.weights_over_time, jn.plot.response):
        ax = Figure().subplots()
        assert draw(learned, ax) is ax
        assert ax.get_xlabel()
        assert ax.get_ylabel()


def test_one_weight_cannot_be_drawn_against_itself(blown_up):
    for draw in (jn.plot.weights, jn.plot.weights_over_time, jn.plot.response):
        with pytest.raises(ValueError, match="no weight axis"):
            draw(blown_up)
