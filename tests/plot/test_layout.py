"""Labels are seen whole in figures of the user's, which nobody laid out."""

import pytest
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from references.figures import draw_eight

import jaxnlif as jn

from ._artists import outside


def overlaps(figure):
    """Pairs of panels whose labels and numbers lie over one another."""
    boxes = [ax.get_tightbbox() for ax in figure.axes]
    return [(i, j) for i, one in enumerate(boxes) for j in range(i) if one.overlaps(boxes[j])]


@pytest.mark.parametrize("size", [(12, 6), (6.4, 4.8)])
def test_eight_panels_of_a_user_have_room(learned, switching, size):
    figure = Figure(figsize=size)
    draw_eight(figure.subplots(2, 4), learned, switching)
    assert outside(figure) == []
    if size[0] > 10:  # smaller panels have no room for their legends
        assert overlaps(figure) == []


def test_eight_panels_of_a_page_have_room(learned, switching):
    figure, axes = jn.plot.figure(2, 4, size=jn.plot.PAGE)
    draw_eight(axes, learned, switching)
    assert outside(figure) == []


def test_without_room_labels_would_be_cut(learned):
    figure = Figure(figsize=(4, 2))
    ax = figure.subplots()
    jn.plot.rate(learned, ax)
    assert outside(figure) == []
    figure.set_layout_engine("none")
    figure.subplots_adjust(left=0.05)
    assert outside(figure) != []


def test_a_user_lays_out_before_or_after(learned):
    adjusted = Figure()
    before, after = adjusted.subplots(1, 2)
    jn.plot.rate(learned, before)
    jn.plot.density(learned, ax=after)
    adjusted.subplots_adjust(left=0.4, right=0.8)  # no warning
    adjusted.draw_without_rendering()
    assert before.get_position().x0 == pytest.approx(0.4)
    adjusted.tight_layout()
    assert before.get_position().x0 < 0.4
    own = Figure()
    own.subplots_adjust(left=0.3)
    ax = own.subplots()
    jn.plot.rate(learned, ax)
    own.draw_without_rendering()
    assert ax.get_position().x0 == pytest.approx(0.3)
    by_grid = Figure()
    ax = by_grid.subplots(gridspec_kw={"left": 0.35})
    jn.plot.rate(learned, ax)
    assert by_grid.get_layout_engine() is None
    placed = Figure()
    jn.plot.rate(learned, placed.add_axes((0.5, 0.5, 0.4, 0.4)))
    assert placed.get_layout_engine() is None
    constrained = Figure(layout="constrained")
    jn.plot.rate(learned, constrained.subplots())
    assert isinstance(constrained.get_layout_engine(), ConstrainedLayoutEngine)


def test_a_colour_bar_of_the_user_leaves_room(learned):
    figure = Figure()
    left, right = figure.subplots(1, 2)
    jn.plot.rate(learned, left)
    figure.colorbar(right.imshow([[0, 1]]), ax=right)
    assert outside(figure) == []


def test_labels_break_at_spaces_and_keep_formulas():
    _, ax = jn.plot.figure(size=jn.plot.Size(2.4, 2.4, 10))
    label = "a long label $a = b + c$ of an axis"
    jn.plot.finish(ax, label, jn.plot.RATE)
    lines = ax.get_xlabel().split("\n")
    assert len(lines) == 2
    assert " ".join(lines) == label
    assert any("$a = b + c$" in line for line in lines)
    assert outside(ax.figure) == []
