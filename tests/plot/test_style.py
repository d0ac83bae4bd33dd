"""Sizes, settings that stay, colours that can be told apart, and labels that are seen whole."""

import io

import matplotlib
import matplotlib.pyplot
import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from PIL import Image

import jaxnlif as jn
from jaxnlif.plot.style import drawing, root

from ._artists import outside

SIZES = {"screen": jn.plot.SCREEN, "column": jn.plot.COLUMN, "page": jn.plot.PAGE}


# ---- sizes ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "columns", "width"),
    [
        (jn.plot.SCREEN, 1, 5.0),
        (jn.plot.SCREEN, 3, 15.0),
        (jn.plot.COLUMN, 1, 3.5),
        (jn.plot.COLUMN, 2, 3.5),
        (jn.plot.PAGE, 1, 7.0),
        (jn.plot.PAGE, 3, 7.0),
    ],
)
def test_a_journal_fixes_the_width_and_a_screen_that_of_a_panel(size, columns, width):
    figure, axes = jn.plot.figure(2, columns, size=size)
    np.testing.assert_allclose(figure.get_size_inches(), (width, 2 * size.height))
    assert np.size(axes) == 2 * columns


def test_a_saved_column_has_as_many_dots_as_a_journal_asks_for(learned, tmp_path):
    jn.plot.rate(learned, size=jn.plot.COLUMN).figure.savefig(tmp_path / "rate.png")
    with Image.open(tmp_path / "rate.png") as image:
        assert image.size == (3.5 * 300, 2.5 * 300)


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES.keys())
def test_letters_and_lines_follow_the_size(learned, size):
    ax = jn.plot.rate(learned, size=size)
    ax.figure.savefig(io.BytesIO())
    # ticks are made when they are drawn
    for text in (ax.xaxis.label, ax.yaxis.label, *ax.get_xticklabels(), *ax.get_yticklabels()):
        assert text.get_fontsize() == size.font
    assert ax.get_lines()[0].get_linewidth() == pytest.approx(0.15 * size.font)
    assert ax.xaxis.get_major_ticks()[0].tick1line.get_markeredgewidth() == pytest.approx(
        0.08 * size.font
    )


def test_what_is_drawn_into_a_panel_takes_the_size_of_its_figure(learned):
    figure, ax = jn.plot.figure(size=jn.plot.COLUMN)
    assert jn.plot.response(learned, ax) is ax
    assert {text.get_fontsize() for text in ax.get_legend().get_texts()} == {8 * 0.833}
    assert ax.xaxis.label.get_fontsize() == 8
    part = figure.subfigures(1, 1).subplots()
    assert root(part) is figure
    assert jn.plot.rate(learned, part).get_lines()[0].get_linewidth() == pytest.approx(1.2)


def test_a_size_of_ones_own():
    figure, _ = jn.plot.figure(size=jn.plot.Size(2.0, 1.0, 6, dpi=100))
    np.testing.assert_allclose(figure.get_size_inches(), (2, 1))
    assert figure.dpi == 100


# ---- settings -------------------------------------------------------------------------------


def test_global_settings_stay(learned, tmp_path):
    before, figures = dict(matplotlib.rcParams), matplotlib.pyplot.get_fignums()
    jn.plot.summary(learned, size=jn.plot.COLUMN).savefig(tmp_path / "summary.pdf")
    assert dict(matplotlib.rcParams) == before
    assert matplotlib.pyplot.get_fignums() == figures


def test_a_figure_from_elsewhere_keeps_the_users_settings(learned):
    with matplotlib.rc_context({"font.size": 17, "lines.linewidth": 4}):
        ax = jn.plot.rate(learned, Figure().subplots())
    assert ax.xaxis.label.get_fontsize() == 17
    assert ax.get_lines()[0].get_linewidth() == 4


def test_a_dark_style_of_the_user_leaves_figures_readable(learned):
    with matplotlib.style.context("dark_background"):
        ax = jn.plot.rate(learned)
    assert to_rgb(ax.get_facecolor()) == (1, 1, 1)
    assert to_rgb(ax.xaxis.label.get_color()) == (0, 0, 0)


def test_letters_in_a_pdf_can_be_edited(learned, tmp_path):
    jn.plot.rate(learned, size=jn.plot.COLUMN).figure.savefig(tmp_path / "rate.pdf")
    content = (tmp_path / "rate.pdf").read_bytes()
    assert b"/FontFile2" in content
    assert b"/Type3" not in content


# ---- colours --------------------------------------------------------------------------------

# Machado, Oliveira and Fernandes (2009), whole loss of one kind of cone, in linear RGB.
VISIONS = {
    "normal": np.eye(3),
    "no long": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216],
                [-0.003882, -0.048116, 1.051998]],
    "no middle": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413],
                  [-0.011820, 0.042940, 0.968881]],
    "no short": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602],
                 [0.004733, 0.691367, 0.303900]],
}  # fmt: skip


def seen(colors, vision):
    """Lightness and hue (CIE Lab) of colours as they are seen."""
    rgb = np.array([to_rgb(color) for color in colors])
    linear = np.where(rgb > 0.04045, ((rgb + 0.055) / 1.055) ** 2.4, rgb / 12.92)
    linear = np.clip(linear @ np.array(vision).T, 0, 1)
    to_xyz = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    x, y, z = np.cbrt(linear @ np.array(to_xyz).T / [0.9505, 1, 1.089]).T
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=1)


@pytest.mark.parametrize("vision", VISIONS.values(), ids=VISIONS.keys())
def test_colours_are_told_apart_by_all_eyes(vision):
    lab = seen((*jn.plot.CYCLE, jn.plot.BLACK), vision)
    distances = np.linalg.norm(lab[:, None] - lab, axis=-1)[np.triu_indices(len(lab), 1)]
    assert distances.min() > 10  # 2.3 is what can just be seen


@pytest.mark.parametrize("vision", VISIONS.values(), ids=VISIONS.keys())
def test_the_scale_of_heat_maps_grows_lighter_for_all_eyes(vision):
    colors = matplotlib.colormaps[jn.plot.HEAT](np.linspace(0, 1, 32))
    assert np.all(np.diff(seen(colors, vision)[:, 0]) > 0)


# ---- labels ---------------------------------------------------------------------------------


def test_a_legend_above_hides_nothing():
    _, ax = jn.plot.figure(size=jn.plot.COLUMN)
    ax.plot([0, 1], [0, 1], label="one")
    ax.plot([0, 1], [1, 0], label="other")
    jn.plot.finish(ax, "x", "y", above=True)
    assert outside(ax.figure) == []
    assert ax.get_legend().get_window_extent().y0 >= ax.bbox.y1


# ---- bad input ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda: jn.plot.figure(0), "rows = 0: must be at least 1"),
        (lambda: jn.plot.Size(3.5, 0, 8), "height = 0: must be positive"),
        (lambda: jn.plot.Size(3.5, 2, -8), "font = -8: must be positive"),
    ],
)
def test_what_is_no_size_is_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        wrong()


def test_what_is_no_axes_is_refused():
    # The types are checked before in tests, so the check is called as users call it.
    unchecked = drawing.__wrapped__.__wrapped__
    with pytest.raises(ValueError, match="ax = 3: must be Axes of matplotlib"):
        next(unchecked(3))
    with pytest.raises(ValueError, match="size = 3: must be SCREEN, COLUMN or PAGE"):
        next(unchecked(None, 3))
