"""Keywords of lines, several runs in the same axes, and numbers at logarithmic axes."""

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

import jaxnlif as jn
from jaxnlif.plot.ticks import LogTicks

from ._artists import legend

K = np.linspace(0.1, 1, 5)
CURVES = {
    "rate": lambda learned, **line: jn.plot.rate(learned, **line),
    "weights": lambda learned, **line: jn.plot.weights(learned, **line),
    "response": lambda learned, **line: jn.plot.response(learned, **line),
    "spectrum": lambda _, **line: jn.plot.spectrum(K, K, **line),
    "autocorrelation": lambda _, **line: jn.plot.autocorrelation(K, K, **line),
    "gradients": lambda _, **line: jn.plot.gradients(K, K, **line),
    "spike_times": lambda _, **line: jn.plot.spike_times(K, K, duration=2.0, **line),
    "training": lambda _, **line: jn.plot.training(K, **line),
    "firing_rate_curve": lambda _, **line: jn.plot.firing_rate_curve(
        jn.Network(weight=1.5), rates=K, **line
    ),
}


@pytest.mark.parametrize("draw", CURVES.values(), ids=CURVES.keys())
def test_keywords_of_a_line_are_those_of_matplotlib(learned, draw):
    ax = draw(learned, label="mine", c="black", lw=3, linestyle=":")
    (line,) = [line for line in ax.get_lines() if line.get_label() == "mine"]
    assert (line.get_color(), line.get_linewidth(), line.get_linestyle()) == ("black", 3, ":")
    assert "mine" in legend(ax)


@pytest.mark.parametrize("draw", CURVES.values(), ids=CURVES.keys())
def test_several_in_the_same_axes_have_colours_of_their_own(learned, draw):
    _, ax = jn.plot.figure(size=jn.plot.COLUMN)
    for name in "abc":
        draw(learned, ax=ax, label=name)
    colors = {line.get_label(): to_hex(line.get_color()) for line in ax.get_lines()}
    assert [colors[name] for name in "abc"] == [to_hex(color) for color in jn.plot.CYCLE[:3]]
    assert len(set(legend(ax))) == len(legend(ax))  # what they have in common is named once


def test_events_and_ends_have_the_colour_of_their_run(blown_up, switching):
    ax = jn.plot.rate(switching)
    jn.plot.rate(blown_up, ax)
    by_label = {line.get_label(): line.get_color() for line in ax.get_lines()}
    number, end = switching.events.time.size, float(blown_up.t_end)
    assert by_label[f"{number} events"] == jn.plot.CYCLE[0]
    assert by_label[f"blow-up at t = {end:.4g}"] == jn.plot.CYCLE[1]


def test_marks_of_a_raster_and_a_density_take_keywords(switching, learned):
    (marks,) = jn.plot.raster(switching, markersize=7, color="red").get_lines()
    assert (marks.get_markersize(), marks.get_color()) == (7, "red")
    assert jn.plot.density(switching, lw=4).get_lines()[0].get_linewidth() == 4
    with pytest.raises(ValueError, match="lw: a density with a weight axis is a heat map"):
        jn.plot.density(learned, lw=4)


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"colour": "red"}, "colour = 'red': is no keyword of a line of matplotlib"),
        ({"color": "blurple"}, "color = 'blurple': .*not a valid"),
        ({"linestyle": "wavy"}, "linestyle = 'wavy': .*not a valid"),
        ({"linewidth": "thick"}, "linewidth = 'thick': could not convert"),
        ({"xdata": [1, 2]}, r"xdata = \[1, 2\]: is given by what is drawn"),
        ({"lw": 1, "linewidth": 2}, "lw, linewidth: Got both"),
    ],
)
def test_wrong_keywords_are_refused_in_a_line(learned, keywords, message):
    with pytest.raises(ValueError, match=message) as refused:
        jn.plot.rate(learned, **keywords)
    assert "\n" not in str(refused.value)


def test_one_label_is_not_for_several_curves():
    with pytest.raises(ValueError, match="label: is of one curve; several have labels"):
        jn.plot.gradients(K, np.stack([K, K], 1), label="one")
    with pytest.raises(ValueError, match="label: is of one curve; those of losses have"):
        jn.plot.training({"one": K}, label="one")


# ---- logarithmic axes -----------------------------------------------------------------------


def ticks(low, high):
    """What stands at a logarithmic axis between these ends."""
    ax = Figure().subplots()
    ax.set(xscale="log", xlim=(low, high))
    jn.plot.finish(ax, "", "")
    both = ax.xaxis.get_majorticklabels() + ax.xaxis.get_minorticklabels()
    ax.figure.draw_without_rendering()
    assert isinstance(ax.xaxis.get_major_formatter(), LogTicks)
    assert isinstance(ax.xaxis.get_minor_formatter(), LogTicks)
    return {text.get_text() for text in both if low <= text.get_position()[0] <= high} - {""}


@pytest.mark.parametrize(
    ("low", "high", "shown"),
    [
        (1, 4, {"$1$", "$2$", "$3$", "$4$"}),
        (0.3, 0.65, {"$0.3$", "$0.4$", "$0.6$"}),
        (1, 1e3, {r"$\mathdefault{10^{0}}$", r"$\mathdefault{10^{3}}$"}),
    ],
)
def test_short_axes_have_plain_numbers_and_long_ones_powers(low, high, shown):
    found = ticks(low, high)
    assert shown <= found
    assert not any("times" in text for text in found)
