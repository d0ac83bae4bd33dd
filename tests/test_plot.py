import jax
import matplotlib
import matplotlib.pyplot
import numpy as np
import pytest
from matplotlib.figure import Figure

import jaxnlif as jn


@pytest.fixture(scope="module")
def learned():
    grid = jn.Grid(
        v=jn.VoltageGrid(-4.0, 2.0, reset=1.0, num=30), w=jn.WeightGrid(0.0, 1.2, num=24)
    )
    model = jn.Network(
        drive=jn.Bump(base=1.0, height=3.0, center=0.3, width=0.1),
        response=jn.Saturating(),
        learning=jn.Hebbian(gain=0.3),
        epsilon=1e-3,
    )
    y0 = jn.gaussian(grid, v=(-1.0, 0.5), w=(0.3, 0.02))
    return jn.solve(model, jn.FluxShift(grid), y0=y0, t1=1.0, dt=0.05, saveat=jn.SaveAt(num=5))


@pytest.fixture(scope="module")
def blown_up():
    line = jn.Grid(v=jn.VoltageGrid(-4.0, 2.0, reset=1.0, num=60))
    y0 = jn.gaussian(line, v=(1.5, 0.005))
    return jn.solve(jn.Network(weight=1.5), jn.FluxShift(line), y0=y0, t1=0.2, dt=1e-3)


def panels(figure):
    """Axes of the figure except colour bars."""
    return [ax for ax in figure.axes if ax.get_xlabel()]


def lines(ax):
    return {line.get_label(): np.asarray(line.get_xydata()) for line in ax.get_lines()}


def test_summary_of_a_structured_network(learned, tmp_path):
    figure = jn.plot.summary(learned)
    assert isinstance(figure, Figure)
    assert len(panels(figure)) == 4
    assert all(ax.get_ylabel() for ax in panels(figure))
    figure.savefig(tmp_path / "summary.png")
    assert (tmp_path / "summary.png").stat().st_size > 10_000


def test_summary_of_an_unstructured_network(blown_up, tmp_path):
    figure = jn.plot.summary(blown_up)
    rate, density = panels(figure)
    assert "membrane times" in rate.get_xlabel()
    assert any(label.startswith("blow-up at t = 0.0") for label in lines(rate))
    assert "p(v)" in density.get_ylabel()
    figure.savefig(tmp_path / "summary.pdf")


def test_global_settings_stay(learned):
    before = dict(matplotlib.rcParams)
    jn.plot.summary(learned)
    assert dict(matplotlib.rcParams) == before
    assert matplotlib.pyplot.get_fignums() == []


def test_response_shows_the_ramp_of_the_learned_state(learned):
    drawn = lines(jn.plot.response(learned))
    rate = float(learned.rate[-1])
    ramp = drawn[r"ramp $w / (K \bar N)$"]
    np.testing.assert_allclose(ramp[-1], [rate * np.sqrt(0.6), np.sqrt(2 / 0.3)], rtol=1e-5)
    np.testing.assert_array_equal(drawn["$N(w)$"][:, 1], learned.rates[-1])


def test_weights_shows_before_and_after(learned):
    drawn = lines(jn.plot.weights(learned))
    np.testing.assert_array_equal(drawn["$t$ = 0"][:, 1], learned.weights[0])
    np.testing.assert_array_equal(drawn["$t$ = 1"][:, 1], learned.weights[-1])


def test_functions_draw_into_the_axes_given(learned):
    grid = learned.solver.grid
    for draw in (jn.plot.rate, jn.plot.weights, jn.plot.response):
        ax = Figure().subplots()
        assert draw(learned, ax) is ax
    ax = Figure().subplots()
    assert jn.plot.density(learned.density(0), grid, ax) is ax
    marked = {text.get_text().strip() for text in ax.texts}
    assert marked == {"reset $V_R$", "threshold $V_F$"}
    np.testing.assert_array_equal(ax.images[0].get_array(), learned.density(0))


def test_density_of_a_solution_is_its_last_state(learned):
    ax = jn.plot.density(learned)
    np.testing.assert_array_equal(ax.images[0].get_array(), learned.density(-1))


def test_what_cannot_be_drawn_is_refused(learned, blown_up):
    with pytest.raises(ValueError, match="no weight axis"):
        jn.plot.weights(blown_up)
    with pytest.raises(ValueError, match="no weight axis"):
        jn.plot.response(blown_up)
    with pytest.raises(ValueError, match="grid: must be given"):
        jn.plot.density(learned.density(0))
    with pytest.raises(ValueError, match=r"shape \(2, 2\): must be that of its grid"):
        jn.plot.density(np.zeros((2, 2)), learned.solver.grid)


def test_a_fit_shows_its_starts_and_what_is_flat():
    sum_of_two = jn.fit(
        jn.Bump(base=1.0, height=2.0, center=0.3, width=0.1),
        lambda bump: bump.base + bump.height,
        lambda found: found - np.array([1.9, 2.0, 2.1]),
        where=lambda bump: (bump.base, bump.height),
        starts=3,
        key=jax.random.key(0),
    )
    drawn = lines(jn.plot.descent(sum_of_two))
    assert {"other starts", "best start"} <= set(drawn)
    np.testing.assert_allclose(drawn["best start"][:, 1], sum_of_two.loss)
    drawn = lines(jn.plot.singular_values(sum_of_two))
    assert len(drawn["determined"]) == 1
    assert len(drawn["flat"]) == 1


def test_what_a_fit_does_not_know_is_not_drawn():
    fitted = jn.fit(
        jn.Constant(1.0),
        lambda drive: drive.value,
        lambda found: found**2,
        where=lambda drive: drive.value,
        uncertainty=False,
    )
    with pytest.raises(ValueError, match="has no uncertainty to draw"):
        jn.plot.singular_values(fitted)
