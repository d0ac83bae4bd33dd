"""Fits: descents, what was found, and what the data tell."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxnlif as jn

from ._artists import lines, panels

TRUTH = jn.Bump(base=1.0, height=2.0, center=0.3, width=0.1)


@pytest.fixture(scope="module")
def found():
    """All parameters of a bump, from its values and a little noise."""
    w = np.linspace(0, 1, 20)
    noise = 0.01 * np.random.default_rng(0).normal(size=w.size)
    data = np.asarray(TRUTH(jnp.zeros(()), jnp.asarray(w))) + noise
    return jn.fit(
        jn.Bump(base=0.9, height=1.8, center=0.32, width=0.12),
        lambda bump: bump(jnp.zeros(()), jnp.asarray(w)),
        lambda values: (values - data) / 0.01,
        where=lambda bump: (bump.base, bump.height, bump.center, bump.width),
        steps=30,
    )


@pytest.fixture(scope="module")
def sum_of_two():
    """Of two numbers only the sum is known."""
    return jn.fit(
        jn.Bump(base=1.0, height=2.0, center=0.3, width=0.1),
        lambda bump: bump.base + bump.height,
        lambda found: found - np.array([1.9, 2.0, 2.1]),
        where=lambda bump: (bump.base, bump.height),
        starts=3,
        key=jax.random.key(0),
    )


@pytest.fixture(scope="module")
def unsure():
    return jn.fit(
        jn.Constant(1.0),
        lambda drive: drive.value,
        lambda found: found**2,
        where=lambda drive: drive.value,
        uncertainty=False,
    )


def test_a_descent_shows_all_starts(sum_of_two):
    ax = jn.plot.descent(sum_of_two)
    drawn = lines(ax)
    assert {"other starts", "best start"} <= set(drawn)
    np.testing.assert_allclose(drawn["best start"][:, 1], sum_of_two.loss)
    assert len(ax.get_lines()) == 3
    assert ax.get_yscale() == "log"


def test_flat_directions_are_hollow(sum_of_two):
    drawn = lines(jn.plot.singular_values(sum_of_two))
    assert len(drawn["determined"]) == 1
    assert len(drawn["flat"]) == 1
    assert drawn["determined"][0, 1] == sum_of_two.uncertainty.singular_values[0]


def bars(ax):
    """The ends of the error bars, one below the other."""
    return np.array([bar.lines[2][0].get_segments()[0][:, 0] for bar in ax.containers])


def test_parameters_have_their_standard_errors(found):
    ax = jn.plot.parameters(found)
    values, std = np.array([float(x) for x in found.values]), found.uncertainty.std
    np.testing.assert_allclose(bars(ax), np.stack([values - std, values + std], 1), rtol=1e-6)
    assert [text.get_text() for text in ax.get_yticklabels()] == list(found.names)
    assert ax.texts[0].get_text().startswith(f"{values[0]:.4g} ± ")
    assert ax.yaxis_inverted()


def test_the_truth_is_taken_by_name_or_in_order(found):
    by_name = jn.plot.parameters(found, TRUTH)
    in_order = jn.plot.parameters(found, np.array([1.0, 2.0, 0.3, 0.1]))
    for ax in (by_name, in_order):
        (marks,) = [c for c in ax.collections if c.get_label() == "truth"]
        np.testing.assert_allclose(
            [segment[0, 0] for segment in marks.get_segments()], [1, 2, 0.3, 0.1], rtol=1e-6
        )


def test_elements_of_arrays_are_taken_by_name():
    start = jn.Table([0.0, 1.0, 2.0], [1.0, 1.0, 1.0])
    fitted = jn.fit(
        start,
        lambda table: table.values,
        lambda values: values - np.array([1.0, 2.0, 3.0]),
        where=lambda table: table.values,
    )
    truth = jn.Table([0.0, 1.0, 2.0], [1.0, 2.0, 3.0])
    ax = jn.plot.parameters(fitted, truth)
    (marks,) = [c for c in ax.collections if c.get_label() == "truth"]
    assert [segment[0, 0] for segment in marks.get_segments()] == [1, 2, 3]


def test_what_is_not_determined_has_no_bar(sum_of_two):
    ax = jn.plot.parameters(sum_of_two, names=["base (V)", "height (V)"])
    assert len(ax.containers) == 0
    assert {line.get_markerfacecolor() for line in ax.get_lines()} == {"white"}
    assert all("not determined" in text.get_text() for text in ax.texts)
    assert [text.get_text() for text in ax.get_yticklabels()] == ["base (V)", "height (V)"]


def test_what_is_not_determined_has_no_say_in_the_axis(found):
    far = eqx.tree_at(lambda fit: fit.values[1], found, jnp.asarray(1e6))
    std = np.where(np.arange(4) == 1, np.inf, found.uncertainty.std)
    far = eqx.tree_at(lambda fit: fit.uncertainty.std, far, std)
    ax = jn.plot.parameters(far, TRUTH)
    low, high = ax.get_xlim()
    assert low > -3
    assert high < 5
    (hollow,) = (line for line in ax.get_lines() if line.get_markerfacecolor() == "white")
    assert low < hollow.get_xdata()[0] < high
    assert "1e+06 (not determined)" in [text.get_text() for text in ax.texts]


def test_a_bar_longer_than_the_axis_leaves_it(found):
    std = np.where(np.arange(4) == 0, 1e3, found.uncertainty.std)
    loose = eqx.tree_at(lambda fit: fit.uncertainty.std, found, std)
    low, high = jn.plot.parameters(loose, TRUTH).get_xlim()
    assert high - low < 20


@pytest.mark.parametrize(("size", "rows"), [(jn.plot.SCREEN, 1), (jn.plot.COLUMN, 3)])
def test_the_whole_fit_in_one_figure(found, size, rows):
    figure = jn.plot.fit(found, TRUTH, size=size)
    assert [ax.get_title("left") for ax in panels(figure)] == [
        "Descent",
        "What was found",
        "How much the data tell",
    ]
    assert figure.get_size_inches()[1] == pytest.approx(rows * size.height)


def test_what_a_fit_does_not_know_is_not_drawn(unsure, found):
    for draw in (jn.plot.singular_values, jn.plot.parameters):
        with pytest.raises(ValueError, match="has no uncertainty to draw"):
            draw(unsure)
    assert len(panels(jn.plot.fit(unsure))) == 1
    with pytest.raises(ValueError, match="truth: 2 values: must be the model, or the 4 values"):
        jn.plot.parameters(found, np.zeros(2))
    with pytest.raises(ValueError, match="truth = 'unknown': must be the model, or the 4 values"):
        jn.plot.parameters(found, "unknown")
    with pytest.raises(ValueError, match="names: 1: must be 4"):
        jn.plot.parameters(found, names=["one"])
