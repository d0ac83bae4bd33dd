"""Spike times, gradients and training."""

import numpy as np
import pytest

import jaxnlif as jn

from ._artists import legend, lines

PARAMETER = np.linspace(0, 1, 11)
TIMES = np.stack([1 + PARAMETER, np.where(PARAMETER < 0.15, np.inf, 3 + 4 * PARAMETER)], 1)


def test_pseudospikes_are_dashed_and_join_on():
    ax = jn.plot.spike_times(PARAMETER, TIMES, duration=5.0, xlabel="weight (q)")
    one, _, two, dashed = [np.asarray(line.get_xydata()) for line in ax.get_lines()]
    assert [line.get_linestyle() for line in ax.get_lines()] == ["-", "--", "-", "--"]
    np.testing.assert_allclose(one[:, 1], TIMES[:, 0])
    inside = TIMES[:, 1] <= 5
    np.testing.assert_allclose(two[:, 1], np.where(inside, TIMES[:, 1], np.nan))
    shown = np.isfinite(dashed[:, 1])
    np.testing.assert_allclose(dashed[shown, 1], TIMES[shown, 1])
    assert shown.sum() == np.sum(TIMES[np.isfinite(TIMES[:, 1]), 1] > 5) + 1  # with the last inside
    assert legend(ax) == ["spike 1", "spike 2"]
    assert [text.get_text() for text in ax.texts] == ["pseudospikes"]
    assert ax.get_xlabel() == "weight (q)"
    assert "membrane times" in ax.get_ylabel()
    assert ax.get_ylim()[1] > 7


def test_without_pseudospikes_the_end_of_the_trial_is_marked():
    ax = jn.plot.spike_times(PARAMETER, 1 + PARAMETER, duration=5)
    assert [text.get_text() for text in ax.texts] == ["end of the trial"]
    assert ax.get_ylim() == pytest.approx((0, 5.5))
    assert legend(ax) == []


def test_gradients_are_as_given():
    slopes = np.where(TIMES > 3, np.nan, TIMES)
    ax = jn.plot.gradients(PARAMETER, slopes, labels=["one", "two"], colors=[jn.plot.RED])
    drawn = lines(ax)
    np.testing.assert_array_equal(drawn["one"], np.stack([PARAMETER, slopes[:, 0]], 1))
    np.testing.assert_array_equal(drawn["two"][:, 1], slopes[:, 1])
    assert {line.get_color() for line in ax.get_lines()[1:]} == {jn.plot.RED}


def test_training_of_one():
    losses = np.array([1.0, 0.1, 0.01])
    ax = jn.plot.training(losses)
    (drawn,) = lines(ax).values()
    np.testing.assert_array_equal(drawn, [[0, 1], [1, 0.1], [2, 0.01]])
    assert ax.get_yscale() == "log"
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("step", "loss")


def test_training_of_several_shows_mean_and_spread():
    runs = np.array([[1.0, 2.0], [3.0, 2.0]])
    steps = np.array([10, 20])
    ax = jn.plot.training({"with": runs, "without": 2 * runs}, steps=steps, ylabel="test error")
    np.testing.assert_array_equal(lines(ax)["with"], [[10, 2], [20, 2]])
    assert legend(ax) == ["with", "without"]
    vertices = ax.collections[0].get_paths()[0].vertices
    at_first = vertices[vertices[:, 0] == 10, 1]
    assert (at_first.min(), at_first.max()) == (1, 3)
    assert ax.get_ylabel() == "test error"


def test_a_negative_loss_has_a_linear_scale():
    assert jn.plot.training(np.array([1.0, -1.0])).get_yscale() == "linear"


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (
            lambda: jn.plot.spike_times(PARAMETER, TIMES[:3], duration=5.0),
            r"times: shape \(3, 2\): must be \(11,\) or \(11, n\)",
        ),
        (
            lambda: jn.plot.spike_times(PARAMETER, TIMES, duration=0),
            "duration = 0: must be positive",
        ),
        (
            lambda: jn.plot.gradients(PARAMETER, TIMES, labels=["one"]),
            "labels: 1: must be as many as there are curves, 2",
        ),
        (
            lambda: jn.plot.training({"deep": np.zeros((1, 2, 3))}),
            r"losses\['deep'\]: shape \(1, 2, 3\): must be \(k,\) or \(k, n\)",
        ),
        (lambda: jn.plot.training({}), "losses: must hold at least one curve"),
        (
            lambda: jn.plot.training(np.ones(3), steps=np.ones(2)),
            r"steps: shape \(2,\): must be \(3,\)",
        ),
    ],
)
def test_what_cannot_be_drawn_is_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        wrong()
