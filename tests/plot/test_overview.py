"""Summaries, and that of every figure all labels are seen whole, in a column too."""

import numpy as np
import pytest
from matplotlib.figure import Figure

import jaxnlif as jn

from ._artists import outside, panels


@pytest.mark.parametrize(
    ("size", "shape"), [(jn.plot.SCREEN, (10.0, 7.2)), (jn.plot.COLUMN, (3.5, 10.0))]
)
def test_summary_of_a_structured_network(learned, size, shape, tmp_path):
    figure = jn.plot.summary(learned, size=size)
    assert isinstance(figure, Figure)
    np.testing.assert_allclose(figure.get_size_inches(), shape)
    assert len(panels(figure)) == 4
    assert all(ax.get_ylabel() for ax in panels(figure))
    figure.savefig(tmp_path / "summary.png")
    assert (tmp_path / "summary.png").stat().st_size > 10_000


def test_summary_of_an_unstructured_network(blown_up):
    rate, density = panels(jn.plot.summary(blown_up))
    assert "membrane times" in rate.get_xlabel()
    assert "p(v)" in density.get_ylabel()


def test_summary_shows_spikes_where_they_were_recorded(switching):
    *_, raster = panels(jn.plot.summary(switching))
    assert raster.get_ylabel() == "neuron"


@pytest.mark.parametrize(
    "draw",
    [
        jn.plot.density,
        jn.plot.weights,
        jn.plot.weights_over_time,
        jn.plot.rate,
        jn.plot.response,
    ],
)
def test_labels_of_a_learning_network_are_seen_whole(learned, draw):
    assert outside(draw(learned, size=jn.plot.COLUMN).figure) == []


@pytest.mark.parametrize(
    "draw", [jn.plot.density, jn.plot.density_over_time, jn.plot.rate, jn.plot.raster]
)
def test_labels_of_a_network_of_one_weight_are_seen_whole(switching, draw):
    assert outside(draw(switching, size=jn.plot.COLUMN).figure) == []
    assert outside(draw(switching).figure) == []


K = np.linspace(0, 1, 5)


@pytest.mark.parametrize(
    "draw",
    [
        lambda size: jn.plot.firing_rate_curve(jn.Network(weight=1.5), size=size),
        lambda size: jn.plot.spike_times(K, 1 + K, duration=1.5, size=size),
        lambda size: jn.plot.spike_times(K, 1 + K, duration=3, size=size),
        lambda size: jn.plot.gradients(K, K, size=size),
        lambda size: jn.plot.training(1 - K, size=size),
        lambda size: jn.plot.spectrum(K, 1 + K, size=size),
        lambda size: jn.plot.autocorrelation(K, K, size=size),
    ],
)
def test_labels_of_curves_are_seen_whole(draw):
    assert outside(draw(jn.plot.COLUMN).figure) == []
    assert outside(draw(jn.plot.SCREEN).figure) == []


def test_labels_that_are_cut_are_noticed():
    _, ax = jn.plot.figure(size=jn.plot.COLUMN)
    label = "a label that is much too long for a figure as low as a column is"
    ax.set_ylabel(label)
    assert outside(ax.figure) == [label]
    jn.plot.finish(ax, "x", label)
    assert outside(ax.figure) == []
